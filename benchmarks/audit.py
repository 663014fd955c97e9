"""What the audit log costs: durable ingest and changes with it, against the same without it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import wait
from itertools import count, islice
from pathlib import Path

from benchmarks.pairs import Pair, compare
from flyball.settings import load_settings
from flyball.tracking.ingest import Batch
from flyball.workspace import Workspace

_BATCHES = 40
_POINTS = 1_000
_CHANGES = 200
_NOW = 1_767_225_600_000_000


def run() -> Iterator[Pair]:
    """Points in batches of a thousand, each durable before it is acknowledged, and changes one after the other."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _open(Path(folder) / "with") as audited,
        _open(Path(folder) / "without") as bare,
    ):
        bare.database.audit = None
        ours, theirs = _Side(audited), _Side(bare)
        points = f"{_BATCHES * _POINTS:,} metric rows, durable, with the audit log"
        yield compare(points, ours.log, theirs.log, against="the same without")
        yield compare(f"{_CHANGES} changes with the audit log", ours.change, theirs.change, against="the same without")
        assert audited.audit.verify().is_whole


def _open(folder: Path) -> Workspace:
    return Workspace(load_settings({"workspace": str(folder)}, environment={}))


class _Side:
    def __init__(self, here: Workspace) -> None:
        self._here = here
        self._run = here.tracking.create_run("benchmark").id
        self._steps = count()

    def log(self) -> None:
        wait([self._here.ingest.submit(self._batch()) for _ in range(_BATCHES)])

    def change(self) -> None:
        for number in range(_CHANGES):
            self._here.experiments.set_tags("benchmark", {"a": str(number)})

    def _batch(self) -> Batch:
        found: list[tuple[str, float | None, int, int]] = [
            ("loss", 0.5, step, _NOW + step * 1000) for step in islice(self._steps, _POINTS)
        ]
        return Batch(run=self._run, points=found)
