"""Changes that are done once however often they are asked for: each has a key, and who comes again with it gets the same answer.

The key is written in the transaction of the change, and the answer with it. So after a kill or a cut network either all of it is
there, answer and all, or nothing; and who does not know which asks again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from flyball.errors import Conflict, FlyballError, InvalidInput
from flyball.serialization import digest, error_from_plain, error_to_plain, from_json, to_json
from flyball.storage._idempotency_store import keys
from flyball.storage.as_one import all_as_one
from flyball.storage.database import Database

KEPT_HOURS = 24
_LONGEST = 255
_CLEAN_EVERY = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a change answered.

    Attributes:
        body: The answer as JSON.
        is_repeated: Whether it was done before, and not now.
    """

    body: bytes
    is_repeated: bool


class _DoneMeanwhile(Exception):
    """Another request with the same key was faster."""


class Once:
    """Does changes once.

    Args:
        database: Where the changes are written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cleaned = 0.0
        self._lock = threading.Lock()

    def do(self, key: str, who: str, what: str, asked: bytes, change: Callable[[], object]) -> Answer:
        """Does a change, or gives what it answered when it was done.

        Args:
            key: The key that whoever asks has chosen; for who asks alone.
            what: The change's name.
            asked: All that it was asked with.
            change: Does it, and gives its answer.

        Raises:
            InvalidInput: the key was used for something else, or cannot be one.
            FlyballError: the change's own error, also when it is repeated.
        """
        mark = self._checked(key, what, asked)
        found = self._earlier(key, who, mark)
        if found is not None:
            return found
        try:
            return self._now(key, who, what, mark, change)
        except _DoneMeanwhile:
            found = self._earlier(key, who, mark)
            assert found is not None
            return found

    def do_untold(self, key: str, who: str, what: str, asked: bytes, change: Callable[[], object]) -> Answer:
        """As `do`, for changes whose answers are not kept, since they may hold secrets: who asks again is told that it was done.

        Raises:
            Conflict: it was done before, or is being done.
        """
        mark = self._checked(key, what, asked)
        row = {"key": key, "who": who, "verb": what[:200], "asked": mark, "at": self._database.dialect.now}
        mine = sa.and_(keys.c.who == who, keys.c.key == key)
        with self._database.transaction() as connection:
            connection.execute(sa.delete(keys).where(mine, keys.c.at <= self._oldest))
            insert = self._database.insert(keys).values(**row, answer="", error="").on_conflict_do_nothing()
            is_new = connection.execute(insert.returning(keys.c.key)).first() is not None
        if not is_new:
            raise Conflict(
                f"{what} was done already for this Idempotency-Key, or is being done; its answer is told once."
            )
        try:
            return Answer(body=to_json(change()), is_repeated=False)
        except BaseException:
            self._database.execute(sa.delete(keys).where(mine))
            raise

    def _now(self, key: str, who: str, what: str, mark: str, change: Callable[[], object]) -> Answer:
        mine = sa.and_(keys.c.who == who, keys.c.key == key)

        def first(connection: sa.Connection) -> None:
            connection.execute(sa.delete(keys).where(mine, keys.c.at <= self._oldest))
            row = {"key": key, "who": who, "verb": what[:200], "asked": mark, "at": self._database.dialect.now}
            insert = self._database.insert(keys).values(**row, answer="", error="").on_conflict_do_nothing()
            if connection.execute(insert.returning(keys.c.key)).first() is None:
                raise _DoneMeanwhile

        with all_as_one(self._database, first) as one:
            try:
                body, refused = to_json(change()), None
            except FlyballError as error:
                body, refused = to_json(error_to_plain(error)), error
            told = sa.update(keys).where(mine).values(**{"answer" if refused is None else "error": body.decode()})
            if one.is_settled:
                self._database.execute(told)
            elif one.connection is not None:
                one.connection.execute(told)
            one.end(None)
        if refused is not None:
            raise refused
        return Answer(body=body, is_repeated=False)

    def _earlier(self, key: str, who: str, mark: str) -> Answer | None:
        query = sa.select(keys).where(keys.c.who == who, keys.c.key == key, keys.c.at > self._oldest)
        row = self._database.row(query)
        if row is None:
            return None
        if row.asked != mark:
            raise InvalidInput(
                f"The Idempotency-Key '{key[:80]}' was used for another change, {row.verb}.",
                hint="Choose a new key for each change.",
            )
        if not (row.answer or row.error):
            raise Conflict(
                f"{row.verb} was begun for this Idempotency-Key and has not ended, or was broken off.",
                hint="Look at what became of it before you ask with a new key.",
            )
        if row.error:
            raise error_from_plain(from_json(row.error, dict))
        return Answer(body=row.answer.encode(), is_repeated=True)

    def _checked(self, key: str, what: str, asked: bytes) -> str:
        """What tells this change from others that the key was used for."""
        if not 0 < len(key) <= _LONGEST or not (key.isascii() and key.isprintable()):
            raise InvalidInput("An Idempotency-Key has 1 to 255 printable ASCII characters.")
        self._clean()
        return digest(what.encode() + b"\0" + asked)

    @property
    def _oldest(self) -> sa.ColumnElement[float]:
        return self._database.dialect.now - KEPT_HOURS * 3600.0

    def _clean(self) -> None:
        with self._lock:
            if time.monotonic() - self._cleaned < _CLEAN_EVERY:
                return
            self._cleaned = time.monotonic()
        self._database.execute(sa.delete(keys).where(keys.c.at <= self._oldest))
