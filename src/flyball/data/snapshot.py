"""Takes snapshots and loads them. The work is done at the caller; the catalog only keeps what came of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.data._digests import DigestCache
from flyball.data._files import inspect_file, read_file
from flyball.data._sources import FoundFiles, find_files, query_database
from flyball.data.arrow import require_arrow, to_arrow, unify, unify_fields
from flyball.data.manifest import Snapshot, SnapshotFile, SnapshotFormat, snapshot_id
from flyball.errors import Conflict, InvalidInput, NotFound, did_you_mean
from flyball.refs import check_name
from flyball.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.data.dataset import Dataset
    from flyball.data.datasets import Data
    from flyball.storage.objects import Blobs

__all__ = ["Snapshot", "SnapshotFile", "SnapshotFormat", "load_snapshot", "read_files", "take_snapshot"]

_FRAME_FILE = "table.parquet"
# Written so for ever: equal frames give equal bytes only as long as nobody changes this.
_CANONICAL = {"compression": "zstd", "row_group_size": 1 << 20, "version": "2.6", "write_statistics": True}


def take_snapshot(
    data: Data,
    blobs: Blobs,
    dataset: Dataset | str,
    source: object | None = None,
    *,
    root: Path,
    cache: Path | None = None,
) -> Snapshot:
    """The snapshot of what a dataset holds now; the one that is recorded already if nothing changed.

    Args:
        data: The catalog, here or on a server.
        blobs: Where the bytes go.
        dataset: A declared dataset, or its name.
        source: Taken instead of the dataset's own source: a table (pandas, Polars, Arrow, DuckDB), a file, a pattern, a
            folder, or a database's address.
        root: The project's folder, to which paths are relative.
        cache: Folder for what can be made again, here the digests of unchanged files.

    Raises:
        InvalidInput: the source cannot be used; the message names the file and what is wrong. Nothing is recorded.
        NotFound: there is no dataset of that name, and no source was given.
    """
    name = check_name(dataset if isinstance(dataset, str) else dataset.name, "dataset")
    declared = _declared(data, dataset, is_needed=source is None)
    place = source if source is not None else declared.source if declared else ""
    if isinstance(place, os.PathLike):
        place = os.fspath(place)
    if not isinstance(place, str):
        content = _keep_table(blobs, name, to_arrow(place), "The table")
    elif not place:
        raise InvalidInput(f"Dataset '{name}' has no source.", hint="Give it one, or hand the data over.")
    elif "://" in place:
        query = declared.query if declared else ""
        if not query:
            raise InvalidInput(f"Dataset '{name}' has no query.", hint='Declare it with query="SELECT ...".')
        content = _keep_table(blobs, name, query_database(place, query, root), "The query")
    else:
        content = _keep_files(data, blobs, name, find_files(place, root), cache)
    if not isinstance(dataset, str):
        data.declare(dataset)
    return content if content.is_recorded else data.record_snapshot(content)


def load_snapshot(blobs: Blobs, snapshot: Snapshot, *, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a snapshot, in the order of its files, with the columns of all files.

    A snapshot of a folder is a table of its files: `path`, `digest`, `size`.

    Args:
        blobs: Where the bytes are.
        snapshot: Which one.
        columns: Only these, in this order; all by default.

    Raises:
        InvalidInput: there is no such column.
        NotFound: the bytes of a file are not kept.
    """
    require_arrow()
    import pyarrow as pa

    if snapshot.format == "folder":
        listed = {name: [getattr(file, name) for file in snapshot.files] for name in ("path", "digest", "size")}
        table = pa.table(listed)
        return table if columns is None else table.select(list(columns))
    known = snapshot.schema.names if snapshot.schema else ()
    for column in columns or ():
        if column not in known:
            raise InvalidInput(
                f"There is no column '{column}' in '{snapshot.dataset}'.", hint=did_you_mean(column, known)
            )
    names = [f"'{file.path}'" for file in snapshot.files]
    tables = [
        read_file(blobs.path(file.digest), snapshot.format, name, columns)
        for file, name in zip(snapshot.files, names, strict=True)
    ]
    # The order of the first file that has them is the order of the snapshot's schema too.
    return unify(tables, names).select(list(known if columns is None else columns))


def read_files(root: Path, source: str) -> pa.Table:
    """The table in a file, or in the files of a pattern or a folder, without taking a snapshot.

    Raises:
        InvalidInput: the files cannot be read as one table; the message names the file and what is wrong.
    """
    require_arrow()
    found = find_files(source, root)
    if found.format == "folder":
        raise InvalidInput(f"'{source}' holds other files than tables.", hint=f"Use a pattern: {source}/*.csv.")
    names = [f"'{name}'" for name, _ in found.files]
    return unify(
        [read_file(path, found.format, name) for name, (_, path) in zip(names, found.files, strict=True)], names
    )


def _declared(data: Data, dataset: Dataset | str, *, is_needed: bool) -> Dataset | None:
    if not isinstance(dataset, str):
        return dataset
    try:
        return data.get(dataset)
    except NotFound:
        if is_needed:
            raise
        return None


def _keep_table(blobs: Blobs, name: str, table: pa.Table, what: str) -> Snapshot:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not table.num_rows or not table.num_columns:
        raise InvalidInput(f"{what} for '{name}' holds no rows.")
    # Bytes must not depend on how the rows were cut into pieces on the way here.
    table = table.combine_chunks()
    sink = pa.BufferOutputStream()
    try:
        pq.write_table(table, sink, **_CANONICAL)
    except pa.ArrowException as error:
        raise InvalidInput(f"{what} for '{name}' cannot be written as Parquet: {error}.") from error
    written = sink.getvalue().to_pybytes()
    digest = blobs.put(written)
    files = (SnapshotFile(path=_FRAME_FILE, digest=digest, size=len(written)),)
    return _snapshot(name, "parquet", files, Schema.of(table), table.num_rows)


def _keep_files(data: Data, blobs: Blobs, name: str, found: FoundFiles, cache: Path | None) -> Snapshot:
    digests = DigestCache(cache / "digests" / f"{name}.json" if cache else None)
    listed = []
    try:
        for path, place in found.files:
            digest, size = digests.digest(place)
            listed.append(SnapshotFile(path=path, digest=digest, size=size))
    except OSError as error:
        raise InvalidInput(f"'{path}' cannot be read: {error.strerror}.", file=path) from error
    digests.save()
    files = tuple(listed)
    latest = _latest(data, name)
    if latest is not None and latest.id == snapshot_id(files, found.format):
        return latest
    schema, rows = (None, None) if found.format == "folder" else _inspect(found)
    kept: set[str] = set()
    for file, (_, place) in zip(files, found.files, strict=True):
        if file.digest in kept or blobs.has(file.digest):
            continue
        if blobs.put_file(place) != file.digest:
            raise Conflict(f"'{file.path}' changed while it was read.", hint="Take the snapshot again.", file=file.path)
        kept.add(file.digest)
    return _snapshot(name, found.format, files, schema, rows)


def _inspect(found: FoundFiles) -> tuple[Schema, int]:
    require_arrow()
    import pyarrow as pa

    names = [f"'{name}'" for name, _ in found.files]
    seen = [inspect_file(place, found.format, name) for name, (_, place) in zip(names, found.files, strict=True)]
    schema = Schema.of(pa.schema(unify_fields([fields for fields, _ in seen], names)))
    rows = sum(count for _, count in seen)
    if not rows:
        raise InvalidInput(f"{names[0] if len(names) == 1 else f'The {len(names)} files together'} hold no rows.")
    return schema, rows


def _snapshot(
    name: str,
    format: SnapshotFormat,
    files: tuple[SnapshotFile, ...],
    schema: Schema | None,
    rows: int | None,
) -> Snapshot:
    return Snapshot(
        id=snapshot_id(files, format),
        dataset=name,
        format=format,
        files=files,
        schema=schema,
        rows=rows,
        size=sum(file.size for file in files),
    )


def _latest(data: Data, name: str) -> Snapshot | None:
    try:
        return data.get_snapshot(name)
    except NotFound:
        return None
