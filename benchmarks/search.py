"""Searches among many runs: `python -m benchmarks.search 100000` shows what each takes with so many."""

from __future__ import annotations

import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from benchmarks.pairs import Pair, compare
from flyball.settings import load_settings
from flyball.tracking import _store
from flyball.workspace import Workspace

_RUNS = 5_000
_KEYS = 20
_EXPERIMENTS = 10
_AT_ONCE = 2_000
_PAGE = 100


def run() -> Iterator[Pair]:
    """A page of runs by a metric, against reading as many runs and what belongs to them with the bare driver."""
    with tempfile.TemporaryDirectory() as folder, _open(folder) as here:
        fill(here, _RUNS)
        bare = sqlite3.connect(here.database.url.database or "")

        def ours() -> None:
            here.run_search.search("metrics.metric_03 > 0.5", order_by=["metrics.metric_04 DESC"], limit=_PAGE)

        def limit() -> None:
            numbers = [row[0] for row in bare.execute("SELECT * FROM runs ORDER BY started DESC LIMIT ?", (_PAGE,))]
            marks = ", ".join("?" * len(numbers))
            for table in ("run_params", "run_tags", "metric_latest"):
                bare.execute(f"SELECT * FROM {table} WHERE run IN ({marks})", numbers).fetchall()

        yield compare(
            f"a page of {_PAGE} among {_RUNS:,} runs", ours, limit, against="bare SQLite reads of such a page"
        )
        bare.close()


def fill(here: Workspace, count: int, *, keys: int = _KEYS) -> None:
    """Writes many runs of some params and metrics each, as the tables hold them."""
    chance = random.Random(1)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with here.database.transaction() as connection:
        rows = [{"name": f"experiment-{n}", "created": start, "updated": start} for n in range(_EXPERIMENTS)]
        connection.execute(sa.insert(_store.experiments), rows)
        experiments = connection.execute(sa.select(_store.experiments.c.number)).scalars().all()
        connection.execute(sa.insert(_store.keys), [{"name": f"metric_{n:02}"} for n in range(keys)])
        numbers = connection.execute(sa.select(_store.keys.c.number)).scalars().all()
    for first in range(1, count + 1, _AT_ONCE):
        some = range(first, min(first + _AT_ONCE, count + 1))
        with here.database.transaction() as connection:
            connection.execute(sa.insert(_store.runs), [_run(n, experiments[n % _EXPERIMENTS], start) for n in some])
            params = [
                {"run": n, "key": f"param_{k:02}", "value": value, "text": str(value)}
                for n in some
                for k in range(keys)
                for value in (chance.randrange(100),)
            ]
            connection.execute(sa.insert(_store.params), params)
            metrics = [
                {
                    "run": n,
                    "key": key,
                    "step": 10,
                    "at": start,
                    "value": chance.random() if chance.random() > 0.01 else None,
                }
                for n in some
                for key in numbers
            ]
            connection.execute(sa.insert(_store.latest), metrics)
            tags = [{"run": n, "key": "team", "value": f"team-{n % 7}"} for n in some]
            connection.execute(sa.insert(_store.tags), tags)


def main(count: int) -> None:
    """Prints what each kind of search takes among so many runs."""
    with tempfile.TemporaryDirectory() as folder, _open(folder) as here:
        begun = time.perf_counter()
        fill(here, count)
        print(
            f"{count:,} runs written in {time.perf_counter() - begun:.0f} s\n\n| search | CPU | wall |\n|---|---|---|"
        )
        for name, work in _searches(here).items():
            taken = [_timed(work) for _ in range(5)]
            cpu, wall = (statistics.median(both) for both in zip(*taken, strict=True))
            print(f"| {name} | {cpu:,.1f} ms | {wall:,.1f} ms |", flush=True)


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of the processor and of the clock on the wall."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return (time.process_time() - cpu) * 1000, (time.perf_counter() - wall) * 1000


def _searches(here: Workspace) -> dict[str, Callable[[], object]]:
    def page(filter: str = "", *order: str, experiments: list[str] | None = None) -> Callable[[], object]:
        return lambda: here.run_search.search(filter, experiments, list(order), _PAGE)

    def second(filter: str, *order: str) -> Callable[[], object]:
        token = here.run_search.search(filter, order_by=list(order), limit=_PAGE).next_page_token
        return lambda: here.run_search.search(filter, order_by=list(order), limit=_PAGE, page_token=token)

    search, one, ten = here.run_search, ["experiment-3"], "metrics.metric_04 DESC"
    many = " AND ".join(f"metrics.metric_{n:02} > 0.3" for n in range(10))
    return {
        "the newest 100": page(),
        "the newest 100 of one experiment": page(experiments=one),
        "metric > x (half fit), by that metric": page("metrics.metric_03 > 0.5", "metrics.metric_03 DESC"),
        "metric > x (half fit), by another metric": page("metrics.metric_03 > 0.5", ten),
        "the same, its second page": second("metrics.metric_03 > 0.5", ten),
        "the same, in one experiment": page("metrics.metric_03 > 0.5", ten, experiments=one),
        "metric > x (1 in 1,000 fits), by another metric": page("metrics.metric_03 > 0.999", ten),
        "metric > x (none fits), by another metric": page("metrics.metric_03 > 2", ten),
        "ten metrics > x, by another metric": page(many, "metrics.metric_11 DESC"),
        "two metrics whose fits hardly meet": page("metrics.metric_03 > 0.99 AND metrics.metric_04 > 0.99"),
        "param = text, by a metric": page("params.param_05 = '42'", ten),
        "param > number, by a metric": page("params.param_05 > 90", ten),
        "param LIKE, newest first": page("params.param_05 LIKE '%7%'"),
        "by a param, as numbers": page("", "params.param_05 DESC"),
        "OR, NOT and parentheses": page(
            "(metrics.metric_03 > 0.9 OR params.param_01 = '5') AND NOT params.param_02 = '7'", ten
        ),
        "tag = text, newest first": page("tags.team = 'team-3'"),
        "status and name": page("status = 'FINISHED' AND run_name LIKE '%99'"),
        "a metric that is nowhere": page("metrics.nowhere > 1", "metrics.nowhere"),
        "how many fit": lambda: search.search("metrics.metric_03 > 0.5", limit=1, total=True),
        "columns": search.columns,
        "groups by a param, mean of a metric": lambda: search.group(["params.param_05"], ["mean(metrics.metric_04)"]),
        "pivot of two params": lambda: search.pivot(["params.param_05"], "params.param_06", "max(metrics.metric_04)"),
        "leaderboard": lambda: search.leaderboard("experiment-3", "metric_04"),
        "1,000 runs at once": lambda: search.search("metrics.metric_03 > 0.5", order_by=[ten], limit=1_000),
    }


def _run(number: int, experiment: int, start: datetime) -> dict[str, object]:
    began = start + timedelta(seconds=number)
    return {
        "number": number,
        "id": f"{number:08}{(number * 2_654_435_761) % (1 << 32):08x}",
        "experiment": experiment,
        "name": f"run-{number}",
        "kind": "run",
        "state": "finished" if number % 10 else "failed",
        "parent": "",
        "attempt": 1,
        "code": "",
        "environment": {},
        "error": "",
        "notes": "",
        "started": began,
        "ended": began + timedelta(seconds=60),
        "heartbeat": began.timestamp(),
    }


def _open(folder: str) -> Workspace:
    return Workspace(load_settings({"workspace": folder}, environment={}, start=Path(folder)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else _RUNS)
