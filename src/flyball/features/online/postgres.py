"""PostgreSQL: for teams that have one and want no other server. Reads take a round trip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from flyball.features.online.base import Cell, Change, KeyedCell, OnlineKind, OnlineStore, chunks, reaching
from flyball.storage.database import Database
from flyball.storage.postgres import make_schema, schema_of

_LOCK = 0x666C7962  # of our own making, for the moment in which tables are made
_TABLES = """
CREATE TABLE IF NOT EXISTS flyball_online_slots (name TEXT PRIMARY KEY, slot SERIAL UNIQUE);
CREATE TABLE IF NOT EXISTS flyball_online_cells (
    slot INTEGER NOT NULL, key BYTEA NOT NULL, time BIGINT NOT NULL, created BIGINT NOT NULL, value BYTEA NOT NULL,
    PRIMARY KEY (slot, key)
);
CREATE TABLE IF NOT EXISTS flyball_online_notes (name TEXT PRIMARY KEY, value BYTEA NOT NULL)
"""
_READ = sa.text(
    "SELECT wanted.place, time, created, value FROM unnest(CAST(:slots AS INTEGER[]), CAST(:keys AS BYTEA[]))"
    " WITH ORDINALITY AS wanted (slot, key, place) JOIN flyball_online_cells AS cells USING (slot, key)"
)
_WRITE = sa.text("""
INSERT INTO flyball_online_cells AS cells (slot, key, time, created, value)
VALUES (:slot, :key, :time, :created, :value)
ON CONFLICT (slot, key) DO UPDATE SET time = excluded.time, created = excluded.created, value = excluded.value
WHERE (excluded.time, excluded.created) >= (cells.time, cells.created)
""")
_PUT = sa.text("""
INSERT INTO flyball_online_cells (slot, key, time, created, value) VALUES (:slot, :key, :time, :created, :value)
ON CONFLICT (slot, key) DO UPDATE SET time = excluded.time, created = excluded.created, value = excluded.value
""")
_LOCK_KEY = sa.text("SELECT pg_advisory_xact_lock(:slot, hashtext(encode(:key, 'hex')))")
_READ_ONE = sa.text("SELECT time, created, value FROM flyball_online_cells WHERE slot = :slot AND key = :key")
_DELETE = sa.text("DELETE FROM flyball_online_cells WHERE slot = :slot AND key = :key")
_CLEAR = sa.text("DELETE FROM flyball_online_cells WHERE slot = :slot")
_AT_ONCE = 2_000


class PostgresStore:
    """Cells in one table."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._what = f"at {self._database.url.host or 'localhost'}/{self._database.url.database}"
        with self._reached(), self._database.transaction() as connection:
            # Made by two at the same time, a table would be one's and an error for the other.
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            schema = schema_of(self._database.url)
            if schema:
                make_schema(connection, schema)
            for statement in _TABLES.split(";\n"):
                connection.execute(sa.text(statement))

    def slot(self, name: str) -> int:
        """The number of a slot, made if there is none."""
        found = self.find(name)
        if found is None:
            made = sa.text("INSERT INTO flyball_online_slots (name) VALUES (:name) ON CONFLICT DO NOTHING")
            self._execute(made, {"name": name})
            found = self.find(name)
        assert found is not None
        return found

    def find(self, name: str) -> int | None:
        """The number of a slot; None if there is none."""
        query = sa.text("SELECT slot FROM flyball_online_slots WHERE name = :name")
        rows = self._rows(query, {"name": name})
        return int(rows[0][0]) if rows else None

    def drop(self, name: str) -> None:
        """Removes a slot and its cells."""
        former = self.find(name)
        with self._reached(), self._database.transaction() as connection:
            connection.execute(sa.text("DELETE FROM flyball_online_slots WHERE name = :name"), {"name": name})
            connection.execute(_CLEAR, {"slot": former})

    def read(self, wanted: Sequence[tuple[int, bytes]]) -> list[Cell | None]:
        """The cells, in order, in one round trip."""
        found: list[Cell | None] = [None] * len(wanted)
        if wanted:
            given = {"slots": [slot for slot, _ in wanted], "keys": [key for _, key in wanted]}
            for row in self._rows(_READ, given):
                found[row.place - 1] = Cell(row.time, row.created, bytes(row.value))
        return found

    def write(self, slot: int, cells: Sequence[KeyedCell]) -> int:
        """Writes what is not older."""
        written = 0
        for part in chunks(cells, _AT_ONCE):
            # In one order, so that two writers wait for each other and never in a circle.
            rows = [{"slot": slot, **cell._asdict()} for cell in sorted(part, key=lambda cell: cell.key)]
            with self._reached(), self._database.transaction() as connection:
                done = connection.execute(_WRITE, rows, execution_options={"preserve_rowcount": True})
                written += done.rowcount
        return written

    def fold(self, slot: int, changes: Sequence[tuple[bytes, Change]]) -> None:
        """Changes cells in one transaction, each locked before it is read."""
        with self._reached(), self._database.transaction() as connection:
            for key, change in sorted(changes, key=lambda item: item[0]):
                place = {"slot": slot, "key": key}
                connection.execute(_LOCK_KEY, place)
                row = connection.execute(_READ_ONE, place).first()
                made = change(None if row is None else Cell(row.time, row.created, bytes(row.value)))
                if made is None:
                    connection.execute(_DELETE, place)
                else:
                    connection.execute(_PUT, {**place, **made._asdict()})

    def delete(self, slot: int, keys: Sequence[bytes]) -> int:
        """Removes cells."""
        query = sa.text("DELETE FROM flyball_online_cells WHERE slot = :slot AND key = ANY(CAST(:keys AS BYTEA[]))")
        return self._execute(query, {"slot": slot, "keys": list(keys)})

    def scan(self, slot: int, limit: int) -> list[KeyedCell]:
        """Some cells of a slot."""
        query = sa.text("SELECT key, time, created, value FROM flyball_online_cells WHERE slot = :slot LIMIT :most")
        rows = self._rows(query, {"slot": slot, "most": limit})
        return [KeyedCell(bytes(row.key), row.time, row.created, bytes(row.value)) for row in rows]

    def note(self, name: str) -> bytes:
        """A note."""
        rows = self._rows(sa.text("SELECT value FROM flyball_online_notes WHERE name = :name"), {"name": name})
        return bytes(rows[0][0]) if rows else b""

    def set_note(self, name: str, value: bytes) -> None:
        """Keeps a note."""
        query = sa.text(
            "INSERT INTO flyball_online_notes VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        )
        self._execute(query, {"name": name, "value": value})

    def close(self) -> None:
        """Closes the connections."""
        self._database.close()

    def _rows(self, query: sa.TextClause, given: dict[str, Any]) -> list[sa.Row[Any]]:
        with self._reached(), self._database.reading() as connection:
            return list(connection.execute(query, given).all())

    def _execute(self, query: sa.TextClause, given: dict[str, Any]) -> int:
        with self._reached(), self._database.transaction() as connection:
            return connection.execute(query, given).rowcount

    def _reached(self) -> Any:
        return reaching(self._what, sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)


class Postgres:
    """Databases of PostgreSQL."""

    schemes: tuple[str, ...] = ("postgresql",)

    def open(self, url: str) -> OnlineStore:
        """The database of `postgresql://user@host/name`."""
        return PostgresStore(url)


plugin: OnlineKind = Postgres()
