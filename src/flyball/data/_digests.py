"""Remembers the digests of files that have not been touched since, so that large ones are not read again."""

from __future__ import annotations

import time
from pathlib import Path

from flyball.errors import FlyballError
from flyball.refs import new_id
from flyball.serialization import from_json, to_json
from flyball.storage.objects import digest_file

# A file system's clock moves in steps: a file changed twice within one step keeps its time. So what is fresh is not
# trusted. In nanoseconds.
_FRESH = 50_000_000
_Mark = tuple[int, int, int, int]


class DigestCache:
    """Digests by path and by what the file system says of the file.

    Args:
        file: Where they are kept; None keeps nothing.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: dict[str, tuple[_Mark, str]] = self._read()
        self._changed = False

    def digest(self, path: Path) -> tuple[str, int]:
        """Digest and size of a file; its bytes are read only if it was touched since the last time."""
        found = path.stat()
        mark = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
        key = str(path.absolute())
        known = self._known.get(key)
        if known is not None and known[0] == mark:
            return known[1], found.st_size
        # The system's own time, not the workspace's: it is compared with what the file system writes.
        is_fresh = time.time_ns() - max(mark[0], mark[1]) < _FRESH
        name = digest_file(path)
        if not is_fresh:
            self._known[key] = (mark, name)
            self._changed = True
        return name, found.st_size

    def save(self) -> None:
        """Keeps what was learned."""
        if self._file is None or not self._changed:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_name(f"{self._file.name}.{new_id()}")
        fresh.write_bytes(to_json(self._known))
        fresh.replace(self._file)

    def _read(self) -> dict[str, tuple[_Mark, str]]:
        if self._file is None:
            return {}
        try:
            return from_json(self._file.read_bytes(), dict[str, tuple[_Mark, str]])
        except (OSError, FlyballError):
            return {}  # a cache that cannot be read is an empty one
