"""The statements by which what runs log is written, compiled once: to build one by SQLAlchemy costs more than to run it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from flyball.storage.database import Database
from flyball.tracking import _store

Rows = list[tuple[Any, ...]]
_INSERTED = ("points", "chunks", "sheets", "latest", "params", "tags", "artifacts")


class Statements:
    """SQL that is compiled once for a database, and run on tuples."""

    def __init__(self, database: Database) -> None:
        self._texts = _texts(database.dialect.name)
        self._in_columns = database.dialect.name == "postgresql"
        self._error: type[Exception] = database.engine.dialect.loaded_dbapi.Error

    def run(self, connection: sa.Connection, name: str, rows: Rows) -> None:
        """Runs a statement for every row."""
        if not rows:
            return
        # By the driver's own connection: what SQLAlchemy does around a statement costs ten times the statement.
        driver: Any = connection.connection.driver_connection
        try:
            if self._in_columns and name in _INSERTED:
                # One statement for all rows: a round trip for each would cost more than all else.
                driver.execute(self._texts[name], [list(column) for column in zip(*rows, strict=True)])
            elif len(rows) == 1:
                driver.execute(self._texts[name], rows[0])
            else:
                driver.cursor().executemany(self._texts[name], rows)
        except self._error as error:
            raise self._wrapped(connection, name, error) from error

    def row(self, connection: sa.Connection, name: str, values: tuple[Any, ...]) -> Any:
        """The first row of a statement that selects."""
        driver: Any = connection.connection.driver_connection
        try:
            return driver.execute(self._texts[name], values).fetchone()
        except self._error as error:
            raise self._wrapped(connection, name, error) from error

    def _wrapped(self, connection: sa.Connection, name: str, error: Exception) -> BaseException:
        return sa.exc.DBAPIError.instance(self._texts[name], (), error, self._error, dialect=connection.dialect)


def statement_text(database: Database, name: str) -> str:
    """A statement in the words of the database's driver."""
    return _texts(database.dialect.name)[name]


@lru_cache(maxsize=4)
def _texts(name: str) -> dict[str, str]:
    """The statements of one kind of database, with places for values where its driver wants them."""
    dialect: sa.Dialect
    if name == "postgresql":
        from sqlalchemy.dialects import postgresql

        dialect = postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call]  # SQLAlchemy gives no types here
        from flyball.storage.postgres import Postgres as Kind
    else:
        from sqlalchemy.dialects import sqlite

        dialect = sqlite.dialect(paramstyle="qmark")
        from flyball.storage.sqlite import Sqlite as Kind  # type: ignore[assignment]  # one of the two
    kind = Kind()
    now: sa.ColumnElement[float] = sa.literal_column(_text(kind.now, dialect))
    runs, params, artifacts = _store.runs, _store.params, _store.artifacts
    # SQLite's order of texts is that of bytes; PostgreSQL sorts as its language does.
    named = sa.collate(artifacts.c.name, "C") if name == "postgresql" else artifacts.c.name
    mine = runs.c.number == sa.bindparam("run")
    wanted = sa.select(runs.c.number, runs.c.state, runs.c.deleted, now - runs.c.heartbeat)
    statements: dict[str, Any] = {
        "run": wanted.where(runs.c.id == sa.bindparam("id")).with_for_update(),
        "beat": sa.update(runs).where(mine).values(heartbeat=now),
        "found": sa.update(runs)
        .where(mine)
        .values(heartbeat=now, state=sa.literal_column("'running'"), ended=sa.null()),
        "param": sa.select(params.c.key, params.c.value).where(
            params.c.run == sa.bindparam("number"), params.c.key == sa.bindparam("name")
        ),
        "artifact": sa.select(artifacts.c.name).where(
            artifacts.c.run == sa.bindparam("number"), artifacts.c.name == sa.bindparam("name")
        ),
        "file": sa.select(artifacts.c.digest, artifacts.c.size)
        .join(runs, runs.c.number == artifacts.c.run)
        .where(runs.c.id == sa.bindparam("id"), artifacts.c.name == sa.bindparam("name")),
        "inside": sa.select(artifacts.c.name).where(
            artifacts.c.run == sa.bindparam("number"), named > sa.bindparam("low"), named < sa.bindparam("high")
        ),
    }
    texts = {key: _text(statement, dialect) for key, statement in statements.items()}
    return texts | {key: _text(_insert(kind, key, in_columns=name == "postgresql"), dialect) for key in _INSERTED}


def _text(statement: Any, dialect: sa.Dialect) -> str:
    literally = not isinstance(statement, sa.Select | sa.UpdateBase)
    return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": literally}))


def _insert(kind: Any, name: str, *, in_columns: bool) -> Any:
    table: sa.Table = getattr(_store, name)
    columns = list(table.columns)
    insert = kind.insert(table)
    if in_columns:
        from sqlalchemy.dialects.postgresql import ARRAY

        places = [sa.func.unnest(sa.cast(sa.bindparam(one.name), ARRAY(one.type))) for one in columns]
        insert = insert.from_select([column.name for column in columns], sa.select(*places))
    if name == "tags":
        return insert.on_conflict_do_update(index_elements=["run", "key"], set_={"value": insert.excluded.value})
    if name == "artifacts":
        replaced = {column.name: insert.excluded[column.name] for column in columns[2:]}
        return insert.on_conflict_do_update(index_elements=["run", "name"], set_=replaced)
    if name != "latest":
        return insert.on_conflict_do_nothing()
    new, old = insert.excluded, table.c
    later = sa.or_(
        new.step > old.step,
        sa.and_(new.step == old.step, new.at > old.at),
        # The greater value of one moment, so that the order in which batches arrive does not count.
        sa.and_(new.step == old.step, new.at == old.at, sa.or_(old.value.is_(None), new.value > old.value)),
    )
    changed = {"step": new.step, "at": new.at, "value": new.value}
    return insert.on_conflict_do_update(index_elements=["run", "key"], set_=changed, where=later)
