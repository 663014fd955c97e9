"""Pipelines: what a step costs cold, cached and in a process of its own; what large values cost; what the cache gets right."""

from __future__ import annotations

import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.pairs import Pair, Timing, compare, timed
from benchmarks.pipeline_edits import right_ones
from benchmarks.pipeline_project import project as small
from flyball.data.table import Table
from flyball.pipelines.code_snapshot import load_project
from flyball.pipelines.engine import run_pipeline
from flyball.pipelines.pipeline import pipeline
from flyball.pipelines.step import step
from flyball.run_services import RunServices
from flyball.settings import load_settings
from flyball.storage.local_objects import LocalObjects
from flyball.workspace import Workspace

_STEPS = 50
_APART = 10
_READERS = 48
_PROJECT = Path(__file__).parent / "pipeline_project"


@step
def make(seed: int) -> Table:
    """A table of 100 MB."""
    return Table(pa.table({"x": np.random.default_rng(seed).random(12_500_000)}))


@step(cache=False)
def read(rows: Table, place: int) -> float:
    """One pass over a table."""
    return float(rows.arrow["x"].chunk(0).to_numpy().sum()) + place


@pipeline
def fan_out(seed: int) -> Any:
    """One large table to many steps."""
    rows = make(seed)
    return [read(rows, place) for place in range(_READERS)]


def run() -> Iterator[Pair]:
    """Against the least that keeps a step's output, against the goals in seconds, and against plain Python."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Workspace(load_settings({"workspace": folder}, environment={})) as here,
    ):
        services = RunServices(workspace=here, project_root=Path(__file__).parent, source_root=Path(folder))
        yield from _small_steps(services, Path(folder))
        yield from _large_values(services)
    yield from _processes()
    yield _with_start_up()
    yield _edits()
    yield _tokens()


def _small_steps(services: RunServices, folder: Path) -> Iterator[Pair]:
    store, count = LocalObjects(folder / "limit"), iter(range(10**9))

    def cold() -> None:
        run_pipeline(small.chain, {"start": next(count) * 1000}, services=services)

    def cached() -> None:
        run_pipeline(small.chain, {"start": 0}, services=services)

    def limit() -> None:
        start = next(count)
        for place in range(_STEPS):
            store.put(f"{start}/{place}", b"1")

    run_pipeline(small.chain, {"start": 0}, services=services)
    against = f"{_STEPS} small files, each flushed to disk"
    yield compare(f"{_STEPS} steps, cold", cold, limit, against=against)
    yield compare(f"{_STEPS} steps, cached", cached, limit, against=against)
    yield _against_goal("a step, cold", _each(cold, _STEPS), 0.003)
    yield _against_goal("a step, cached", _each(cached, _STEPS), 0.001)


def _large_values(services: RunServices) -> Iterator[Pair]:
    seeds = iter(range(10**9))

    def ours() -> None:
        run_pipeline(fan_out, {"seed": next(seeds)}, services=services, use_cache=False)

    def floor() -> None:
        rows = make.function(next(seeds))
        for place in range(_READERS):
            read.function(rows, place)

    yield compare(f"100 MB to {_READERS} steps", ours, floor, against="the same in memory", goal=1.5, rounds=3)


def _processes() -> Iterator[Pair]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        shutil.copytree(_PROJECT, root, ignore=shutil.ignore_patterns("__pycache__"))
        with Workspace(load_settings({"workspace": f"{folder}/workspace"}, environment={})) as here:
            services = RunServices(workspace=here, project_root=root, source_root=root)
            chain = load_project(root, "project.py").pipelines["chain_apart"]
            starts = iter(range(0, 10**9, 1000))

            def go(steps: int) -> Timing:
                return timed(lambda: run_pipeline(chain, {"start": next(starts), "steps": steps}, services=services))

            go(1)
            # What starts the processes is there after the first step; the others tell what one more costs.
            taken = [(go(_APART + 1).wall - go(1).wall) / _APART for _ in range(3)]
            each = statistics.median(taken)
            yield _against_goal("a step in a process of its own (clock)", Timing(cpu=each, wall=each), 0.060)


def _with_start_up() -> Pair:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        shutil.copytree(_PROJECT, root, ignore=shutil.ignore_patterns("__pycache__"))
        (root / "flyball.toml").write_text("")
        command = [sys.executable, "-m", "flyball.cli", "run", "chain"]

        def go() -> None:
            subprocess.run(
                command, cwd=root, check=True, capture_output=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
            )

        go()
        return _against_goal(f"`flyball run` of {_STEPS} cached steps", _each(go, 1), 0.5)


def _edits() -> Pair:
    found = list(right_ones())
    wrong = [name for name, right in found if not right]
    if wrong:
        sys.stderr.write(f"The cache is wrong after an edit of: {', '.join(wrong)}.\n")
    right = len(found) - len(wrong)
    return Pair(
        name=f"cache right after edits: {right} of {len(found)}", ours=Timing(cpu=0, wall=0), against="all",
        theirs=Timing(cpu=0, wall=0), ratio=len(found) / max(right, 1e-9), goal=1.0,
    )  # fmt: skip


def _tokens() -> Pair:
    """The same four steps, in plain Python and as a pipeline."""
    plain, ours = (_count((Path(__file__).parent / f"four_steps/{name}.py").read_text()) for name in ("plain", "ours"))
    return Pair(
        name=f"tokens of a pipeline of four steps: {ours}", ours=Timing(cpu=0, wall=0), against=f"plain Python: {plain}",
        theirs=Timing(cpu=0, wall=0), ratio=ours / plain, goal=1.35,
    )  # fmt: skip


def _count(text: str) -> int:
    layout = (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT, tokenize.ENDMARKER)
    return sum(token.type not in layout for token in tokenize.generate_tokens(io.StringIO(text).readline))


def _each(work: Callable[[], None], times: int) -> Timing:
    taken = [timed(work) for _ in range(5)]
    return Timing(
        cpu=statistics.median(one.cpu for one in taken) / times,
        wall=statistics.median(one.wall for one in taken) / times,
    )


def _against_goal(name: str, ours: Timing, seconds: float) -> Pair:
    return Pair(
        name=name,
        ours=ours,
        theirs=Timing(cpu=seconds, wall=seconds),
        against="the goal",
        ratio=ours.cpu / seconds,
        goal=1.0,
    )
