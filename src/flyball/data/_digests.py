"""Remembers the digests of files that have not been touched since, so that nothing is read again.

One compact file for each dataset. As in git's index, a file that was touched within the moment before it was hashed is not
trusted: the clock of a file system moves in steps, and a second change within one step leaves no mark.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from flyball.refs import new_id

# In nanoseconds.
_FRESH = 50_000_000
Mark = tuple[int, int, int, int]
"""When the file was written, when it was changed in any way (ns), its size, and its number on the disk."""
_Known = dict[str, tuple[Mark, str]]


class DigestIndex:
    """Digests by path and by what the file system says of the file.

    Args:
        file: Where they are kept; None keeps nothing.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: _Known = self._read()
        self._seen: _Known = {}
        self._is_changed = False

    def digest(self, place: str, mark: Mark, hash_it: Callable[[], str]) -> str:
        """Digest of a file; it is hashed only if it was touched since the last time.

        Args:
            place: Absolute path.
            mark: What the file system says of it.
            hash_it: Gives its digest.
        """
        known = self._known.get(place)
        if known is not None and known[0] == mark:
            self._seen[place] = known
            return known[1]
        # The system's own time, not the workspace's: it is compared with what the file system writes.
        is_fresh = time.time_ns() - max(mark[0], mark[1]) < _FRESH
        name = hash_it()
        if not is_fresh:
            self._seen[place] = (mark, name)
        self._is_changed = True
        return name

    def known(self, place: str, mark: Mark) -> str:
        """The digest of a file that was not touched; empty if it is to be hashed."""
        found = self._known.get(place)
        return found[1] if found is not None and found[0] == mark else ""

    def save(self) -> None:
        """Keeps what was learned; files that were not asked for are forgotten."""
        is_news = self._seen != self._known if self._is_changed else len(self._seen) != len(self._known)
        if self._file is None or not is_news:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_name(f"{self._file.name}.{new_id()}")
        fresh.write_bytes(msgspec.msgpack.encode(self._seen))
        fresh.replace(self._file)

    def _read(self) -> _Known:
        if self._file is None:
            return {}
        try:
            return msgspec.msgpack.decode(self._file.read_bytes(), type=_Known)
        except (OSError, msgspec.DecodeError):
            return {}  # a cache that cannot be read is an empty one


def mark_of(found: os.stat_result) -> Mark:
    """What the file system says of a file."""
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
