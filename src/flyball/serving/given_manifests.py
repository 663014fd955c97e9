"""Manifests from a folder, and all else from a store: for servers whose deployments are committed to a repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flyball.errors import NotFound
from flyball.serving.manifest import deployment_of
from flyball.storage.object_store import ObjectStat, ObjectStore


class GivenManifests:
    """A store whose manifests are those of a folder; the store's own do not count, whoever wrote them.

    Args:
        folder: Holds `deployments/<name>/manifest.json`. It may be replaced as a whole while servers read, as Kubernetes does.
    """

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        """Writes an object to the store."""
        return self._store.put(key, data, if_absent=if_absent)

    def get(self, key: str) -> bytes:
        """All bytes of an object."""
        if deployment_of(key) is None:
            return self._store.get(key)
        try:
            return (self._folder / key).read_bytes()
        except OSError:
            raise NotFound(f"There is no object '{key}'.", key=key) from None

    def fetch(self, key: str, to: Path) -> None:
        """Copies an object to a local file."""
        self._store.fetch(key, to)

    def stat(self, key: str) -> ObjectStat | None:
        """Size and ETag of an object; None if there is none."""
        if deployment_of(key) is None:
            return self._store.stat(key)
        try:
            found = (self._folder / key).stat()
        except OSError:
            return None
        etag = f"{found.st_mtime_ns:x}-{found.st_ino:x}-{found.st_size:x}"
        return ObjectStat(key=key, size=found.st_size, etag=etag)

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """The objects whose key begins with the prefix, sorted by key."""
        given = [
            path.relative_to(self._folder).as_posix()
            for path in sorted(self._folder.glob("deployments/*/manifest.json"))
        ]
        manifests = [stat for key in given if key.startswith(prefix) and (stat := self.stat(key)) is not None]
        others = [item for item in self._store.list(prefix) if deployment_of(item.key) is None]
        yield from sorted([*manifests, *others], key=lambda item: item.key)

    def delete(self, key: str) -> None:
        """Removes an object from the store."""
        self._store.delete(key)
