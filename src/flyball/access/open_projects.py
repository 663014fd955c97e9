"""Keeps what is open for projects: opened when it is first asked for, closed when nobody has used it for a while.

A server may have more projects than a database takes connections. So few are open at once, and what is in use is never closed
under its user.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

logger = logging.getLogger(__name__)


class Closes(Protocol):
    """What can be closed."""

    def close(self) -> None:
        """Closes it."""
        ...


W = TypeVar("W", bound=Closes)


class Held(Generic[W]):
    """Something open that is in use until it is released.

    Attributes:
        value: What is open.
        beside: What was made for it, and goes with it.
    """

    def __init__(self, entry: _Entry[W], owner: OpenProjects[W]) -> None:
        self._entry = entry
        self._owner = owner
        assert entry.value is not None
        self.value: W = entry.value
        self.beside = entry.beside

    @property
    def is_stale(self) -> bool:
        """Whether whoever asks now would get another one."""
        return self._entry.is_stale

    def release(self) -> None:
        """Says that it is no longer used by who took it."""
        self._owner._release(self._entry)


class _Entry(Generic[W]):
    def __init__(self, name: str, stamp: str) -> None:
        self.name = name
        self.stamp = stamp
        self.opening = threading.Lock()
        self.value: W | None = None
        self.users = 0
        self.used = time.monotonic()
        self.is_stale = False
        self.beside: dict[str, Any] = {}


class OpenProjects(Generic[W]):
    """What is open, by name.

    Args:
        opener: Opens the one of that name.
        most: How many stay open that nobody uses.
        idle: Seconds after which one that nobody uses is closed.
    """

    def __init__(self, opener: Callable[[str], W], *, most: int = 32, idle: float = 600.0) -> None:
        self._open = opener
        self._most = most
        self._idle = idle
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry[W]] = {}
        self._stale: list[_Entry[W]] = []

    def take_open(self, name: str, stamp: str = "") -> Held[W] | None:
        """What is open under that name, if it is; never waits."""
        with self._lock:
            entry = self._entries.get(name)
            if entry is None or entry.value is None or entry.stamp != stamp:
                return None
            entry.users += 1
            return Held(entry, self)

    def take(self, name: str, stamp: str = "") -> Held[W]:
        """What is open under that name; opened if it is not, or if it was opened under another stamp."""
        with self._lock:
            entry = self._entries.get(name)
            if entry is not None and entry.stamp != stamp:
                self._retire(entry)
                entry = None
            if entry is None:
                entry = self._entries[name] = _Entry(name, stamp)
            entry.users += 1
        try:
            with entry.opening:  # its own: who opens a slow one keeps nobody from the others
                if entry.value is None:
                    entry.value = self._open(name)
            held = Held(entry, self)
        except BaseException:
            self._release(entry)
            raise
        self.close_idle()
        return held

    @contextmanager
    def use(self, name: str, stamp: str = "") -> Iterator[W]:
        """What is open under that name, for the length of a block."""
        held = self.take(name, stamp)
        try:
            yield held.value
        finally:
            held.release()

    def forget(self, name: str) -> None:
        """Closes the one of that name, as soon as nobody uses it; the next who asks gets a new one."""
        with self._lock:
            entry = self._entries.get(name)
            if entry is not None:
                self._retire(entry)
        self.close_idle()

    def close_idle(self) -> None:
        """Closes those that nobody has used for long, and the longest unused of too many."""
        now = time.monotonic()
        with self._lock:
            free = sorted((e for e in self._entries.values() if not e.users and e.value), key=lambda e: e.used)
            surplus = len(self._entries) - self._most
            for place, entry in enumerate(free):
                if place < surplus or now - entry.used > self._idle:
                    self._retire(entry)
            closing = [entry for entry in self._stale if not entry.users]
            self._stale = [entry for entry in self._stale if entry.users]
        for entry in closing:
            self._close(entry)

    def names(self) -> list[str]:
        """The names of those that are open."""
        with self._lock:
            return sorted(name for name, entry in self._entries.items() if entry.value is not None)

    def close(self) -> None:
        """Closes all, in use or not."""
        with self._lock:
            closing = [*self._entries.values(), *self._stale]
            self._entries, self._stale = {}, []
        for entry in closing:
            self._close(entry)

    def _retire(self, entry: _Entry[W]) -> None:
        if self._entries.get(entry.name) is entry:
            del self._entries[entry.name]
        entry.is_stale = True
        self._stale.append(entry)

    def _release(self, entry: _Entry[W]) -> None:
        with self._lock:
            entry.users -= 1
            entry.used = time.monotonic()
            if entry.value is None and not entry.users and not entry.is_stale:
                self._entries.pop(entry.name, None)  # it could not be opened
            last = entry.is_stale and not entry.users and entry in self._stale
            if last:
                self._stale.remove(entry)
        if last:
            # Whoever releases may be an event loop, and closing waits for what is being written.
            threading.Thread(target=self._close, args=(entry,), name=f"close-{entry.name}", daemon=True).start()

    def _close(self, entry: _Entry[W]) -> None:
        if entry.value is None:
            return
        try:
            entry.value.close()
        except Exception:  # the others are to be closed all the same
            logger.exception("a project could not be closed", extra={"project": entry.name})
