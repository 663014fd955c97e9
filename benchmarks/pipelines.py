"""A pipeline of 50 steps: cold, and again with everything in the cache."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pairs import Pair, compare
from flyball.pipelines.engine import run_pipeline
from flyball.pipelines.pipeline import pipeline
from flyball.pipelines.step import step
from flyball.server.worker import RunServices
from flyball.settings import load_settings
from flyball.storage.local_objects import LocalObjects
from flyball.workspace import Workspace

_STEPS = 50


@step
def grow(number: int) -> int:
    """One more."""
    return number + 1


@pipeline
def chain(start: int = 0) -> int:
    """Fifty steps, one after the other."""
    number = start
    for _ in range(_STEPS):
        number = grow(number)
    return number


def run() -> Iterator[Pair]:
    """Cold and cached, against writing as many small files durably: the least that keeps a step's output."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Workspace(load_settings({"workspace": folder}, environment={})) as here,
    ):
        services = RunServices(workspace=here, project_root=Path(__file__).parent, source_root=Path(folder))
        store = LocalObjects(Path(folder) / "limit")
        count = iter(range(10**9))

        def cold() -> None:
            run_pipeline(chain, {"start": next(count) * 1000}, services=services)

        def cached() -> None:
            run_pipeline(chain, {"start": 0}, services=services)

        def limit() -> None:
            start = next(count)
            for place in range(_STEPS):
                store.put(f"{start}/{place}", b"1")

        run_pipeline(chain, {"start": 0}, services=services)
        against = f"{_STEPS} small files, each flushed to disk"
        yield compare(f"{_STEPS} steps, cold", cold, limit, against=against)
        yield compare(f"{_STEPS} steps, cached", cached, limit, against=against)
