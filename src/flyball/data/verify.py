"""Reads what snapshots need from the store, and names what is not as it was put."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.data.layout import KeptBytes
from flyball.data.manifest import BY_REFERENCE, Snapshot, snapshot_files
from flyball.errors import Corrupt, InvalidInput, NotFound
from flyball.serialization import digest as digest_of
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import digest_file

if TYPE_CHECKING:
    from flyball.storage.objects import Blobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """Something that is not in the store as it was put.

    Attributes:
        dataset: The dataset whose snapshot needs it.
        version: Id of the snapshot.
        path: The file that cannot be read whole.
        digest: The blob or part that is broken.
        found: What is wrong, in a word: `missing`, `changed`.
    """

    dataset: str
    version: str
    path: str
    digest: str
    found: str


def verify_snapshots(
    blobs: Blobs, snapshots: Sequence[Snapshot], *, progress: Callable[[int, int], None] | None = None
) -> list[Broken]:
    """Reads every blob, pack and chunk of some snapshots and gives what is broken; each blob is read once.

    Args:
        progress: Is told how many snapshots are done, and of how many.
    """
    verifier = Verifier(blobs)
    broken: list[Broken] = []
    for number, snapshot in enumerate(snapshots):
        broken += verifier.look(snapshot)
        if progress is not None:
            progress(number + 1, len(snapshots))
    return broken


class Verifier:
    """Looks at blobs, at each once."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._seen: dict[str, str] = {}
        self._parts: dict[tuple[str, str, int, int], str] = {}

    def look(self, snapshot: Snapshot) -> Iterator[Broken]:
        """What is broken of a snapshot."""
        try:
            files = snapshot_files(self._blobs, snapshot)
            kept = KeptBytes(self._blobs, snapshot.layout)
            places, recipes = kept.places, kept.recipes
        except (NotFound, Corrupt, InvalidInput) as error:
            name = str(error.facts.get("digest", snapshot.id))
            yield self._broken(
                snapshot, "(its list of files)", name, "missing" if isinstance(error, NotFound) else "changed"
            )
            return
        if snapshot.format in BY_REFERENCE:
            return
        for file in files:
            chunks = recipes[file.digest].chunks if file.digest in recipes else (file.digest,)
            for chunk in chunks:
                place = places.get(chunk)
                found = (
                    self._blob(chunk) if place is None else self._part(place.pack, chunk, place.offset, place.length)
                )
                if found:
                    yield self._broken(snapshot, file.path, chunk if place is None else place.pack, found)
                    break

    def _broken(self, snapshot: Snapshot, path: str, digest: str, found: str) -> Broken:
        return Broken(dataset=snapshot.dataset, version=snapshot.id, path=path, digest=digest, found=found)

    def _blob(self, name: str) -> str:
        """What is wrong with a blob; empty if nothing is."""
        if name not in self._seen:
            self._seen[name] = self._read_blob(name)
        return self._seen[name]

    def _read_blob(self, name: str) -> str:
        store = self._blobs.store
        try:
            if isinstance(store, LocalObjects):
                return "" if digest_file(self._blobs.path(name)) == name else "changed"
            # Not from the cache: it is the store that is asked.
            with tempfile.TemporaryDirectory(prefix="flyball-verify-") as folder:
                store.fetch(f"blobs/{name[:2]}/{name}", Path(folder) / "blob")
                return "" if digest_file(Path(folder) / "blob") == name else "changed"
        except (NotFound, OSError):
            return "missing"

    def _part(self, pack: str, name: str, offset: int, length: int) -> str:
        # A pack that is whole holds its parts as long as the index tells the truth; a broken one is read part by part, so that only
        # the files are named that are broken.
        key = (pack, name, offset, length)
        if key not in self._parts:
            whole = self._blob(pack)
            self._parts[key] = whole if whole == "missing" else self._read_part(pack, name, offset, length)
        return self._parts[key]

    def _read_part(self, pack: str, name: str, offset: int, length: int) -> str:
        store = self._blobs.store
        key = f"blobs/{pack[:2]}/{pack}"
        try:
            if isinstance(store, LocalObjects):
                with store.existing_path(key).open("rb") as file:
                    file.seek(offset)
                    data = file.read(length)
            else:
                data = store.get(key)[offset : offset + length]
        except (NotFound, OSError):
            return "missing"
        return "" if digest_of(data) == name else "changed"
