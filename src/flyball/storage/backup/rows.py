"""All rows of a database as one SQLite file, read at one moment while others write; and back into either kind of database.

PostgreSQL's rows become such a file too, not a dump in its own form: so a backup can be looked into and checked with any SQLite,
does not depend on the server's version, and can be restored into either database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from flyball.errors import Conflict, Corrupt
from flyball.storage.database import Database
from flyball.storage.postgres import let_take_long
from flyball.storage.upgrades import make_tables_of, revision

Tell = Callable[[int, int], None]
"""Told how much is done, and of how much."""

_PAGES = 2_000
_ROWS = 5_000
# SQLite keeps what these hold in other tables of its own, or they say what stands beside the rows.
_NOT_ROWS = ("alembic_version",)


def copy_file(source: Path, target: Path, tell: Tell = lambda *_: None) -> None:
    """Copies a SQLite database that others write to, as it stands now.

    Raises:
        Corrupt: the file is no database, or is damaged.
    """
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30, isolation_level=None)) as here,
            closing(sqlite3.connect(target)) as there,
        ):
            # A copy in steps begins anew whenever another process has written, unless its view of the file is held.
            here.execute("BEGIN")
            here.execute("SELECT count(*) FROM sqlite_master").fetchone()
            here.backup(there, pages=_PAGES, progress=lambda _, left, total: tell(total - left, total))
            here.execute("ROLLBACK")
            there.execute("PRAGMA journal_mode=DELETE")  # one file, and nothing beside it
    except sqlite3.DatabaseError as error:
        raise Corrupt(f"{source} cannot be copied: {error}.") from error


def export_rows(database: Database, target: Path, tell: Tell = lambda *_: None) -> None:
    """Writes all rows of a PostgreSQL database, or of a schema of it, into a new SQLite file, as they stood at one moment."""
    file = Database(f"sqlite:///{target}", connections=1)
    try:
        make_tables_of(file, revision(database))
        tables = _tables(file)
    finally:
        file.close()
    at_one_moment = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with (
        database.engine.connect().execution_options(**at_one_moment) as source,
        source.begin(),
        closing(sqlite3.connect(target, isolation_level=None)) as there,
    ):
        let_take_long(source)
        for setting in ("synchronous=OFF", "foreign_keys=OFF"):
            there.execute(f"PRAGMA {setting}")
        there.execute("BEGIN")
        for place, table in enumerate(tables):
            _pull(source, there, table)
            tell(place + 1, len(tables))
        there.execute("COMMIT")
        there.execute("PRAGMA journal_mode=DELETE")


def import_rows(source: Path, database: Database, tell: Tell = lambda *_: None) -> None:
    """Writes all rows of such a file into an empty PostgreSQL database, in one transaction.

    Raises:
        Conflict: it is not empty.
    """
    file = Database(f"sqlite:///{source}", connections=1)
    try:
        wanted, tables = revision(file), _tables(file)
        if not revision(database):
            make_tables_of(database, wanted)
        with database.transaction() as connection, closing(_open(source)) as here:
            let_take_long(connection)
            _refuse_used(connection, tables)
            for place, table in enumerate(tables):
                _push(here, connection, table)
                tell(place + 1, len(tables))
            _set_sequences(connection, tables)
    finally:
        file.close()


def problems(path: Path) -> tuple[str, ...]:
    """What is wrong with a SQLite file; nothing if all is right."""
    try:
        with closing(_open(path)) as connection:
            said = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
            broken = connection.execute("PRAGMA foreign_key_check").fetchmany(1000)
    except sqlite3.DatabaseError as error:
        return (f"the file cannot be read: {error}",)
    found = [] if said == ["ok"] else said
    tables = sorted({str(row[0]) for row in broken})
    found += [
        f"{sum(row[0] == table for row in broken)} rows of {table} refer to what is not there" for table in tables
    ]
    return tuple(found)


def revision_of(path: Path) -> str:
    """The revision that the tables of a SQLite file stand at; empty where they have none."""
    with closing(_open(path)) as connection:
        named = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'").fetchone()[0]
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if named else None
    return "" if row is None else str(row[0])


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30, isolation_level=None)


def _tables(file: Database) -> list[sa.Table]:
    """The tables that a database has, those first that others refer to."""
    found = sa.MetaData()
    found.reflect(file.engine)
    return [table for table in found.sorted_tables if table.name not in _NOT_ROWS]


def _pull(source: sa.Connection, there: sqlite3.Connection, table: sa.Table) -> None:
    names = [column.name for column in table.columns]
    columns: list[sa.ColumnElement[Any]] = [sa.column(name) for name in names]
    query = sa.select(*columns).select_from(sa.table(table.name))
    rows = source.execute(query, execution_options={"yield_per": _ROWS})
    into = ", ".join(f'"{name}"' for name in names)
    insert = f'INSERT INTO "{table.name}" ({into}) VALUES ({", ".join("?" * len(names))})'  # noqa: S608  # our own names
    for part in rows.partitions(_ROWS):
        there.executemany(insert, [tuple(row) for row in part])


def _push(here: sqlite3.Connection, connection: sa.Connection, table: sa.Table) -> None:
    names = [column.name for column in table.columns]
    into = ", ".join(f'"{name}"' for name in names)
    driver: Any = connection.connection.driver_connection
    rows: Iterator[tuple[Any, ...]] = here.execute(f'SELECT {into} FROM "{table.name}"')  # noqa: S608  # our own names
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({into}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)


def _refuse_used(connection: sa.Connection, tables: list[sa.Table]) -> None:
    for table in tables:
        if connection.execute(sa.select(sa.literal(1)).select_from(sa.table(table.name)).limit(1)).first():
            raise Conflict(f"The database holds rows already, in {table.name}.", hint="Restore into an empty one.")


def _set_sequences(connection: sa.Connection, tables: list[sa.Table]) -> None:
    """Lets numbers go on after those that were written."""
    for table in tables:
        for column in table.primary_key.columns:
            sequence = connection.execute(
                sa.text("SELECT pg_get_serial_sequence(:table, :column)"),
                {"table": f'"{table.name}"', "column": column.name},
            ).scalar()
            if sequence:
                highest: sa.Select[Any] = sa.select(sa.func.max(sa.column(column.name)))
                last = connection.execute(highest.select_from(sa.table(table.name))).scalar()
                if last is not None:
                    connection.execute(sa.select(sa.func.setval(sequence, last)))
