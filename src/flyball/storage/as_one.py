"""Several transactions that become one: all that a request changes is kept together with its answer, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlalchemy as sa

    from flyball.storage.database import Database

_joined: ContextVar[AsOne | None] = ContextVar("flyball_as_one", default=None)


class AsOne:
    """One transaction for all that is written in a block, by this thread, to one database.

    It begins with the first of them, so that a block which only reads holds no lock.

    Args:
        first: What is done in it before all else.
    """

    def __init__(self, database: Database, first: Callable[[sa.Connection], None]) -> None:
        self._database = database
        self._first = first
        self._stack = ExitStack()
        self.connection: sa.Connection | None = None
        self.is_settled = False
        self._parts = 0

    @contextmanager
    def part(self, begin: Callable[[], Any]) -> Iterator[sa.Connection]:
        """One of the transactions: what fails in it undoes it alone.

        Args:
            begin: Begins the transaction of all, where this is the first.
        """
        if self.connection is None:
            self.connection = self._stack.enter_context(begin())
            self._first(self.connection)
        self._parts += 1
        try:
            with self.connection.begin_nested():
                yield self.connection
        finally:
            self._parts -= 1

    def settle(self) -> None:
        """Commits what was written so far; what follows is in transactions of its own again.

        For what cannot be undone: bytes may only be removed once it is durable that nothing names them.
        """
        if self._parts:  # in the midst of a transaction nothing can be durable
            return
        self.is_settled = True
        self.connection = None
        self.end(None)

    def end(self, error: BaseException | None) -> None:
        """Commits what was written; with an error, undoes it."""
        token = _joined.set(None)
        try:
            if error is None:
                self._stack.close()
            else:
                self._stack.__exit__(type(error), error, error.__traceback__)
        finally:
            _joined.reset(token)


def joined(database: Database) -> AsOne | None:
    """The transaction that all that is written to this database here and now belongs to."""
    found = _joined.get()
    return found if found is not None and not found.is_settled and found._database is database else None


def settle() -> None:
    """Makes durable what this request has changed so far, before something is done that cannot be undone."""
    found = _joined.get()
    if found is not None and not found.is_settled:
        found.settle()


@contextmanager
def all_as_one(database: Database, first: Callable[[sa.Connection], None]) -> Iterator[AsOne]:
    """Within the block all transactions are parts of one; the block ends it with `end`, or it is undone."""
    made = AsOne(database, first)
    token = _joined.set(made)
    try:
        yield made
    except BaseException as error:
        made.end(error)
        raise
    finally:
        _joined.reset(token)
