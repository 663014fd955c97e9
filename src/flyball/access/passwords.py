"""Passwords: argon2id hashes of them, and brakes on those who guess.

Argon2id (RFC 9106) with 46 MiB, one pass and one lane, the first of the equally strong choices of OWASP's Password Storage Cheat
Sheet. Few are worked out at a time, or a crowd at the door would take all memory.
"""

from __future__ import annotations

import secrets
import threading
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from flyball.access._store import attempts
from flyball.clock import Clock
from flyball.errors import InvalidInput, MissingExtra, Overloaded
from flyball.storage.database import Database

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST: Final = 12
_LONGEST: Final = 1000
_AT_ONCE = threading.BoundedSemaphore(4)
_FREE: Final = {
    "account": 5,
    "address": 20,
}  # failures that cost nothing yet: people mistype, and many share an address
_LONGEST_WAIT: Final = {"account": timedelta(minutes=1), "address": timedelta(minutes=15)}
_FORGOTTEN_AFTER: Final = timedelta(hours=1)


def hash_password(password: str, account: str) -> str:
    """The hash that is kept of a password.

    Raises:
        InvalidInput: it is too short, too long, or the name of the account.
        MissingExtra: the library is not installed.
    """
    if len(password) < SHORTEST or password.casefold() == account.casefold():
        raise InvalidInput(
            "That password is too easy to guess.", hint=f"Use at least {SHORTEST} characters; a few words do well."
        )
    if len(password) > _LONGEST:
        raise InvalidInput(f"A password has at most {_LONGEST} characters.")
    with _AT_ONCE:
        return _hasher().hash(password)


def is_right(password: str, kept: str) -> bool:
    """Whether this is the password. Without a hash it takes as long and says no, so that nobody learns which accounts there are."""
    from argon2.exceptions import Argon2Error, InvalidHashError

    hasher = _hasher()
    with _AT_ONCE:
        try:
            return hasher.verify(kept or _nobodys(), password[:_LONGEST]) and bool(kept)
        except (Argon2Error, InvalidHashError):
            return False


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    try:
        from argon2 import PasswordHasher
    except ImportError as error:
        raise MissingExtra("Passwords need argon2-cffi.", hint="pip install 'flyball[login]'") from error
    return PasswordHasher(time_cost=1, memory_cost=47_104, parallelism=1)


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return _hasher().hash(secrets.token_hex())


class Brakes:
    """Makes whoever guesses wait ever longer, by account and by address."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def check(self, *keys: str) -> None:
        """Refuses who has to wait.

        Args:
            keys: `account:<name>` and `address:<ip>`.

        Raises:
            Overloaded: too many have been wrong; the fact `retry_after` says the seconds.
        """
        now = self._clock.now()
        query = sa.select(sa.func.max(attempts.c.wait_until)).where(attempts.c.key.in_(keys))
        row = self._database.row(query)
        until: datetime | None = row[0] if row else None
        if until is not None and until > now:
            seconds = max(1, round((until - now).total_seconds()))
            raise Overloaded("Too many wrong tries.", hint=f"Try again in {seconds} s.", retry_after=seconds)

    def failed(self, connection: sa.Connection, *keys: str) -> None:
        """Notes a wrong try; from some number on each doubles the wait."""
        now = self._clock.now()
        connection.execute(sa.delete(attempts).where(attempts.c.last < now - _FORGOTTEN_AFTER))
        for key in keys:
            kind = key.partition(":")[0]
            row = connection.execute(
                sa.select(attempts.c.failures).where(attempts.c.key == key).with_for_update()
            ).first()
            failures = (row.failures if row else 0) + 1
            beyond = min(failures - _FREE[kind], 20)
            wait = min(timedelta(seconds=2**beyond), _LONGEST_WAIT[kind]) if beyond >= 0 else timedelta(0)
            values = {"failures": failures, "last": now, "wait_until": now + wait}
            noted = self._database.insert(attempts).values(key=key, **values)
            connection.execute(noted.on_conflict_do_update(index_elements=["key"], set_=values))

    def succeeded(self, connection: sa.Connection, account: str) -> None:
        """Takes the brake off an account; not off an address, from which others may be guessing."""
        connection.execute(sa.delete(attempts).where(attempts.c.key == f"account:{account}"))
