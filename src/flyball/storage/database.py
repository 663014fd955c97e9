"""The metadata database: transactions and leases, the same on SQLite and PostgreSQL.

Rooms write portable SQLAlchemy Core; what differs between databases stands in `sqlite.py` and `postgres.py`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import sqlalchemy as sa

from flyball.errors import Conflict, InvalidInput, LeaseLost
from flyball.storage.as_one import joined
from flyball.storage.database_trouble import is_broken, of_database
from flyball.storage.tables import metadata
from flyball.storage.trouble import Reserve, freeing

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("holder", sa.String(200), nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.Float(53), nullable=False),
)


class Dialect(Protocol):
    """What one kind of database does in its own way."""

    name: str
    now: sa.ColumnElement[float]
    """The database's own clock, in seconds since 1970."""
    begin: str
    """What begins a transaction that may write; empty where the driver begins one with the first statement."""

    def engine(self, url: sa.URL, connections: int) -> sa.Engine:
        """An engine with the settings that keep what was acknowledged; keeps so many connections open."""
        ...

    def insert(self, table: sa.Table) -> Any:
        """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
        ...

    def writes(self, connection: sa.Connection, *, at_begin: bool = False) -> int:
        """A number that is another one after the transaction has written something.

        Args:
            at_begin: Whether the transaction has just begun, and so has written nothing.
        """
        ...


Guard = Callable[[str, dict[str, Any]], None]
"""Is asked before a change that rules of rooms above may forbid, by its name and what it is about; raises to refuse it."""


class Audit(Protocol):
    """What is told of each transaction, to write down who did what in it."""

    def begin(self, connection: sa.Connection) -> Any:
        """Begins to listen to a transaction."""
        ...

    def end(self, connection: sa.Connection, trail: Any) -> None:
        """Writes down what happened in it, as the last thing in it."""
        ...

    def after(self, trail: Any) -> None:
        """Is told that it is durable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to do one thing alone for a while.

    Attributes:
        token: Fencing token: grows with every new holder, so a late write of a former one is told apart.
    """

    name: str
    holder: str
    token: int


class HeldConnection:
    """A connection that one thread keeps, and writes on again and again in transactions of the driver's own.

    What SQLAlchemy does around a transaction and a statement costs several times what it costs to write a row. After an
    error, close it and take another.

    Attributes:
        connection: For statements that SQLAlchemy runs in the same transaction.
    """

    def __init__(self, database: Database) -> None:
        self.connection = database.engine.connect().execution_options(flyball_writes="held")
        self._driver: Any = self.connection.connection.driver_connection
        self._begin = database.dialect.begin
        self._error: type[Exception] = database.engine.dialect.loaded_dbapi.Error
        self._audit = database.audit
        self._trail: Any = None

    def begin(self) -> None:
        """Begins a transaction that may write."""
        if self._begin:
            try:
                self._driver.execute(self._begin)
            except self._error as error:
                raise self._wrapped(error) from error
        if self._audit is not None:
            self._trail = self._audit.begin(self.connection)

    def commit(self) -> None:
        """Ends the transaction; what it wrote is kept."""
        trail, self._trail = self._trail, None
        try:
            if self._audit is not None and trail is not None:
                self._audit.end(self.connection, trail)
            self._driver.commit()
        except self._error as error:
            raise self._wrapped(error) from error
        if self._audit is not None and trail is not None:
            self._audit.after(trail)

    def close(self) -> None:
        """Gives the connection back; what was not committed is undone."""
        self.connection.close()

    def _wrapped(self, error: Exception) -> BaseException:
        return sa.exc.DBAPIError.instance(None, None, error, self._error, dialect=self.connection.dialect)


class Database:
    """One metadata database.

    Args:
        url: SQLAlchemy's address of it. `?schema=NAME` stands for that schema of a PostgreSQL database, and for nothing else in it.
        connections: How many connections stay open; up to four times as many where more is to be done at once.

    Attributes:
        frozen: Why nothing may be written; empty where it may.
        reserve: The part of the disk that stays free; None where the database is on another machine's.
    """

    def __init__(self, url: str, *, connections: int = 8) -> None:
        try:
            parsed = sa.make_url(url)
        except (sa.exc.ArgumentError, ValueError):
            raise InvalidInput(
                f"'{_without_password(url)}' is no database address.",
                hint="Write it as sqlite:///path/flyball.db or postgresql://user@host/name.",
            ) from None  # the cause's message holds the password
        self.dialect = _dialect(parsed)
        self.url = parsed
        self.engine = self.dialect.engine(parsed, connections)
        self.frozen = ""
        self.reserve: Reserve | None = None
        self.audit: Audit | None = None  # whoever wires a workspace says where its changes are written down
        self.guard: Guard | None = None
        self._here = threading.local()
        self._driver_error: type[Exception] = self.engine.dialect.loaded_dbapi.Error

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A transaction that may write: all of it becomes visible at the end, or none.

        Raises:
            InvalidInput: a value cannot be kept.
            Conflict: nothing may be written.
            NoSpace: the disk is full, or nearly.
            StorageFailed: the disk is read-only, or fails.
            ServerUnreachable: the database server does not answer.
        """
        one = joined(self)
        with _unkeepable_refused(), self._trouble_told():
            if one is not None:
                with one.part(self._begun) as connection:
                    yield connection
                return
            with self._begun() as connection:
                yield connection

    @contextmanager
    def _begun(self) -> Iterator[sa.Connection]:
        self._refuse_writes()
        connected = self.engine.connect().execution_options(flyball_writes=True)
        trail: Any = None
        with connected as connection, connection.begin():
            if self.audit is not None:
                trail = self.audit.begin(connection)
            self._here.writing = connection
            try:
                yield connection
            finally:
                self._here.writing = None
            if self.audit is not None and trail is not None:
                self.audit.end(connection, trail)
        if self.audit is not None and trail is not None:
            self.audit.after(trail)

    def writing(self) -> sa.Connection | None:
        """The transaction that this thread is in, if it is one that may write: a second one would wait for it for ever."""
        found: sa.Connection | None = getattr(self._here, "writing", None)
        return found

    def ask(self, change: str, /, **about: Any) -> None:
        """Asks whether a change may be made, before its transaction begins.

        Args:
            change: `<room>.<what is about to be done>`.
            about: What it is about.

        Raises:
            PermissionDenied: a rule speaks against it.
        """
        if self.guard is not None:
            self.guard(change, about)

    def held(self) -> HeldConnection:
        """A connection for one thread that writes again and again."""
        self._refuse_writes()
        return HeldConnection(self)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that only reads."""
        one = joined(self)
        if one is not None and one.connection is not None:  # it must see what was written just before
            with _unkeepable_refused(), self._trouble_told(), one.connection.begin_nested():
                yield one.connection
            return
        with _unkeepable_refused(), self._trouble_told(), self.engine.connect() as connection, connection.begin():
            yield connection

    def rows(self, statement: sa.Executable) -> list[sa.Row[Any]]:
        """All rows of one SELECT."""
        with self.reading() as connection:
            return list(connection.execute(statement).all())

    def row(self, statement: sa.Executable) -> sa.Row[Any] | None:
        """The first row of one SELECT; None if there is none."""
        with self.reading() as connection:
            return connection.execute(statement).first()

    def driver_row(self, statement: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """The first row of a SELECT in the driver's own words: what SQLAlchemy does around one takes five times as long.

        Raises:
            InvalidInput: a value is none that the database could keep.
        """
        with (
            _unkeepable_refused(),
            self._trouble_told(),
            closing(self.engine.raw_connection()) as connection,
        ):  # which ends what a driver has begun
            try:
                driver: Any = connection.driver_connection
                found: tuple[Any, ...] | None = driver.execute(statement, values).fetchone()
            except self._driver_error as error:
                raise sa.exc.DBAPIError.instance(
                    statement, (), error, self._driver_error, dialect=self.engine.dialect
                ) from error
        return found

    def execute(self, statement: sa.Executable, rows: Sequence[Mapping[str, Any]] | None = None) -> int:
        """Runs one statement in a transaction of its own; gives the number of rows it touched."""
        with self.transaction() as connection:
            # Without the option PostgreSQL does not count what goes in batches.
            return connection.execute(statement, rows, execution_options={"preserve_rowcount": True}).rowcount

    def insert(self, table: sa.Table) -> Any:
        """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
        return self.dialect.insert(table)

    def lease(self, name: str, holder: str, ttl: timedelta) -> Lease | None:
        """Takes or renews a lease by the database's clock; None while another holder has it."""
        now, seconds = self.dialect.now, ttl.total_seconds()
        with freeing(), self.transaction() as connection:
            taken = self.insert(leases).values(name=name, holder=holder, token=1, expires=now + seconds)
            taken = taken.on_conflict_do_update(
                index_elements=["name"],
                set_={
                    "holder": holder,
                    "expires": now + seconds,
                    "token": sa.case((leases.c.holder == holder, leases.c.token), else_=leases.c.token + 1),
                },
                where=sa.or_(leases.c.holder == holder, leases.c.expires < now),
            )
            connection.execute(taken)
            row = connection.execute(sa.select(leases).where(leases.c.name == name)).one()
        return Lease(name=name, holder=holder, token=row.token) if row.holder == holder else None

    def release(self, lease: Lease) -> None:
        """Gives a lease back; nothing happens if it was lost already."""
        mine = sa.and_(leases.c.name == lease.name, leases.c.token == lease.token, leases.c.holder == lease.holder)
        self.execute(sa.update(leases).where(mine).values(expires=0.0, holder=""))

    def fence(self, connection: sa.Connection, lease: Lease) -> None:
        """Makes sure, inside the writing transaction, that the lease is still ours.

        Raises:
            LeaseLost: someone else has taken it since.
        """
        query = sa.select(leases.c.token).where(leases.c.name == lease.name, leases.c.holder == lease.holder)
        if self.dialect.name == "postgresql":
            query = query.with_for_update()
        if connection.execute(query).scalar() != lease.token:
            raise LeaseLost(f"'{lease.holder}' no longer holds the lease '{lease.name}'.", lease=lease.name)

    def close(self) -> None:
        """Closes every connection."""
        self.engine.dispose()

    def _refuse_writes(self) -> None:
        if self.frozen:
            raise Conflict(self.frozen)
        if self.reserve is not None:
            self.reserve.check()

    @contextmanager
    def _trouble_told(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            told = of_database(error)
            if told is None:
                raise
            if is_broken(told):
                # After a failed sync nobody knows what the disk holds: what comes next reads it anew.
                self.engine.dispose()
            raise told from error


def plain_rows(connection: sa.Connection, statement: sa.Select[Any]) -> list[tuple[Any, ...]]:
    """All rows of a SELECT as the driver gives them, untouched by the types of the columns: a moment is a number."""
    cursor = connection.execute(statement).cursor
    assert cursor is not None
    return list(cursor.fetchall())


@contextmanager
def _unkeepable_refused() -> Iterator[None]:
    """Tells a value that no column can hold (too large a number, too long a text, half a character) as what it is: bad input."""
    try:
        yield
    except sa.exc.DataError as error:
        said = str(error.orig).partition("\n")[0]
        raise InvalidInput(f"The database cannot keep a value: {said}.") from error
    except OverflowError as error:
        if "SQLite" not in str(error):
            raise
        raise InvalidInput("The database cannot keep a value: integer out of range.") from error
    except UnicodeEncodeError as error:
        raise InvalidInput("The database cannot keep a text that holds half a character.") from error


def _dialect(url: sa.URL) -> Dialect:
    backend = url.get_backend_name()
    if backend == "sqlite":
        from flyball.storage.sqlite import Sqlite

        return Sqlite()
    if backend == "postgresql":
        from flyball.storage.postgres import Postgres

        return Postgres()
    raise InvalidInput(f"'{backend}' is not a database Flyball keeps its rows in.", hint="Use sqlite or postgresql.")


def _without_password(url: str) -> str:
    return re.sub(r"://([^:/@]*):[^@]*@", r"://\1:***@", url)
