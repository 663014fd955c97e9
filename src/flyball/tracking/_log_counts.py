"""What the audit log is told of logging: who logged to which run, in counts.

A row for each point would be ten times as large as the point. So the first batch of somebody to a run is noted in its own
transaction, with all that it holds; params, tags and artifacts are noted with every batch; and points after that are counted,
and noted with what is written next once a minute has passed, or the run ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

import sqlalchemy as sa

from flyball.principals import Principal, acting
from flyball.refs import Ref
from flyball.storage.audit_chain import note
from flyball.tracking._points import Batch

EVERY = 60.0
"""Seconds after which counted points are noted with the next transaction."""

_MOST = 10_000
_Who = tuple[Principal, str]


class LogCounts:
    """Counts what is logged, and notes it in the audit log."""

    def __init__(self) -> None:
        self._counts: dict[_Who, list[float]] = {}  # when it was noted last, then batches and points since
        self._lock = threading.Lock()

    def take(self, connection: sa.Connection, batches: Iterable[tuple[Batch, Principal]]) -> None:
        """Counts what a transaction writes, and notes in it what is due."""
        now = time.monotonic()
        with self._lock:
            for batch, who in batches:
                points = _points_of(batch)
                if not (points or batch.params or batch.tags or batch.artifacts):
                    continue  # a sign of life
                key = who, batch.run
                counted = self._counts.get(key)
                if counted is None:
                    if len(self._counts) >= _MOST:
                        self._note(connection, list(self._counts))
                        self._counts.clear()
                    counted = self._counts[key] = [now, 0, 0]
                    _note(connection, key, 1, points, batch)
                elif batch.params or batch.tags or batch.artifacts:
                    _note(connection, key, 1, points, batch)
                else:
                    counted[1] += 1
                    counted[2] += points
            self._note(connection, [key for key, counted in self._counts.items() if now - counted[0] >= EVERY])

    def end(self, connection: sa.Connection, run: str = "") -> None:
        """Notes what was counted for a run, or for all, and forgets it."""
        with self._lock:
            ended = [key for key in self._counts if not run or key[1] == run]
            self._note(connection, ended)
            for key in ended:
                del self._counts[key]

    def _note(self, connection: sa.Connection, keys: Iterable[_Who]) -> None:
        for key in keys:
            counted = self._counts[key]
            if counted[1]:
                _note(connection, key, int(counted[1]), int(counted[2]), None)
            counted[:] = [time.monotonic(), 0, 0]


def by_me(batch: Batch) -> list[tuple[Batch, Principal]]:
    """A batch of who acts now."""
    return [(batch, acting())]


def _note(connection: sa.Connection, key: _Who, batches: int, points: int, batch: Batch | None) -> None:
    who, run = key
    facts: dict[str, object] = {"batches": batches, "points": points}
    if batch is not None:
        names = (
            ("params", list(batch.params)),
            ("tags", list(batch.tags)),
            ("artifacts", [a[0] for a in batch.artifacts]),
        )
        facts |= {what: [name[:100] for name in given[:20]] for what, given in names if given}
    note(connection, "tracking.logged", Ref(kind="runs", name=run), who, **facts)


def _points_of(batch: Batch) -> int:
    return len(batch.points) + sum(len(one.steps) for one in batch.series)
