"""Remembers the digests of files that have not been touched since, so that nothing is read again.

One compact file for each dataset. As in git's index, a file that was touched within the moment before it was hashed is not
trusted: the clock of a file system moves in steps, and a second change within one step leaves no mark.
"""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from flyball.data.manifest import manifest_digest
from flyball.refs import new_id

if TYPE_CHECKING:
    from flyball.data._sources import FoundFiles

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

    def unchanged(self, found: FoundFiles) -> str:
        """The id of a snapshot of files of which none was touched; empty if one must be hashed."""
        known, listed = self._known, []
        for file in found.files:
            entry = known.get(file.place)
            if entry is None or entry[0] != file.mark:
                return ""
            listed.append((file.name, entry[1], file.mark[2]))
        return manifest_digest(listed, found.format)

    def save(self) -> None:
        """Keeps what was learned; files that were not asked for are forgotten."""
        is_news = self._seen != self._known if self._is_changed else len(self._seen) != len(self._known)
        if self._file is None or not is_news:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_name(f"{self._file.name}.{new_id()}")
        marks = array("q", (part for mark, _ in self._seen.values() for part in mark))
        names = [name for _, name in self._seen.values()]
        fresh.write_bytes(msgspec.msgpack.encode((list(self._seen), names, marks.tobytes())))
        fresh.replace(self._file)

    def _read(self) -> _Known:
        if self._file is None:
            return {}
        try:
            places, names, written = msgspec.msgpack.decode(
                self._file.read_bytes(), type=tuple[list[str], list[str], bytes]
            )
            # Four at a time from one stream: no Python code runs for each file.
            numbers = iter(array("q", written))
            marks = zip(numbers, numbers, numbers, numbers, strict=True)
            return dict(zip(places, zip(marks, names, strict=True), strict=True))
        except (OSError, ValueError, msgspec.DecodeError):
            return {}  # a cache that cannot be read is an empty one


def mark_of(found: os.stat_result) -> Mark:
    """What the file system says of a file."""
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
