"""SQLite: one file beside the workspace, the default. Reads take microseconds, any number of processes share it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.features.online.base import Cell, Change, KeyedCell, OnlineKind, OnlineStore, chunks, reaching
from flyball.storage.sqlite_file import SqliteError, open_file

if TYPE_CHECKING:
    import sqlite3

_TABLES = """
CREATE TABLE IF NOT EXISTS slots (slot INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS cells (
    slot INTEGER NOT NULL, key BLOB NOT NULL, time INTEGER NOT NULL, created INTEGER NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (key, slot)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value BLOB NOT NULL);
"""
# By key first: what several views know of a thing lies side by side, and is read at once.
_READ_ALL = "SELECT slot, time, created, value FROM cells WHERE key = ?"
_READ = "SELECT time, created, value FROM cells WHERE slot = ? AND key = ?"
_WRITE = """
INSERT INTO cells (slot, key, time, created, value) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key, slot) DO UPDATE
SET time = excluded.time, created = excluded.created, value = excluded.value
WHERE (excluded.time, excluded.created) >= (cells.time, cells.created)
"""
_PUT = "INSERT OR REPLACE INTO cells (slot, key, time, created, value) VALUES (?, ?, ?, ?, ?)"
_AT_ONCE = 5_000
_MOST_NAMED = 500


class SqliteStore:
    """Cells in one table; each thread has its own connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        with self._reached():
            for statement in _TABLES.split(";\n"):
                self._connection().execute(statement)

    def slot(self, name: str) -> int:
        """The number of a slot, made if there is none."""
        found = self.find(name)
        if found is not None:
            return found
        with self._reached(), self._writing() as connection:
            connection.execute("INSERT OR IGNORE INTO slots (name) VALUES (?)", (name,))
        return self.slot(name)

    def find(self, name: str) -> int | None:
        """The number of a slot; None if there is none."""
        with self._reached():
            row = self._connection().execute("SELECT slot FROM slots WHERE name = ?", (name,)).fetchone()
        return None if row is None else int(row[0])

    def drop(self, name: str) -> None:
        """Removes a slot and its cells."""
        number = self.find(name)
        with self._reached(), self._writing() as connection:
            connection.execute("DELETE FROM cells WHERE slot = ?", (number,))
            connection.execute("DELETE FROM slots WHERE name = ?", (name,))

    def read(self, wanted: Sequence[tuple[int, bytes]]) -> list[Cell | None]:
        """The cells, in order."""
        try:
            execute = self._local.connection.execute
        except AttributeError:
            with self._reached():
                execute = self._connection().execute
        try:
            if len(wanted) == 1:
                return [execute(_READ, wanted[0]).fetchone()]
            keys = {key for _, key in wanted}
            if len(keys) == 1:
                held = {cell[0]: cell[1:] for cell in execute(_READ_ALL, (keys.pop(),))}
                return [held.get(slot) for slot, _ in wanted]
            return _read_many(execute, wanted, list(keys))
        except SqliteError:
            with self._reached():
                raise

    def write(self, slot: int, cells: Sequence[KeyedCell]) -> int:
        """Writes what is not older."""
        written = 0
        for part in chunks(cells, _AT_ONCE):
            with self._reached(), self._writing() as connection:
                before = connection.total_changes
                connection.executemany(_WRITE, [(slot, *cell) for cell in part])
                written += connection.total_changes - before
        return written

    def fold(self, slot: int, changes: Sequence[tuple[bytes, Change]]) -> None:
        """Changes cells in one transaction."""
        with self._reached(), self._writing() as connection:
            for key, change in changes:
                row = connection.execute(_READ, (slot, key)).fetchone()
                made = change(None if row is None else Cell(*row))
                if made is None:
                    connection.execute("DELETE FROM cells WHERE slot = ? AND key = ?", (slot, key))
                else:
                    connection.execute(_PUT, (slot, key, *made))

    def delete(self, slot: int, keys: Sequence[bytes]) -> int:
        """Removes cells."""
        with self._reached(), self._writing() as connection:
            before = connection.total_changes
            rows = [(slot, key) for key in keys]
            connection.executemany("DELETE FROM cells WHERE slot = ? AND key = ?", rows)
            return connection.total_changes - before

    def scan(self, slot: int, limit: int) -> list[KeyedCell]:
        """Some cells of a slot."""
        query = "SELECT key, time, created, value FROM cells WHERE slot = ? LIMIT ?"
        with self._reached():
            return [KeyedCell(*row) for row in self._connection().execute(query, (slot, limit))]

    def note(self, name: str) -> bytes:
        """A note."""
        with self._reached():
            row = self._connection().execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return b"" if row is None else bytes(row[0])

    def set_note(self, name: str, value: bytes) -> None:
        """Keeps a note."""
        with self._reached():
            self._connection().execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Closes every thread's connection."""
        opened, self._opened = self._opened, []
        self._local = threading.local()
        for connection in opened:
            connection.close()

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = open_file(self._path)
            self._opened.append(found)
        return found

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")  # a transaction that read first could not wait for another writer
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _reached(self) -> Any:
        return reaching(f"at {self._path}", SqliteError, OSError)


def _read_many(execute: Any, wanted: Sequence[tuple[int, bytes]], keys: list[bytes]) -> list[Cell | None]:
    found: dict[tuple[int, bytes], Any] = {}
    for start in range(0, len(keys), _MOST_NAMED):
        part = keys[start : start + _MOST_NAMED]
        marks = ",".join("?" * len(part))
        query = f"SELECT slot, key, time, created, value FROM cells WHERE key IN ({marks})"  # noqa: S608  # marks alone
        for row in execute(query, part):
            found[row[:2]] = row[2:]
    return [found.get(place) for place in wanted]


class Sqlite:
    """Files of SQLite."""

    schemes: tuple[str, ...] = ("sqlite",)

    def open(self, url: str) -> OnlineStore:
        """The file of `sqlite:///path`."""
        return SqliteStore(Path(url.removeprefix("sqlite:///")))


plugin: OnlineKind = Sqlite()
