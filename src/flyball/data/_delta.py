"""Tables in Delta Lake's format, by reference: which version, and which files it consists of. Their bytes stay where they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.data.arrow import plain
from flyball.data.manifest import Snapshot, SnapshotFile
from flyball.errors import InvalidInput, MissingExtra, NotFound
from flyball.schema import Schema
from flyball.serialization import canonical_json, digest

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable


def is_source(place: object, root: Path) -> bool:
    """Whether a source is a Delta table: an object of the library `deltalake`, or the folder of one."""
    if isinstance(place, str):
        return "://" not in place and (root / place / "_delta_log").is_dir()
    return type(place).__module__.split(".")[0] == "deltalake"


def pin(name: str, place: object, root: Path) -> tuple[Snapshot, list[SnapshotFile]]:
    """A Delta table as it is now.

    Raises:
        InvalidInput: it cannot be read.
        MissingExtra: the library is not installed.
    """
    import pyarrow as pa

    table = _open(str((root / place).absolute()) if isinstance(place, str) else place, None)
    files = _files(table)
    actions = pa.table(table.get_add_actions(flatten=True))
    counts = actions.column("num_records").to_pylist() if "num_records" in actions.column_names else [None]
    rows = None if None in counts else sum(counts)
    return (
        Snapshot(
            id="",
            dataset=name,
            format="delta",
            schema=Schema.of(pa.schema(table.schema().to_arrow())),
            rows=rows if rows is not None else table.count(),
            size=sum(file.size for file in files),
            file_count=len(files),
            reference=f"{table.table_uri}@{table.version()}",
        ),
        files,
    )


def load(snapshot: Snapshot, files: tuple[SnapshotFile, ...]) -> pa.Table:
    """The rows of the version that was pinned.

    Raises:
        NotFound: that version is no longer there, or its files are not those that were pinned.
    """
    uri, _, version = snapshot.reference.rpartition("@")
    table = _open(uri, int(version))
    if {file.path: file.digest for file in _files(table)} != {file.path: file.digest for file in files}:
        raise NotFound(
            f"Version {version} of {uri} is another than the one that was pinned.",
            hint="The table was made anew there.",
        )
    try:
        return plain(table.to_pyarrow_table().replace_schema_metadata(None))
    except (OSError, ValueError) as error:
        raise NotFound(f"Version {version} of {uri} can no longer be read: {error}", hint="Was it vacuumed?") from error


def _open(place: Any, version: int | None) -> DeltaTable:
    if not isinstance(place, str):
        table: DeltaTable = place
        return table
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError
    except ImportError as error:
        raise MissingExtra("Delta tables need their library.", hint="pip install deltalake") from error
    try:
        return DeltaTable(place, version=version)
    except DeltaError as error:
        found = NotFound if version is not None else InvalidInput
        raise found(f"The Delta table {place} cannot be read: {error}") from error


def _files(table: DeltaTable) -> list[SnapshotFile]:
    """The data files, each named by what the table's log says of it, since nobody reads them here."""
    import pyarrow as pa

    wanted = ["path", "size_bytes", "modification_time"]
    rows = pa.table(table.get_add_actions(flatten=True)).select(wanted).to_pylist()
    named = [(str(row["path"]), int(row["size_bytes"]), str(row["modification_time"])) for row in rows]
    return sorted(
        (
            SnapshotFile(path=path, digest=digest(canonical_json([path, size, at])), size=size)
            for path, size, at in named
        ),
        key=lambda file: file.path,
    )
