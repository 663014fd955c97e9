"""What monitoring costs: `python -m benchmarks monitoring`, or `python -m benchmarks.monitoring [--rows 1000000] [--rounds 3]
[--without-peers]`.

A check of a table against a fitted reference, in turn with a bare pass of numpy and of DuckDB over the same table, and beside the
peers; merging a thousand windows; the cost of monitoring per served prediction; and how near estimates come to what is realised.
Reading the table is counted on no side.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import estimates, monitoring_live
from benchmarks.pairs import Pair, Timing, report
from benchmarks.peers import peer_or_none
from flyball.monitoring.evidence import drift
from flyball.monitoring.profile import merge, profile
from flyball.monitoring.reference import fit_reference

_CHECK = Path(__file__).parent / "clients" / "drift_check.py"
_QUIET = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def run(rows: int = 1_000_000, *, rounds: int = 5, peers: bool = True) -> Iterator[Pair]:
    """The pairs of this benchmark."""
    yield merging()
    yield per_prediction()
    yield from checks(rows, rounds=rounds, peers=peers)
    if peers:
        yield from estimates.run()


def table_of(rows: int, *, seed: int) -> pa.Table:
    """Twenty columns of numbers and ten of categories."""
    random = np.random.default_rng(seed)
    made: dict[str, Any] = {}
    for place in range(20):
        draw = (random.normal, random.standard_exponential, random.random)[place % 3]
        made[f"n{place:02d}"] = draw(size=rows)
    for place in range(10):
        levels = pa.array([f"level-{n}" for n in range(5 + 10 * place)])
        codes = pa.array(random.integers(0, len(levels), rows).astype(np.int32))
        made[f"c{place:02d}"] = pa.DictionaryArray.from_arrays(codes, levels).cast(pa.string())
    return pa.table(made)


def checks(rows: int, *, peers: bool, rounds: int) -> Iterator[Pair]:
    """The drift check, ours in turn with the others, each time in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for name, seed in (("reference", 0), ("current", 1)):
            pq.write_table(table_of(rows, seed=seed), Path(folder) / f"{name}.parquet", row_group_size=1 << 17)
        _run(sys.executable, "ours", folder)  # fits the reference
        turns = [{who: _run(sys.executable, who, folder) for who in ("ours", "numpy", "duckdb")} for _ in range(rounds)]
        work = f"drift check, {rows:,} x 30"
        for who in ("numpy", "duckdb"):
            ratio = statistics.median(turn["ours"]["check"] / turn[who]["check"] for turn in turns)
            mine, theirs = (_middle([turn[one] for turn in turns], "check") for one in ("ours", who))
            yield _pair(work, mine, theirs, f"a bare pass of {who}", ratio=ratio, goal=1.2)
        mine, peak = (_middle([turn["ours"] for turn in turns], name) for name in ("check", "peak_mb"))
        for name, times in (("evidently", 75), ("nannyml", 6)):
            python = peer_or_none(name) if peers else None
            if python is not None:
                found = _run(str(python), name, folder)
                yield _pair(work, mine, found["check"], name, goal=1 / times)
                yield _pair(
                    f"peak memory of it, MB for ms ({name})", peak / 1e3, found["peak_mb"] / 1e3, name, goal=0.25
                )


def merging(windows: int = 1_000) -> Pair:
    """A thousand windows of a wide table added up and tested."""
    table = table_of(20_000, seed=2)
    reference = fit_reference(table, windows=10)
    profiles = [profile(table.slice(20 * place % 19_000, 500), reference) for place in range(windows)]
    spent = []
    for _ in range(3):
        start = time.process_time()
        drift(reference, merge(profiles))
        spent.append(time.process_time() - start)
    return _pair(
        f"merge {windows:,} windows of 30 columns and test", statistics.median(spent), 1.0, "its goal", goal=1.0
    )


def per_prediction(requests: int = 40_000) -> Pair:
    """Examining a window, beside the server's work on the requests that it is made of."""
    mine, server = monitoring_live.serve_and_examine(requests)
    return Pair(
        name=f"monitoring {requests:,} one-row predictions, with their truth", ours=mine, theirs=server,
        against="the model server answering and logging them", ratio=mine.cpu / server.cpu, goal=0.03,
    )  # fmt: skip


def _pair(name: str, mine: float, theirs: float, against: str, *, goal: float, ratio: float | None = None) -> Pair:
    return Pair(
        name=name, ours=Timing(cpu=mine, wall=mine), theirs=Timing(cpu=theirs, wall=theirs), against=against,
        ratio=mine / theirs if ratio is None else ratio, goal=round(goal, 4),
    )  # fmt: skip


def _run(python: str, who: str, folder: str) -> dict[str, float]:
    environment = {**os.environ, **_QUIET}
    if who == "ours":
        environment["PYTHONPATH"] = str(Path(__file__).parents[1] / "src")
    done = subprocess.run([python, _CHECK, who, folder], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{who} failed: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _middle(found: Sequence[dict[str, float]], name: str) -> float:
    return statistics.median(each[name] for each in found)


def main(arguments: list[str]) -> int:
    """Prints the table; 1 if a goal is missed."""
    rows = int(arguments[arguments.index("--rows") + 1]) if "--rows" in arguments else 1_000_000
    rounds = int(arguments[arguments.index("--rounds") + 1]) if "--rounds" in arguments else 5
    pairs = list(run(rows, rounds=rounds, peers="--without-peers" not in arguments))
    sys.stdout.write(report(pairs) + "\n")
    return 0 if all(pair.is_met for pair in pairs) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
