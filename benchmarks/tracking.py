"""One log call, until it is durable in the database."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.pairs import Pair, compare
from flyball.settings import load_settings
from flyball.tracking.runs import MetricPoint
from flyball.workspace import Workspace

_CALLS = 100


def run() -> Iterator[Pair]:
    """A hundred log calls of one metric each, against as many durable inserts with the bare driver."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Workspace(load_settings({"workspace": folder}, environment={})) as here,
    ):
        run_id = here.tracking.create_run("benchmark").id
        bare = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        bare.execute("PRAGMA journal_mode=WAL")
        bare.execute("PRAGMA synchronous=FULL")
        bare.execute("CREATE TABLE points (run TEXT, key TEXT, step INTEGER, at INTEGER, value REAL)")
        now = datetime(2026, 1, 1, tzinfo=UTC)
        steps = iter(range(10**9))

        def ours() -> None:
            for _ in range(_CALLS):
                here.tracking.log(run_id, metrics=[MetricPoint(key="loss", value=0.5, step=next(steps), at=now)])

        def limit() -> None:
            for _ in range(_CALLS):
                bare.execute("INSERT INTO points VALUES (?, ?, ?, ?, ?)", (run_id, "loss", next(steps), 0, 0.5))

        yield compare(f"{_CALLS} log calls", ours, limit, against="bare SQLite inserts, synced in full")
        bare.close()
