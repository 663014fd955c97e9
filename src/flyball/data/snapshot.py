"""Takes snapshots and loads them. The work is done at the caller; the catalog only keeps what came of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from flyball.data import _delta, _iceberg
from flyball.data._digests import DigestIndex
from flyball.data._files import inspect_file, read_file
from flyball.data._frames import FRAME_FILE, frame_digest, write_frame
from flyball.data._keeping import Keeper, changed_while_read
from flyball.data._media import describe_folder
from flyball.data._prefixes import SCHEMES, ObjectIndex, Prefix, Service
from flyball.data._queries import query_database
from flyball.data._sources import FoundFile, FoundFiles, find_files, folder_format, no_collection
from flyball.data.arrow import require_arrow, to_arrow, unify, unify_fields
from flyball.data.layout import KeptBytes
from flyball.data.manifest import (
    MediaKind,
    Snapshot,
    SnapshotFile,
    SnapshotFormat,
    snapshot_files,
    snapshot_id,
    write_manifest,
)
from flyball.data.pinned import PinnedData
from flyball.errors import InvalidInput, NotFound, did_you_mean
from flyball.refs import check_name
from flyball.schema import Schema
from flyball.serialization import digest as digest_of
from flyball.storage.objects import digest_file

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.data.dataset import Dataset
    from flyball.data.datasets import Data
    from flyball.storage.objects import Blobs

__all__ = [
    "Service", "Snapshot", "SnapshotFile", "SnapshotFormat", "load_snapshot", "read_files", "snapshot_files", "take_snapshot",
]  # fmt: skip

_LAKES: dict[SnapshotFormat, ModuleType] = {"delta": _delta, "iceberg": _iceberg}
"""Tables of others that are taken by reference, each with `is_source`, `pin` and `load`."""
Progress = Callable[[int, int], None]
"""Is told how many files are done, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """What is needed to take a snapshot of one dataset.

    Attributes:
        latest: The snapshot that it will follow; None before the first.
        cache: Folder for what can be made again.
        progress: Is told how far the work is.
    """

    blobs: Blobs
    name: str
    latest: Snapshot | None
    root: Path
    cache: Path | None = None
    progress: Progress | None = None
    service: Service = field(default_factory=Service)

    def digests(self) -> DigestIndex:
        """The digests of files that have not been touched since."""
        return DigestIndex(self.cache / "digests" / f"{self.name}.index" if self.cache else None)

    def objects(self) -> ObjectIndex:
        """The digests of objects by their ETag."""
        return ObjectIndex(self.cache / "digests" / f"{self.name}.objects" if self.cache else None)

    def keeper(self) -> Keeper:
        """Takes files, and uses again what the snapshot before has."""
        before = () if self.latest is None else snapshot_files(self.blobs, self.latest)
        return Keeper(self.blobs, self.latest.layout if self.latest else "", before)

    @contextmanager
    def workplace(self) -> Iterator[Path]:
        """A folder for a while, on the workspace's own disk if there is one."""
        if self.cache:
            self.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="taking-", dir=self.cache) as folder:
            yield Path(folder)


def take_snapshot(
    data: Data | PinnedData,
    blobs: Blobs,
    dataset: Dataset | str,
    source: object | None = None,
    *,
    root: Path,
    cache: Path | None = None,
    branch: str = "latest",
    progress: Progress | None = None,
    service: Service | None = None,
) -> Snapshot:
    """The snapshot of what a dataset holds now; the one that is recorded already if nothing changed.

    Args:
        data: The catalog, here or on a server.
        blobs: Where the bytes go.
        dataset: A declared dataset, or its name.
        source: Taken instead of the dataset's own source: a table (pandas, Polars, Arrow, DuckDB), a file, a pattern, a
            folder, a prefix such as `s3://bucket/data`, a Delta table, or a database's address.
        root: The project's folder, to which paths are relative.
        cache: Folder for what can be made again, here the digests of unchanged files.
        branch: The branch that the snapshot is put on.
        progress: Is told how many files are done, and of how many.
        service: Where buckets are, if not at Amazon's.

    Raises:
        InvalidInput: the source cannot be used; the message names the file and what is wrong. Nothing is recorded.
        NotFound: there is no dataset of that name, and no source was given.
        Conflict: a file was changed while it was read.
    """
    name = check_name(dataset if isinstance(dataset, str) else dataset.name, "dataset")
    if isinstance(data, PinnedData):
        return data.get_snapshot(name)
    declared = _declared(data, dataset, is_needed=source is None)
    place = source if source is not None else declared.source if declared else ""
    if isinstance(place, os.PathLike):
        place = os.fspath(place)
    latest = _latest(data, name, branch)
    taking = Taking(
        blobs=blobs, name=name, latest=latest, root=root, cache=cache, progress=progress, service=service or Service()
    )
    content = _take(taking, place, declared.query if declared else "")
    if not isinstance(dataset, str):
        data.declare(dataset)
    return content if content.is_recorded else data.record_snapshot(content, branch)


def _take(taking: Taking, place: object, query: str) -> Snapshot:
    name = taking.name
    for form, lake in _LAKES.items():
        if lake.is_source(place, taking.root):
            return _pin(taking, form, place)
    if not isinstance(place, str):
        return _keep_table(taking, to_arrow(place), f"The table for '{name}'")
    if not place:
        raise InvalidInput(f"Dataset '{name}' has no source.", hint="Give it one, or hand the data over.")
    if place.startswith(SCHEMES):
        return _keep_objects(taking, Prefix(place, taking.service))
    if "://" not in place:
        return _keep_files(taking, find_files(place, taking.root))
    if not query:
        raise InvalidInput(f"Dataset '{name}' has no query.", hint='Declare it with query="SELECT ...".')
    with query_database(place, query, taking.root) as table:
        return _keep_table(taking, table, f"The query for '{name}'")


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

    files = snapshot_files(blobs, snapshot)
    if snapshot.format in _LAKES:
        table = _LAKES[snapshot.format].load(snapshot, files)
        return table if columns is None else table.select(list(columns))
    if snapshot.format == "folder":
        table = pa.table({name: [getattr(file, name) for file in files] for name in ("path", "digest", "size")})
        return table if columns is None else table.select(list(columns))
    known = snapshot.schema.names if snapshot.schema else ()
    for column in columns or ():
        if column not in known:
            raise InvalidInput(
                f"There is no column '{column}' in '{snapshot.dataset}'.", hint=did_you_mean(column, known)
            )
    names, kept = [f"'{file.path}'" for file in files], KeptBytes(blobs, snapshot.layout)
    tables = [
        read_file(kept.path(file.digest), snapshot.format, name, columns)
        for file, name in zip(files, names, strict=True)
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
    names = [f"'{file.name}'" for file in found.files]
    return unify(
        [read_file(Path(file.place), found.format, name) for name, file in zip(names, found.files, strict=True)], names
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


def _keep_table(taking: Taking, table: pa.Table, what: str) -> Snapshot:
    latest = taking.latest
    content = frame_digest(table)
    if latest is not None and latest.content == content:
        return latest
    with taking.workplace() as folder:
        target = folder / FRAME_FILE
        schema, rows = write_frame(table, target, what)
        size = target.stat().st_size
        files: tuple[SnapshotFile, ...] = (SnapshotFile(path=FRAME_FILE, digest=digest_file(target), size=size),)
        if latest is not None and latest.id == snapshot_id(files, "parquet"):
            return latest
        keeper = taking.keeper()
        keeper.take(FRAME_FILE, target, size, owned=True)
        layout = keeper.finish(files)
    return _snapshot(taking, "parquet", files, layout=layout, schema=schema, rows=rows, content=content)


def _pin(taking: Taking, form: SnapshotFormat, place: object) -> Snapshot:
    require_arrow()
    pinned: Snapshot
    pinned, files = _LAKES[form].pin(taking.name, place, taking.root)
    manifest = write_manifest(files, form)
    id = digest_of(manifest)
    if taking.latest is not None and taking.latest.id == id:
        return taking.latest
    return replace(pinned, id=taking.blobs.put(manifest))


def _keep_objects(taking: Taking, prefix: Prefix) -> Snapshot:
    """Takes objects; fetches those that are not known by their ETag, or whose bytes the snapshot before does not hold."""
    index, latest, keeper = taking.objects(), taking.latest, taking.keeper()
    objects = prefix.objects()
    listed = [FoundFile(one.name, "", (0, 0, one.size, 0)) for one in objects]
    found = FoundFiles(format=folder_format(listed, is_pattern=prefix.is_pattern), files=tuple(listed))
    before = KeptBytes(taking.blobs, latest.layout if latest else "")
    files, places = [], []
    with taking.workplace() as folder:
        for number, one in enumerate(objects):
            name, place = index.known(one), folder / str(number)
            if name and keeper.holds(name):
                # A table's columns are looked at; a folder's files are not.
                place = before.path(name) if found.format != "folder" else place
            else:
                prefix.fetch(one, place)
                name = digest_file(place)
            index.learn(one, name)
            files.append(SnapshotFile(path=one.name, digest=name, size=one.size))
            places.append(FoundFile(one.name, str(place), (0, 0, one.size, 0)))
            if taking.progress is not None:
                taking.progress(number + 1, len(objects))
        index.save()
        if latest is not None and latest.id == snapshot_id(files, found.format):
            return latest
        there = FoundFiles(format=found.format, files=tuple(places))
        schema, rows = (None, None) if found.format == "folder" else _inspect(there)
        _keep_rest(keeper, there, files, owned=True)
        described = describe_folder([(f.name, f.place, f.size) for f in places]) if schema is None else ()
        layout = keeper.finish(files)
    return _snapshot(taking, found.format, tuple(files), layout=layout, schema=schema, rows=rows, media=described)


def _keep_files(taking: Taking, found: FoundFiles) -> Snapshot:
    latest = taking.latest
    with no_collection():
        index = taking.digests()
        if latest is not None and latest.id == index.unchanged(found):
            return latest
    if found.format != "folder":
        return _keep_tables(taking, found, index)
    keeper = taking.keeper()
    files = _listed(found, index, keeper, taking.progress)
    index.save()
    if latest is not None and latest.id == snapshot_id(files, found.format):
        return latest
    _keep_rest(keeper, found, files)
    described = describe_folder([(file.name, file.place, file.size) for file in found.files])
    return _snapshot(taking, "folder", files, layout=keeper.finish(files), media=described)


def _keep_tables(taking: Taking, found: FoundFiles, index: DigestIndex) -> Snapshot:
    files = _listed(found, index, None, taking.progress)
    index.save()
    if taking.latest is not None and taking.latest.id == snapshot_id(files, found.format):
        return taking.latest
    schema, rows = _inspect(found)
    keeper = taking.keeper()
    _keep_rest(keeper, found, files)
    return _snapshot(taking, found.format, files, layout=keeper.finish(files), schema=schema, rows=rows)


def _listed(
    found: FoundFiles, index: DigestIndex, keeper: Keeper | None, progress: Progress | None
) -> tuple[SnapshotFile, ...]:
    """The files with their digests; those that must be read are kept on the way if there is a keeper."""
    files = []
    total = len(found.files)
    for number, file in enumerate(found.files):
        try:
            if keeper is None:
                name = index.digest(file.place, file.mark, partial(digest_file, Path(file.place)))
            else:
                name = index.digest(file.place, file.mark, partial(keeper.take, file.name, file.place, file.size))
        except OSError as error:
            raise _unreadable(file.name, error) from error
        files.append(SnapshotFile(path=file.name, digest=name, size=file.size))
        if progress is not None:
            progress(number + 1, total)
    return tuple(files)


def _keep_rest(keeper: Keeper, found: FoundFiles, files: Sequence[SnapshotFile], *, owned: bool = False) -> None:
    for file, source in zip(files, found.files, strict=True):
        if keeper.holds(file.digest):
            continue
        try:
            if keeper.take(file.path, source.place, source.size, owned=owned) != file.digest:
                raise changed_while_read(file.path)
        except OSError as error:
            raise _unreadable(file.path, error) from error


def _unreadable(name: str, error: OSError) -> InvalidInput:
    return InvalidInput(f"'{name}' cannot be read: {error.strerror}.", file=name)


def _inspect(found: FoundFiles) -> tuple[Schema, int]:
    require_arrow()
    import pyarrow as pa

    names = [f"'{file.name}'" for file in found.files]
    seen = [inspect_file(Path(file.place), found.format, name) for name, file in zip(names, found.files, strict=True)]
    schema = Schema.of(pa.schema(unify_fields([fields for fields, _ in seen], names)))
    rows = sum(count for _, count in seen)
    if not rows:
        raise InvalidInput(
            f"{f'{names[0]} holds' if len(names) == 1 else f'The {len(names)} files together hold'} no rows."
        )
    return schema, rows


def _snapshot(
    taking: Taking,
    format: SnapshotFormat,
    files: tuple[SnapshotFile, ...],
    *,
    layout: str,
    schema: Schema | None = None,
    rows: int | None = None,
    content: str = "",
    media: tuple[MediaKind, ...] = (),
) -> Snapshot:
    return Snapshot(
        id=taking.blobs.put(write_manifest(files, format)),
        dataset=taking.name,
        format=format,
        schema=schema,
        rows=rows,
        size=sum(file.size for file in files),
        file_count=len(files),
        layout=layout,
        content=content,
        media=media,
    )


def _latest(data: Data, name: str, branch: str) -> Snapshot | None:
    try:
        return data.get_snapshot(name, branch)
    except NotFound:
        return None
