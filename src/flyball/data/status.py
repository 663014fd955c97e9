"""How the source of a dataset stands to its latest snapshot, without taking one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.data._digests import DigestIndex
from flyball.data._sources import find_files, no_collection
from flyball.data.manifest import SnapshotFile, manifest_digest, snapshot_files
from flyball.errors import InvalidInput, NotFound
from flyball.storage.objects import digest_file

if TYPE_CHECKING:
    from flyball.data.datasets import Data
    from flyball.storage.objects import Blobs

_MOST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """How a source stands to the latest snapshot.

    Attributes:
        latest: Id of the latest snapshot; empty if there is none yet.
        added: Files that are not in it, at most 1,000; so are the others.
        removed: Files that are in it only.
        changed: Files with another content.
        files: How many there are now.
    """

    dataset: str
    latest: str
    files: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether a snapshot would be a new one."""
        return bool(self.added or self.removed or self.changed)


def source_status(
    data: Data, blobs: Blobs, name: str, source: str = "", *, root: Path, cache: Path | None = None
) -> SourceStatus:
    """How the files of a source stand to the latest snapshot; only files that were touched are read.

    Args:
        source: Looked at instead of the dataset's own source.
        root: The project's folder, to which paths are relative.
        cache: Folder with the digests of unchanged files.

    Raises:
        InvalidInput: the source is no file, pattern or folder.
        NotFound: there is no such dataset.
    """
    place = source or data.get(name).source
    if not place or "://" in place:
        raise InvalidInput(
            f"The status of '{name}' cannot be told: its source is no file or folder.",
            hint=f"See what is new with `flyball data snapshot {name}`.",
        )
    try:
        latest = data.get_snapshot(name)
    except NotFound:
        latest = None
    with no_collection():
        found = find_files(place, root)
        index = DigestIndex(cache / "digests" / f"{name}.index" if cache else None)
        if latest is not None and index.unchanged(found) == latest.id:
            return SourceStatus(dataset=name, latest=latest.id, files=len(found.files))
    now = {
        file.name: index.digest(file.place, file.mark, partial(digest_file, Path(file.place))) for file in found.files
    }
    index.save()
    listed = [(file.name, now[file.name], file.size) for file in found.files]
    if latest is not None and manifest_digest(listed, found.format) == latest.id:
        return SourceStatus(dataset=name, latest=latest.id, files=len(now))
    files: tuple[SnapshotFile, ...] = snapshot_files(blobs, latest) if latest else ()
    before = {file.path: file.digest for file in files}
    return SourceStatus(
        dataset=name,
        latest=latest.id if latest else "",
        files=len(now),
        added=tuple(sorted(now.keys() - before.keys())[:_MOST]),
        removed=tuple(sorted(before.keys() - now.keys())[:_MOST]),
        changed=tuple(sorted(path for path, digest in now.items() if before.get(path, digest) != digest)[:_MOST]),
    )
