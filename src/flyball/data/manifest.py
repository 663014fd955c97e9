"""What a snapshot is: a list of files by content, and the id that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from flyball.schema import Schema
from flyball.serialization import canonical_json, digest

SnapshotFormat = Literal["parquet", "csv", "json", "folder"]
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFile:
    """One file of a snapshot.

    Attributes:
        path: Relative to the source, with `/` between its parts.
        digest: BLAKE3 of its bytes, under which they are kept.
        size: In bytes.
    """

    path: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One version of a dataset, which never changes.

    Attributes:
        id: BLAKE3 of the manifest: same content, same id, on any machine.
        schema: Columns of the table; None for a folder of files.
        rows: None for a folder of files.
        size: Bytes of all files.
        parent: Id of the snapshot that was the latest before it.
        summary: What changed since the parent, in words.
    """

    id: str
    dataset: str
    format: SnapshotFormat
    files: tuple[SnapshotFile, ...]
    schema: Schema | None = None
    rows: int | None = None
    size: int = 0
    created: datetime = _NEVER
    parent: str = ""
    summary: str = ""

    @property
    def is_recorded(self) -> bool:
        """Whether the catalog knows it."""
        return self.created != _NEVER


def snapshot_id(files: Sequence[SnapshotFile], format: SnapshotFormat) -> str:
    """The id of the content that these files are.

    >>> snapshot_id([], "csv") == snapshot_id([], "parquet")
    False
    """
    listed = sorted((file.path, file.digest, file.size) for file in files)
    return digest(canonical_json({"files": listed, "format": format}))


def describe_change(before: Snapshot | None, after: Snapshot) -> str:
    """What changed from one snapshot to the next, in words."""
    if before is None:
        parts = [] if after.rows is None else [f"{after.rows:,} rows"]
        parts += [] if after.schema is None else [f"{len(after.schema.columns)} columns"]
        count = len(after.files)
        return "; ".join([*parts, f"{count:,} file{'s' if count > 1 else ''}", format_size(after.size)])
    parts = []
    if before.rows is not None and after.rows is not None and before.rows != after.rows:
        parts.append(f"{after.rows - before.rows:+,} rows")
    parts += _changed_files(before, after)
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


def _changed_files(before: Snapshot, after: Snapshot) -> list[str]:
    old, new = ({file.path: file.digest for file in snapshot.files} for snapshot in (before, after))
    if len(old) == len(new) == 1:
        return ["content changed"] if list(old.values()) != list(new.values()) else ["file renamed"]
    counts = {
        "added": sum(path not in old for path in new),
        "removed": sum(path not in new for path in old),
        "changed": sum(path in old and old[path] != digest for path, digest in new.items()),
    }
    return [f"{count:,} file{'s' if count > 1 else ''} {what}" for what, count in counts.items() if count]
