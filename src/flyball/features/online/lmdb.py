"""LMDB: a memory-mapped file, read in less than a microsecond. The fast path on one machine; one writer at a time."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import blake3

from flyball.errors import MissingExtra
from flyball.features.online.base import Cell, Change, KeyedCell, OnlineKind, OnlineStore, chunks, reaching

_STAMP = struct.Struct(">qq")
_TIME = struct.Struct(">q")
_SLOT = struct.Struct(">I")
_LONGEST_KEY = 400  # LMDB takes 511 bytes, the slot among them
_AT_ONCE = 20_000
_MAP_SIZE = 1 << 36
_CELLS, _SLOTS, _NOTES = b"cells", b"slots", b"notes"


class LmdbStore:
    """Cells under slot and key, with their times in front of their values."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._failures: tuple[type[Exception], ...] = (*_errors(), OSError)
        with self._reached():
            path.mkdir(parents=True, exist_ok=True)
            lmdb = _lmdb()
            # A power cut takes the last commits at most, as with SQLite here: it can be written again.
            self._environment = lmdb.open(
                str(path), map_size=_MAP_SIZE, max_dbs=4, max_readers=1024, metasync=False, subdir=True
            )
            self._cells, self._slots, self._notes = (
                self._environment.open_db(name) for name in (_CELLS, _SLOTS, _NOTES)
            )

    def slot(self, name: str) -> int:
        """The number of a slot, made if there is none."""
        found = self.find(name)
        if found is not None:
            return found
        with self._writing() as writing:
            held = writing.get(name.encode(), db=self._slots)
            if held is None:
                last = int(writing.get(b"slots", b"0", db=self._notes)) + 1
                writing.put(b"slots", str(last).encode(), db=self._notes)
                held = _SLOT.pack(last)
                writing.put(name.encode(), held, db=self._slots)
        return int(_SLOT.unpack(held)[0])

    def find(self, name: str) -> int | None:
        """The number of a slot; None if there is none."""
        with self._reached(), self._environment.begin() as reading:
            held = reading.get(name.encode(), db=self._slots)
        return None if held is None else int(_SLOT.unpack(held)[0])

    def drop(self, name: str) -> None:
        """Removes a slot and its cells."""
        former = self.find(name)
        with self._writing() as writing:
            writing.delete(name.encode(), db=self._slots)
            self._clear(writing, former)

    def read(self, wanted: Sequence[tuple[int, bytes]]) -> list[Cell | None]:
        """The cells, in order."""
        pack, unpack = _SLOT.pack, _STAMP.unpack_from
        places = [pack(slot) + key if len(key) < _LONGEST_KEY else _key(slot, key) for slot, key in wanted]
        found: list[Any] = []
        try:
            with self._environment.begin(db=self._cells) as reading:
                # One by one: a cursor that is given all of them at once takes twice as long.
                values: list[Any] = list(map(reading.get, places))
        except self._failures:
            with self._reached():
                raise
        for value in values:
            if value is None:
                found.append(None)
            else:
                time, created = unpack(value)
                found.append((time, created, value[16:]))
        return found

    def fresh(
        self, slot: int, keys: Sequence[bytes], since: int, until: int, read: Callable[[bytes], Any]
    ) -> list[Any]:
        """The values of cells whose time is within."""
        start = _SLOT.pack(slot)
        places = [start + key if len(key) < _LONGEST_KEY else _key(slot, key) for key in keys]
        # A time stands in front, its greatest byte first, so that bytes compare as times do; those before 1970 pass for late ones.
        first, beyond = _TIME.pack(max(0, since)), _TIME.pack(until + 1)
        try:
            with self._environment.begin(db=self._cells) as reading:
                values = list(map(reading.get, places))
        except self._failures:
            with self._reached():
                raise
        return [None if value is None or not first <= value < beyond else read(value[16:]) for value in values]

    def write(self, slot: int, cells: Sequence[KeyedCell]) -> int:
        """Writes what is not older."""
        written = 0
        for part in chunks(cells, _AT_ONCE):
            with self._writing() as writing:
                for key, time, created, value in part:
                    place = _key(slot, key)
                    held = writing.get(place, db=self._cells)
                    if held is None or (time, created) >= _STAMP.unpack_from(held):
                        writing.put(place, _STAMP.pack(time, created) + value, db=self._cells)
                        written += 1
        return written

    def fold(self, slot: int, changes: Sequence[tuple[bytes, Change]]) -> None:
        """Changes cells in one transaction."""
        with self._writing() as writing:
            for key, change in changes:
                place = _key(slot, key)
                held = writing.get(place, db=self._cells)
                made = change(None if held is None else _cell(held))
                if made is None:
                    writing.delete(place, db=self._cells)
                else:
                    writing.put(place, _STAMP.pack(made.time, made.created) + made.value, db=self._cells)

    def delete(self, slot: int, keys: Sequence[bytes]) -> int:
        """Removes cells."""
        with self._writing() as writing:
            return sum(writing.delete(_key(slot, key), db=self._cells) for key in keys)

    def scan(self, slot: int, limit: int) -> list[KeyedCell]:
        """Some cells of a slot."""
        found: list[KeyedCell] = []
        start = _SLOT.pack(slot)
        with self._reached(), self._environment.begin(db=self._cells) as reading, reading.cursor() as cursor:
            if cursor.set_range(start):
                for place, held in cursor:
                    if not place.startswith(start) or len(found) >= limit:
                        break
                    time, created = _STAMP.unpack_from(held)
                    found.append(KeyedCell(place[4:], time, created, held[16:]))
        return found

    def note(self, name: str) -> bytes:
        """A note."""
        with self._reached(), self._environment.begin(db=self._notes) as reading:
            return bytes(reading.get(b"note/" + name.encode(), b""))

    def set_note(self, name: str, value: bytes) -> None:
        """Keeps a note."""
        with self._writing() as writing:
            writing.put(b"note/" + name.encode(), value, db=self._notes)

    def close(self) -> None:
        """Nothing: others of this process may share the file, which is closed with the last of them."""

    def _clear(self, writing: Any, slot: int | None) -> None:
        if slot is None:
            return
        start = _SLOT.pack(slot)
        with writing.cursor(db=self._cells) as cursor:
            cursor.set_range(start)
            while cursor.key().startswith(start) and cursor.delete():
                pass

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        with self._reached(), self._environment.begin(write=True) as writing:
            yield writing

    def _reached(self) -> Any:
        return reaching(f"at {self._path}", *self._failures)


class Lmdb:
    """Folders of LMDB. One process may open a folder once only, so its stores are shared."""

    schemes: tuple[str, ...] = ("lmdb",)

    def __init__(self) -> None:
        self._opened: WeakValueDictionary[Path, LmdbStore] = WeakValueDictionary()
        self._lock = threading.Lock()

    def open(self, url: str) -> OnlineStore:
        """The folder of `lmdb:///folder`."""
        path = Path(url.removeprefix("lmdb://")).resolve()
        with self._lock:
            found = self._opened.get(path)
            if found is None:
                found = self._opened[path] = LmdbStore(path)
        return found


def _key(slot: int, key: bytes) -> bytes:
    return _SLOT.pack(slot) + (key if len(key) < _LONGEST_KEY else b"\xc1" + blake3.blake3(key).digest())


def _cell(held: bytes) -> Cell:
    time, created = _STAMP.unpack_from(held)
    return Cell(time, created, held[16:])


def _lmdb() -> Any:
    try:
        import lmdb
    except ImportError as error:
        raise MissingExtra("LMDB is not installed.", hint="pip install 'flyball[online]'") from error
    return lmdb


def _errors() -> tuple[type[Exception], ...]:
    return (_lmdb().Error,)


plugin: OnlineKind = Lmdb()
