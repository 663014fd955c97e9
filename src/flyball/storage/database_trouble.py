"""What can befall a database's disk or server, told as what it is and how it is mended."""

from __future__ import annotations

import sqlite3

import sqlalchemy as sa

from flyball.errors import FlyballError, NoSpace, Overloaded, ServerUnreachable, StorageFailed
from flyball.storage.trouble import FREE_UP

_PRIMARY = 0xFF  # the rest of SQLite's codes says more than is needed here
_SEE = "Look into the system's log, then run `flyball doctor`."


def of_database(error: sa.exc.DBAPIError) -> FlyballError | None:
    """A failure of the database's disk or server as our own error; None if it is none."""
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return _of_sqlite(cause)
    state = getattr(cause, "sqlstate", None) or ""
    if state == "53100":
        return NoSpace("The disk of the database server is full.", hint="Free some there.")
    if state in ("25006", "58030"):
        said = str(cause).partition("\n")[0]
        return StorageFailed(f"The database cannot write: {said}.", hint="Look into the database server's log.")
    if error.connection_invalidated or state.startswith(("57P0", "08")) or state == "53300":
        return ServerUnreachable(
            "The database server does not answer.", hint="What was asked for is not done; try again."
        )
    return None


def is_broken(error: FlyballError) -> bool:
    """Whether connections are to be opened anew after it."""
    return isinstance(error, StorageFailed | ServerUnreachable) and not isinstance(error, NoSpace)


def _of_sqlite(cause: sqlite3.Error) -> FlyballError | None:
    code = getattr(cause, "sqlite_errorcode", 0) & _PRIMARY
    if code == sqlite3.SQLITE_FULL:
        return NoSpace("The disk is full: nothing was written.", hint=FREE_UP)
    if code == sqlite3.SQLITE_READONLY:
        return StorageFailed(
            "The database cannot be written to: it is read-only.", hint="Mount its disk for writing again."
        )
    if code == sqlite3.SQLITE_BUSY:
        return Overloaded("The database was busy for half a minute.", hint="Try again in a moment.")
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
        return StorageFailed(f"The database's disk failed: {cause}.", hint=_SEE)
    return None
