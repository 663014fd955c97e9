"""What the server's writer takes for what runs log, apart from HTTP."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, wait
from itertools import count, islice
from pathlib import Path

from benchmarks.pairs import Pair, compare
from flyball.settings import load_settings
from flyball.tracking.ingest import Batch
from flyball.workspace import Workspace

_CALLS = 200
_GATHERED = 2_000
_POINTS = 1_000
_NOW = 1_767_225_600_000_000


def run() -> Iterator[Pair]:
    """Points one by one, many at the same time and in batches, against bare durable inserts of the same points."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Workspace(load_settings({"workspace": folder}, environment={})) as here,
    ):
        ours, bare = _Ours(here), _Bare(Path(folder) / "bare.db")
        floor = "bare SQLite inserts, synced in full"
        yield compare(f"{_CALLS} points, one after the other", ours.one_by_one, bare.one_by_one, against=floor)
        yield compare(
            f"{_GATHERED:,} points at the same time", ours.at_once, bare.at_once, against=f"{floor}, in one go"
        )
        yield compare(f"10 batches of {_POINTS:,} points", ours.many, bare.many, against=f"{floor}, in as many goes")
        bare.close()


class _Ours:
    def __init__(self, here: Workspace) -> None:
        self._ingest = here.ingest
        self._run = here.tracking.create_run("benchmark").id
        self._steps = count()

    def one_by_one(self) -> None:
        for _ in range(_CALLS):
            self._submit("loss", 1).result()

    def at_once(self) -> None:
        wait([self._submit("gathered", 1) for _ in range(_GATHERED)])

    def many(self) -> None:
        for _ in range(10):
            self._submit("many", _POINTS).result()

    def _submit(self, key: str, points: int) -> Future[None]:
        found: list[tuple[str, float | None, int, int]] = [
            (key, 0.5, step, _NOW + step * 1000) for step in islice(self._steps, points)
        ]
        return self._ingest.submit(Batch(run=self._run, points=found))


class _Bare:
    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE points (run TEXT, key TEXT, step INTEGER, at INTEGER, value REAL)")
        self._steps = count()
        self.close = self._connection.close

    def one_by_one(self) -> None:
        for _ in range(_CALLS):
            self._insert("loss", 1)

    def at_once(self) -> None:
        self._connection.execute("BEGIN")
        for _ in range(_GATHERED):
            self._insert("gathered", 1)
        self._connection.execute("COMMIT")

    def many(self) -> None:
        for _ in range(10):
            self._connection.execute("BEGIN")
            self._insert("many", _POINTS)
            self._connection.execute("COMMIT")

    def _insert(self, key: str, points: int) -> None:
        rows = [("r" * 26, key, step, _NOW + step * 1000, 0.5) for step in islice(self._steps, points)]
        self._connection.executemany("INSERT INTO points VALUES (?, ?, ?, ?, ?)", rows)
