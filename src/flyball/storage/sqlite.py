"""SQLite: one file, many processes."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert


class Sqlite:
    """SQLite in WAL mode, synced in full at every commit."""

    name = "sqlite"
    now: sa.ColumnElement[float] = (sa.func.julianday("now") - 2440587.5) * 86400.0
    begin = "BEGIN IMMEDIATE"

    def engine(self, url: sa.URL, connections: int) -> sa.Engine:
        """An engine on the file; makes its folder."""
        if url.database and url.database != ":memory:":
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(
            url,
            pool_size=connections,
            max_overflow=3 * connections,
            connect_args={"timeout": 30, "check_same_thread": False},
        )
        sa.event.listen(engine, "connect", _on_connect)
        sa.event.listen(engine, "begin", _on_begin)
        return engine

    def insert(self, table: sa.Table) -> Any:
        """SQLite's INSERT with ON CONFLICT."""
        return insert(table)

    def writes(self, connection: sa.Connection, *, at_begin: bool = False) -> int:
        """How many rows the connection has written in its life."""
        driver: Any = connection.connection.driver_connection
        return int(driver.total_changes)


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the module's own BEGIN comes too late and cannot be immediate
    # FULL: with NORMAL a power cut takes the last commits although they were acknowledged.
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {setting}")


def _on_begin(connection: sa.Connection) -> None:
    # A write must take the lock at once: a transaction that reads first and then writes is refused, not queued,
    # when another one wrote in between.
    writes = connection.get_execution_options().get("flyball_writes", False)
    if writes != "held":  # who holds a connection begins by himself
        connection.exec_driver_sql(Sqlite.begin if writes else "BEGIN")
