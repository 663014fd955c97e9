"""Databases with every room's tables, and the services that all rooms are made with.

The tables are made once in a template; a test gets a copy of it, which costs a few milliseconds.
"""

from __future__ import annotations

import contextlib
import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

import flyball
from flyball.clock import FixedClock
from flyball.settings import load_settings
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs
from flyball.storage.tables import metadata
from flyball.storage.upgrades import HEAD
from flyball.workspace import Workspace

if TYPE_CHECKING:  # pytest prepares the module of a plug-in itself, and cannot once it is imported
    from tests.servers.postgres import PostgresServer


ON_BOTH = pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
"""For tests of a folder that stays on SQLite where nothing else is said."""


def import_all_tables() -> None:
    """Imports what defines tables: every room's `_store` (and `_*_store`) and the storage room itself."""
    root = Path(flyball.__file__).parent
    for path in sorted([*root.glob("**/_*store.py"), root / "storage/event_log.py", root / "storage/virtual_clock.py"]):
        # A room that cannot be imported fails its own tests, not everybody's.
        with contextlib.suppress(ImportError, SyntaxError):
            importlib.import_module(".".join(["flyball", *path.relative_to(root).with_suffix("").parts]))


def make_tables(url: str) -> None:
    """Makes every table in an empty database, and says that it is this release's."""
    import_all_tables()
    database = Database(url)
    metadata.create_all(database.engine)
    with database.transaction() as connection:
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
    database.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with every table."""
    path = tmp_path_factory.mktemp("template") / "flyball.db"
    make_tables(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of a SQLite database of its own for this test, with every table."""
    path = tmp_path / ".flyball" / "flyball.db"
    path.parent.mkdir()
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """The name of a PostgreSQL database with every table."""
    name = postgres_server.create_database()
    make_tables(postgres_server.url(name))
    return name


class EmptyDatabases:
    """PostgreSQL databases with every table and no row. One that a test gives back is emptied, not made anew."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server = server
        self._template = template
        self._empty: list[psycopg.Connection] = []

    def take(self) -> psycopg.Connection:
        """A connection to one; nobody else has it."""
        if self._empty:
            return self._empty.pop()
        name = self._server.create_database(template=self._template)
        return psycopg.connect(self._server.url(name).replace("+psycopg", ""), autocommit=True)

    def give_back(self, connection: psycopg.Connection) -> None:
        """Takes one back; what a test has left of it beside rows is thrown away with it."""
        try:
            self._make_empty(connection)
        except psycopg.Error:
            name = connection.info.dbname
            connection.close()
            self._server.drop_database(name)
        else:
            self._empty.append(connection)

    def close(self) -> None:
        """Lets go of all that were given back; they end with the server."""
        for connection in self._empty:
            connection.close()

    def _make_empty(self, connection: psycopg.Connection) -> None:
        connection.execute("SET lock_timeout = '500ms'; SET session_replication_role = replica")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        for (schema,) in connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'flyball\\_%'"
        ).fetchall():
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE'.encode())  # of a project
        tables = [name for name in _tables(connection) if name != "alembic_version"]
        if tables != sorted(table.name for table in metadata.sorted_tables):
            raise psycopg.DataError("a test has changed the tables")
        looks = " UNION ALL ".join(f"(SELECT '{name}' FROM \"{name}\" LIMIT 1)" for name in tables)
        used = [row[0] for row in connection.execute(looks.encode())]
        sequences = [row[0] for row in connection.execute("SELECT sequencename FROM pg_sequences WHERE last_value > 0")]
        words = [f'DELETE FROM "{name}"' for name in used] + [f'ALTER SEQUENCE "{name}" RESTART' for name in sequences]
        words.append(f"UPDATE alembic_version SET version_num = '{HEAD}' WHERE version_num <> '{HEAD}'")
        connection.execute("; ".join(words).encode())


def _tables(connection: psycopg.Connection) -> list[str]:
    rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
    return sorted(row[0] for row in rows)


@pytest.fixture(scope="session")
def empty_databases(postgres_server: PostgresServer, postgres_template: str) -> Iterator[EmptyDatabases]:
    """PostgreSQL databases with every table and no row."""
    made = EmptyDatabases(postgres_server, postgres_template)
    yield made
    made.close()


@pytest.fixture
def postgres_tables_url(postgres_server: PostgresServer, empty_databases: EmptyDatabases) -> Iterator[str]:
    """The address of a PostgreSQL database of its own for this test, with every table."""
    connection = empty_databases.take()
    yield postgres_server.url(connection.info.dbname)
    empty_databases.give_back(connection)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a database with every table, once of each kind."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_tables_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with every table, once of each kind."""
    made = Database(database_url)
    if made.dialect.name == "sqlite":
        sa.event.listen(made.engine, "connect", _need_not_survive_a_power_cut)
    yield made
    made.close()


@pytest.fixture
def workspace(database_url: str, tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace, on a database of each kind."""
    settings = load_settings({"database": database_url}, environment={}, start=tmp_path)
    with Workspace(settings, durable=False) as made:
        yield made


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands still."""
    return FixedClock()


@pytest.fixture
def store(tmp_path: Path) -> LocalObjects:
    """An empty object store."""
    return LocalObjects(tmp_path / "objects", durable=False)


@pytest.fixture
def blobs(store: LocalObjects) -> Blobs:
    """Content-addressed bytes, none yet."""
    return Blobs(store)


@pytest.fixture
def events(database: Database, clock: FixedClock) -> EventLog:
    """The event log of the database."""
    return EventLog(database, clock)


def _need_not_survive_a_power_cut(connection: Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")
