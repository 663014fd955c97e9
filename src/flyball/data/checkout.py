"""Writes the files of a snapshot into a folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from flyball.data.layout import KeptBytes
from flyball.data.manifest import BY_REFERENCE, Snapshot, SnapshotFile, snapshot_files
from flyball.errors import Conflict, InvalidInput
from flyball.storage.objects import digest_file

if TYPE_CHECKING:
    from flyball.storage.objects import Blobs

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """What a checkout did.

    Attributes:
        written: How many files.
        unchanged: How many stood there already as they are in the snapshot.
        size: Bytes that were written.
    """

    snapshot: str
    folder: str
    written: int
    unchanged: int
    size: int


def check_out(
    blobs: Blobs,
    snapshot: Snapshot,
    folder: Path,
    *,
    force: bool = False,
    link: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Checkout:
    """Writes the files of a snapshot into a folder.

    All are written beside it first, so that an error leaves the folder as it was. Other files in it stay.

    Args:
        force: Whether to write over files that hold something else.
        link: Whether files may be hard links into the store, which are read-only and cost no bytes; else each is a copy, without
            bytes of its own where the file system shares blocks.
        progress: Is told how many files are done, and of how many.

    Raises:
        Conflict: a file holds something else, and is not to be written over; the message names it.
        InvalidInput: the snapshot has no files of its own, or a name leads out of the folder.
        Corrupt: bytes are not what was stored.
    """
    if snapshot.format in BY_REFERENCE:
        raise InvalidInput(f"'{snapshot.dataset}' is kept by others; only its version is known here.")
    files = snapshot_files(blobs, snapshot)
    missing = [file for file in files if not _is_there(folder, file)]
    taken = [file.path for file in missing if os.path.lexists(_target(folder, file.path))]
    if taken and not force:
        more = f" and {len(taken) - _SHOWN:,} more" if len(taken) > _SHOWN else ""
        raise Conflict(
            f"{', '.join(repr(path) for path in taken[:_SHOWN])}{more} in {folder} hold something else.",
            hint="Write over them with --force, or choose another folder.",
            files=taken[:_SHOWN],
        )
    folder.mkdir(parents=True, exist_ok=True)
    kept = KeptBytes(blobs, snapshot.layout)
    with tempfile.TemporaryDirectory(prefix=".flyball-", dir=folder) as name:
        fresh = Path(name)
        for number, file in enumerate(missing):
            _write(kept, file, fresh / str(number), link=link)
            if progress is not None:
                progress(number + 1, len(missing))
        for number, file in enumerate(missing):
            target = _target(folder, file.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            (fresh / str(number)).replace(target)
    return Checkout(
        snapshot=f"{snapshot.dataset}/{snapshot.id}",
        folder=str(folder),
        written=len(missing),
        unchanged=len(files) - len(missing),
        size=sum(file.size for file in missing),
    )


def _target(folder: Path, path: str) -> Path:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise InvalidInput(f"The name {path!r} leads out of the folder.")
    return folder.joinpath(*parts)


def _is_there(folder: Path, file: SnapshotFile) -> bool:
    target = _target(folder, file.path)
    try:
        return target.is_file() and target.stat().st_size == file.size and digest_file(target) == file.digest
    except OSError:
        return False


def _write(kept: KeptBytes, file: SnapshotFile, target: Path, *, link: bool) -> None:
    if file.digest in kept.places and file.digest not in kept.recipes:
        target.write_bytes(kept.read(file.digest))
        return
    source = kept.path(file.digest)
    if link:
        try:
            os.link(source, target)
            return
        except OSError:  # another disk, or one without links
            pass
    shutil.copyfile(source, target)  # shares blocks where the system and the disk can
