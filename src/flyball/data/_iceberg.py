"""Tables in Iceberg's format, by reference: which snapshot, and which files it consists of. Their bytes stay where they are."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.data.arrow import plain
from flyball.data.manifest import Snapshot, SnapshotFile
from flyball.errors import InvalidInput, MissingExtra, NotFound
from flyball.schema import Schema
from flyball.serialization import canonical_json, digest

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.table import Table

_METADATA = ".metadata.json"


def is_source(place: object, root: Path) -> bool:
    """Whether a source is an Iceberg table: an object of the library `pyiceberg`, the folder of one, or a file of its metadata."""
    if isinstance(place, str):
        return place.endswith(_METADATA) or ("://" not in place and _newest_metadata(root / place) is not None)
    return type(place).__module__.split(".")[0] == "pyiceberg"


def pin(name: str, place: object, root: Path) -> tuple[Snapshot, list[SnapshotFile]]:
    """An Iceberg table as it is now.

    Raises:
        InvalidInput: it cannot be read, or holds nothing yet.
        MissingExtra: the library is not installed.
    """
    table: Any = _open(_location(place, root)) if isinstance(place, str) else place
    current = table.current_snapshot()
    if current is None:
        raise InvalidInput(f"The Iceberg table for '{name}' has no snapshot yet.", hint="Write rows to it first.")
    scan, files = _scan(table, current.snapshot_id), _files(table, current.snapshot_id)
    return (
        Snapshot(
            id="",
            dataset=name,
            format="iceberg",
            schema=Schema.of(scan.projection().as_arrow()),
            rows=scan.count(),
            size=sum(file.size for file in files),
            file_count=len(files),
            reference=f"{table.metadata_location}@{current.snapshot_id}",
        ),
        files,
    )


def load(snapshot: Snapshot, files: tuple[SnapshotFile, ...]) -> pa.Table:
    """The rows of the snapshot that was pinned.

    Raises:
        NotFound: it is no longer there, or its files are not those that were pinned.
    """
    location, _, number = snapshot.reference.rpartition("@")
    place = Path(location.removeprefix("file://"))
    if "://" not in str(place) and not place.exists():
        # Catalogs may remove old metadata; the snapshot itself stands in the newer ones until it is expired.
        location = str(_newest_metadata(place.parent.parent) or place)
    table = _open(location, is_pinned=True)
    try:
        if {file.path: file.digest for file in _files(table, int(number))} != {
            file.path: file.digest for file in files
        }:
            raise NotFound(
                f"Snapshot {number} of {location} is another than the one that was pinned.",
                hint="The table was made anew there.",
            )
        return plain(_scan(table, int(number)).to_arrow().replace_schema_metadata(None))
    except (OSError, ValueError) as error:
        raise NotFound(
            f"Snapshot {number} of {location} can no longer be read: {error}", hint="Were its snapshots expired?"
        ) from error


def _scan(table: Any, number: int) -> Any:
    return table.scan(snapshot_id=number)


def _location(place: str, root: Path) -> str:
    if place.endswith(_METADATA):
        return place if "://" in place else str((root / place).absolute())
    found = _newest_metadata(root / place)
    assert found is not None
    return str(found.absolute())


def _newest_metadata(folder: Path) -> Path | None:
    """The last file of metadata that a catalog wrote: their names begin with the number of the version."""
    found = [path for path in (folder / "metadata").glob(f"*{_METADATA}") if _number(path) is not None]
    return max(found, key=lambda path: (_number(path) or 0, path.stat().st_mtime_ns), default=None)


def _number(path: Path) -> int | None:
    text = path.name.removeprefix("v").removesuffix(_METADATA).partition("-")[0]
    return int(text) if text.isdigit() else None


def _open(location: str, *, is_pinned: bool = False) -> Table:
    try:
        from pyiceberg.exceptions import NoSuchTableError, ValidationError
        from pyiceberg.table import StaticTable
    except ImportError as error:
        raise MissingExtra("Iceberg tables need their library.", hint="pip install 'flyball[iceberg]'") from error
    logging.getLogger("pyiceberg.io").setLevel(logging.ERROR)  # it warns of every library that it does without
    try:
        return StaticTable.from_metadata(location)
    except (OSError, ValueError, NoSuchTableError, ValidationError) as error:
        found = NotFound if is_pinned else InvalidInput
        told = str(error).partition("\n")[0]
        raise found(f"The Iceberg table {location} cannot be read: {told}") from error


def _files(table: Any, number: int) -> list[SnapshotFile]:
    """The data files, each named by what the table's manifests say of it, since nobody reads them here."""
    found = []
    for task in _scan(table, number).plan_files():
        file, deletes = task.file, sorted(delete.file_path for delete in task.delete_files)
        named = [file.file_path, file.file_size_in_bytes, file.record_count, *deletes]
        size = file.file_size_in_bytes
        found.append(SnapshotFile(path=file.file_path, digest=digest(canonical_json(named)), size=size))
    return sorted(found, key=lambda file: file.path)
