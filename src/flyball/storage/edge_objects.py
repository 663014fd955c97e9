"""A store at the end of a thin line: what was read is kept here, what is written waits here until the line is back.

A server on such a store starts, answers and logs for days without its bucket. What waits is bounded: when it is full, the
oldest predictions go first, and are counted.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from flyball.errors import NotFound
from flyball.storage.local_objects import LocalObjects
from flyball.storage.object_store import ObjectStat, ObjectStore

logger = logging.getLogger(__name__)

T = TypeVar("T")
_LONGEST_PAUSE = 60.0
LIMIT = 1 << 30


class EdgeObjects:
    """A far store behind a near folder.

    Args:
        far: The store that may be out of reach.
        folder: Keeps copies of what was read and what waits to be written.
        limit: Most bytes that wait; the oldest objects are dropped beyond it.
        pause: Seconds until what could not be written is tried again; doubles up to a minute.

    Attributes:
        dropped: Objects that found no room until the line came back.
    """

    def __init__(self, far: ObjectStore, folder: Path, *, limit: int = LIMIT, pause: float = 1.0) -> None:
        self._far = far
        self._kept = LocalObjects(folder / "kept")
        self._waiting = LocalObjects(folder / "waiting")
        self._limit = limit
        self._first_pause = pause
        self._lock = threading.Lock()
        self._more = threading.Event()
        self._stopping = threading.Event()
        self.dropped = 0
        self._more.set()
        self._thread = threading.Thread(target=self._run, name="edge-sync", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many objects wait to be written to the far store."""
        return sum(1 for _ in self._waiting.list(""))

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        """Takes an object on: it rests on this machine's disk now, and in the far store when the line is there."""
        if if_absent and self.stat(key) is not None:
            return False
        with self._lock:
            self._waiting.put(key, data)
            self._make_room()
        self._more.set()
        return True

    def get(self, key: str) -> bytes:
        """All bytes of an object: the far one's if it can be reached, else those that were read last."""
        if key.startswith("blobs/"):  # named by its content: what is here is right
            with contextlib.suppress(NotFound):
                return self._kept.get(key)
        data = self._from(lambda: self._far.get(key), lambda: self._near(key))
        if self._kept.stat(key) is None or self._kept.get(key) != data:
            self._kept.put(key, data)
        return data

    def fetch(self, key: str, to: Path) -> None:
        """Copies an object to a local file."""
        to.write_bytes(self.get(key))

    def stat(self, key: str) -> ObjectStat | None:
        """Size and ETag of an object; None if there is none."""
        return self._from(lambda: self._far.stat(key), lambda: self._waiting.stat(key) or self._kept.stat(key))

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """The objects whose key begins with the prefix, sorted by key."""
        yield from self._from(lambda: list(self._far.list(prefix)), lambda: list(self._kept.list(prefix)))

    def delete(self, key: str) -> None:
        """Removes an object, from the far store too if it can be reached."""
        self._waiting.delete(key)
        self._kept.delete(key)
        with contextlib.suppress(Exception):  # out of reach: what is not there any more ages by itself
            self._far.delete(key)

    def sync(self) -> bool:
        """Writes what waits, the oldest first; whether all of it went through."""
        for item in self._oldest_first():
            try:
                data = self._waiting.get(item.key)
            except NotFound:
                continue  # dropped, or deleted meanwhile
            try:
                self._far.put(item.key, data)
            except Exception as error:  # each store has its own errors, and all of them mean "later"
                logger.info("the store does not take what waits", exc_info=error)
                return False
            with self._lock:
                now = self._waiting.stat(item.key)
                if now is not None and now.etag == item.etag:  # it may have been written anew while it was on its way
                    self._waiting.delete(item.key)
        return True

    def close(self, timeout: float = 10.0) -> None:
        """Tries once more to write what waits, and stops; what is left is written after the next start."""
        self._stopping.set()
        self._more.set()
        self._thread.join(timeout)
        self.sync()

    def _run(self) -> None:
        pause = self._first_pause
        while not self._stopping.is_set():
            self._more.wait()
            self._more.clear()
            if self.sync():
                pause = self._first_pause
                continue
            self._more.set()
            # Thousands that lost the same line must not all come back at the same moment.
            self._stopping.wait(pause * random.uniform(0.5, 1.5))  # noqa: S311  # no secret
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _oldest_first(self) -> Sequence[ObjectStat]:
        found = list(self._waiting.list(""))
        return sorted(found, key=lambda item: (item.modified is not None and item.modified.timestamp(), item.key))

    def _make_room(self) -> None:
        items = self._oldest_first()
        size = sum(item.size for item in items)
        for item in items[:-1]:
            if size <= self._limit:
                return
            self._waiting.delete(item.key)
            size -= item.size
            self.dropped += 1
            logger.warning("no room for what waits", extra={"dropped": item.key})

    def _near(self, key: str) -> bytes:
        try:
            return self._waiting.get(key)
        except NotFound:
            return self._kept.get(key)

    def _from(self, far: Callable[[], T], near: Callable[[], T]) -> T:
        try:
            return far()
        except NotFound:
            raise
        except Exception as error:
            logger.debug("the store is out of reach", exc_info=error)
            return near()
