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


@pytest.fixture(scope="session")
def used_databases() -> list[str]:
    """PostgreSQL databases of tests that have ended."""
    return []


@pytest.fixture
def postgres_tables_url(
    postgres_server: PostgresServer, postgres_template: str, used_databases: list[str]
) -> Iterator[str]:
    """The address of a PostgreSQL database of its own for this test, with every table."""
    name = postgres_server.create_database(template=postgres_template)
    yield postgres_server.url(name)
    # A test removes the database of the one before: its own still has connections that are ending, and PostgreSQL
    # waits for those in steps of 100 ms.
    while used_databases:
        postgres_server.drop_database(used_databases.pop())
    used_databases.append(name)


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
