"""Objects of one store, and beneath them those of another that is only read: what a container brought, and what came since."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path

from flyball.errors import NotFound
from flyball.storage.object_store import ObjectStat, ObjectStore


class LayeredObjects:
    """A store that writes to the upper of two and reads from both; of two objects of one name the upper one counts.

    While the upper one is out of reach, what the lower one has is still found: a list then is that of the lower one.
    """

    def __init__(self, upper: ObjectStore, lower: ObjectStore) -> None:
        self._upper = upper
        self._lower = lower

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        """Writes an object to the upper store."""
        if if_absent and self._lower.stat(key) is not None:
            return False
        return self._upper.put(key, data, if_absent=if_absent)

    def get(self, key: str) -> bytes:
        """All bytes of an object."""
        # Blobs are named by their content, so the nearer one is as good, and costs no way over a network.
        first, second = (self._lower, self._upper) if key.startswith("blobs/") else (self._upper, self._lower)
        try:
            return first.get(key)
        except NotFound:
            return second.get(key)

    def fetch(self, key: str, to: Path) -> None:
        """Copies an object to a local file."""
        try:
            self._upper.fetch(key, to)
        except NotFound:
            self._lower.fetch(key, to)

    def stat(self, key: str) -> ObjectStat | None:
        """Size and ETag of an object; None if there is none."""
        return self._upper.stat(key) or self._lower.stat(key)

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """The objects of both whose key begins with the prefix, sorted by key."""
        last = ""
        for item in heapq.merge(self._upper.list(prefix), self._lower.list(prefix), key=lambda each: each.key):
            if item.key != last:
                yield item
            last = item.key

    def delete(self, key: str) -> None:
        """Removes an object from the upper store."""
        self._upper.delete(key)
