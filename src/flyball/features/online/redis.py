"""Redis: one store for many model servers. What is not older is decided in the server, by a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flyball.errors import MissingExtra
from flyball.features.online.base import Cell, Change, KeyedCell, OnlineKind, OnlineStore, chunks, reaching

_AT_ONCE = 1_000
# Times stand in front as hexadecimal digits: Lua's numbers are floats, its texts compare digit by digit.
_WRITE = """
local written = 0
for place = 1, #KEYS do
    local held = redis.call('GETRANGE', KEYS[place], 0, 31)
    if held == '' or string.sub(ARGV[place], 1, 32) >= held then
        redis.call('SET', KEYS[place], ARGV[place])
        written = written + 1
    end
end
return written
"""
_OFFSET = 1 << 63


class RedisStore:
    """Cells as strings under slot and key.

    Args:
        url: The server's address. `?schema=NAME` keeps all under that name, apart from what others keep there.
    """

    def __init__(self, url: str) -> None:
        redis = _redis()
        url, name = _without_schema(url)
        self._prefix = b"%s:" % name.encode()
        self._slots, self._notes, self._last = (self._prefix + part for part in (b"slots", b"notes", b"last"))
        self._what = f"at {url.rpartition('@')[2]}"
        self._failures = (redis.RedisError, OSError)
        self._watch_failed = redis.WatchError
        with self._reached():
            self._client = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2)
            self._client.ping()
            self._script = self._client.register_script(_WRITE)

    def slot(self, name: str) -> int:
        """The number of a slot, made if there is none."""
        found = self.find(name)
        if found is None:
            with self._reached():
                self._client.hsetnx(self._slots, name, self._client.incr(self._last))
            found = self.find(name)
        assert found is not None
        return found

    def find(self, name: str) -> int | None:
        """The number of a slot; None if there is none."""
        with self._reached():
            held = self._client.hget(self._slots, name)
        return None if held is None else int(held)

    def drop(self, name: str) -> None:
        """Removes a slot and its cells."""
        former = self.find(name)
        with self._reached():
            self._client.hdel(self._slots, name)
            self._clear(former)

    def read(self, wanted: Sequence[tuple[int, bytes]]) -> list[Cell | None]:
        """The cells, in order, in one round trip."""
        if not wanted:
            return []
        with self._reached():
            held = self._client.mget([self._key(slot, key) for slot, key in wanted])
        return [None if value is None else _cell(value) for value in held]

    def write(self, slot: int, cells: Sequence[KeyedCell]) -> int:
        """Writes what is not older."""
        written = 0
        for part in chunks(cells, _AT_ONCE):
            keys = [self._key(slot, cell.key) for cell in part]
            with self._reached():
                written += int(self._script(keys=keys, args=[_packed(*cell[1:]) for cell in part]))
        return written

    def fold(self, slot: int, changes: Sequence[tuple[bytes, Change]]) -> None:
        """Changes each cell, again if another changed it meanwhile."""
        with self._reached():
            for key, change in changes:
                while not self._fold_one(self._key(slot, key), change):
                    pass

    def _fold_one(self, place: bytes, change: Change) -> bool:
        with self._client.pipeline() as together:
            try:
                together.watch(place)
                held = together.get(place)
                made = change(None if held is None else _cell(held))
                together.multi()
                if made is None:
                    together.delete(place)
                else:
                    together.set(place, _packed(*made))
                together.execute()
            except self._watch_failed:
                return False
        return True

    def delete(self, slot: int, keys: Sequence[bytes]) -> int:
        """Removes cells."""
        if not keys:
            return 0
        with self._reached():
            return int(self._client.delete(*(self._key(slot, key) for key in keys)))

    def scan(self, slot: int, limit: int) -> list[KeyedCell]:
        """Some cells of a slot."""
        found: list[KeyedCell] = []
        start = self._key(slot, b"")
        with self._reached():
            for place in self._client.scan_iter(match=start + b"*", count=1_000):
                held = self._client.get(place)
                if held is not None:
                    found.append(KeyedCell(place[len(start) :], *_cell(held)))
                if len(found) >= limit:
                    break
        return found

    def note(self, name: str) -> bytes:
        """A note."""
        with self._reached():
            return bytes(self._client.hget(self._notes, name) or b"")

    def set_note(self, name: str, value: bytes) -> None:
        """Keeps a note."""
        with self._reached():
            self._client.hset(self._notes, name, value)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def erase(self) -> None:
        """Removes all that is kept, under this name."""
        with self._reached():
            self._remove(self._prefix)

    def _key(self, slot: int, key: bytes) -> bytes:
        return b"%s%d:%s" % (self._prefix, slot, key)

    def _clear(self, slot: int | None) -> None:
        if slot is not None:
            self._remove(self._key(slot, b""))

    def _remove(self, start: bytes) -> None:
        places = []
        for place in self._client.scan_iter(match=start + b"*", count=1_000):
            places.append(place)
            if len(places) >= _AT_ONCE:
                self._client.unlink(*places)
                places = []
        if places:
            self._client.unlink(*places)

    def _reached(self) -> Any:
        return reaching(self._what, *self._failures)


class Redis:
    """Servers of Redis, Valkey and what speaks like them."""

    schemes: tuple[str, ...] = ("redis", "rediss")

    def open(self, url: str) -> OnlineStore:
        """The server of `redis://host:port/database`."""
        return RedisStore(url)


def _without_schema(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    asked = parse_qsl(parts.query)
    rest = urlencode([(name, value) for name, value in asked if name != "schema"])
    return urlunsplit(parts._replace(query=rest)), dict(asked).get("schema", "flyball")


def _packed(time: int, created: int, value: bytes) -> bytes:
    return b"%016x%016x%s" % (time + _OFFSET, created + _OFFSET, value)


def _cell(held: bytes) -> Cell:
    return Cell(int(held[:16], 16) - _OFFSET, int(held[16:32], 16) - _OFFSET, held[32:])


def _redis() -> Any:
    try:
        import redis
    except ImportError as error:
        raise MissingExtra("The client of Redis is not installed.", hint="pip install 'flyball[redis]'") from error
    return redis


plugin: OnlineKind = Redis()
