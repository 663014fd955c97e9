"""Notes in the audit log who has read what is protected: once an hour for each reader and thing."""

from __future__ import annotations

import threading
import time

from flyball.principals import acting
from flyball.serialization import JsonValue
from flyball.storage.audit_chain import note
from flyball.storage.database import Database

EVERY = 3600.0
_MOST = 10_000


class ProtectedReads:
    """What was read of late, so that a hundred files of one thing are one row."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[tuple[str, str, str, str], float] = {}
        self._lock = threading.Lock()

    def note(self, action: str, subject: object, /, **facts: JsonValue) -> None:
        """Notes a read, unless it was noted within the hour; before what was read is handed out.

        Args:
            action: `<room>.<what is done>`.
            subject: What is read.
            facts: Small plain values; never what was read.
        """
        if self._database.audit is None or self._database.frozen:
            return
        who, now = acting(), time.monotonic()
        key = who.name, who.token, action, str(subject)
        with self._lock:
            if now - self._seen.get(key, -EVERY) < EVERY:
                return
            if len(self._seen) >= _MOST:
                self._seen.clear()
        note_now(self._database, action, subject, **facts)
        with self._lock:
            self._seen[key] = now


def note_now(database: Database, action: str, subject: object, /, **facts: JsonValue) -> None:
    """Notes something in the transaction that this thread is in, or else in one of its own."""
    around = database.writing()
    if around is not None:
        note(around, action, subject, **facts)
        return
    with database.transaction() as connection:
        note(connection, action, subject, **facts)
