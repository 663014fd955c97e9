"""What a snapshot is: a list of files by content, and the id that follows from it.

The list is a blob, the manifest. Its bytes are canonical, so its digest, which is the snapshot's id, is the same wherever the
same files are taken. What stands in the database is light: counts, columns, words. Where the bytes of the files rest is no part
of what a snapshot is; `layout.py` knows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from flyball.schema import Schema
from flyball.serialization import canonical_json, digest, from_json

if TYPE_CHECKING:
    from flyball.storage.objects import Blobs

SnapshotFormat = Literal["parquet", "csv", "json", "folder", "delta", "iceberg"]
BY_REFERENCE = ("delta", "iceberg")
"""Formats of tables that others keep: their files are pinned by name, not copied."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFile:
    """One file of a snapshot.

    Attributes:
        path: Relative to the source, with `/` between its parts.
        digest: BLAKE3 of its bytes; of a table that others keep, BLAKE3 of what they say of the file.
        size: In bytes.
    """

    path: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaKind:
    """The files of one kind in a folder.

    Attributes:
        kind: image, audio, video, text, table or other.
        files: How many.
        size: Bytes of all of them.
        suffixes: Their endings, the most frequent first.
        width: Least and greatest width in pixels, of the images that were looked at.
        height: Likewise.
    """

    kind: str
    files: int
    size: int
    suffixes: tuple[str, ...] = ()
    width: tuple[int, int] | None = None
    height: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One version of a dataset, which never changes.

    Attributes:
        id: BLAKE3 of the manifest: same content, same id, on any machine.
        files: Its files, in snapshots that the first release took; elsewhere empty: see `snapshot_files`.
        schema: Columns of the table; None for a folder of files.
        rows: None for a folder of files.
        size: Bytes of all files.
        parent: Id of the snapshot that was the latest before it.
        summary: What changed since the parent, in words.
        file_count: How many files there are.
        layout: Digest of the list that says where the bytes of files rest which are no blobs of their own; empty where all are.
        content: Digest of a frame's values, by which an unchanged one is told before it is written.
        media: What a folder holds.
        reference: Where the table lies that others keep, and which version of it.
    """

    id: str
    dataset: str
    format: SnapshotFormat
    files: tuple[SnapshotFile, ...] = ()
    schema: Schema | None = None
    rows: int | None = None
    size: int = 0
    created: datetime = _NEVER
    parent: str = ""
    summary: str = ""
    file_count: int = 0
    layout: str = ""
    content: str = ""
    media: tuple[MediaKind, ...] = ()
    reference: str = ""

    @property
    def is_recorded(self) -> bool:
        """Whether the catalog knows it."""
        return self.created != _NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manifest:
    files: list[tuple[str, str, int]]
    format: str


def write_manifest(files: Iterable[SnapshotFile], format: SnapshotFormat) -> bytes:
    """The canonical bytes of the list of files."""
    return _canonical([(file.path, file.digest, file.size) for file in files], format)


def manifest_digest(listed: list[tuple[str, str, int]], format: SnapshotFormat) -> str:
    """The digest of the manifest of files that are given as path, digest and size: the snapshot's id."""
    return digest(_canonical(listed, format))


def _canonical(listed: list[tuple[str, str, int]], format: SnapshotFormat) -> bytes:
    return canonical_json({"files": sorted(listed), "format": format})


def snapshot_id(files: Iterable[SnapshotFile], format: SnapshotFormat) -> str:
    """The id of the content that these files are.

    >>> snapshot_id([], "csv") == snapshot_id([], "parquet")
    False
    """
    return digest(write_manifest(files, format))


def snapshot_files(blobs: Blobs, snapshot: Snapshot) -> tuple[SnapshotFile, ...]:
    """The files of a snapshot, by path.

    Raises:
        NotFound: the manifest is not kept.
        Corrupt: it is not what was stored.
    """
    if snapshot.files:
        return snapshot.files
    listed = from_json(blobs.get(snapshot.id), _Manifest).files
    return tuple(SnapshotFile(path=path, digest=name, size=size) for path, name, size in listed)


def describe_change(
    before: Snapshot | None,
    after: Snapshot,
    old: Sequence[SnapshotFile] = (),
    new: Sequence[SnapshotFile] = (),
) -> str:
    """What changed from one snapshot to the next, in words.

    Args:
        old: The files of the first.
        new: The files of the second.
    """
    if before is None:
        parts = [] if after.rows is None else [f"{after.rows:,} rows"]
        parts += [] if after.schema is None else [f"{len(after.schema.columns)} columns"]
        parts += [_describe_media(kind) for kind in after.media]
        count = after.file_count
        return "; ".join([*parts, f"{count:,} file{'s' if count != 1 else ''}", format_size(after.size)])
    parts = []
    if before.rows is not None and after.rows is not None and before.rows != after.rows:
        parts.append(f"{after.rows - before.rows:+,} rows")
    parts += _changed_files(old, new)
    if before.size != after.size:
        parts.append(("+" if after.size > before.size else "-") + format_size(abs(after.size - before.size)))
    if before.format != after.format:
        parts.append(f"was {before.format} and is {after.format}")
    if before.schema is not None and after.schema is not None:
        parts += [str(change) for change in before.schema.changes_to(after.schema)]
    return "; ".join(parts) or "same files"


def format_size(size: int) -> str:
    """A number of bytes for people.

    >>> format_size(999), format_size(5_200_000)
    ('999 bytes', '5.2 MB')
    """
    if size < 1000:
        return f"{size} bytes"
    number = float(size)
    for unit in ("kB", "MB", "GB"):
        number /= 1000
        if number < 999.95:
            return f"{number:.1f} {unit}"
    return f"{number / 1000:.1f} TB"


def _describe_media(kind: MediaKind) -> str:
    many = {"image": "images", "text": "texts", "video": "videos", "table": "tables"}
    text = f"{kind.files:,} {many.get(kind.kind, kind.kind) if kind.files != 1 else kind.kind}"
    if kind.width is None or kind.height is None:
        return text
    least, greatest = (f"{kind.width[end]} x {kind.height[end]}" for end in (0, 1))
    return f"{text} of {least}" + ("" if least == greatest else f" to {greatest}")


def _changed_files(before: Sequence[SnapshotFile], after: Sequence[SnapshotFile]) -> list[str]:
    old, new = ({file.path: file.digest for file in files} for files in (before, after))
    if len(old) == len(new) == 1:
        if list(old.values()) != list(new.values()):
            return ["content changed"]
        return ["file renamed"] if list(old) != list(new) else []
    counts = {
        "added": sum(path not in old for path in new),
        "removed": sum(path not in new for path in old),
        "changed": sum(path in old and old[path] != digest for path, digest in new.items()),
    }
    return [f"{count:,} file{'s' if count > 1 else ''} {what}" for what, count in counts.items() if count]
