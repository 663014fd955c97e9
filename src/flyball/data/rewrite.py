"""Rewrites what cannot be rewritten otherwise: a snapshot without some of its rows, and the bytes that held them gone at once.

Whoever must forget a person calls `rewrite_snapshot` for each snapshot that knows them, then `purge_bytes` once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.data._files import read_file
from flyball.data._frames import write_frame
from flyball.data._keeping import Keeper
from flyball.data.arrow import unify_fields
from flyball.data.layout import KeptBytes
from flyball.data.manifest import BY_REFERENCE, Snapshot, SnapshotFile, snapshot_files, write_manifest
from flyball.errors import InvalidInput
from flyball.schema import Schema
from flyball.serialization import to_json
from flyball.storage.references import referred_to

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.storage.database import Database
    from flyball.storage.objects import Blobs

Rewrite = Callable[[str, Any], Any]
"""Is given the name of a file and its table, and gives the table that takes its place; the same object where nothing changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """What came of a rewriting.

    Attributes:
        snapshot: The new one; the old one where nothing had to change.
        former: Blobs and parts of packs that only the old one may need.
    """

    snapshot: Snapshot
    former: tuple[str, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether there is a new snapshot."""
        return bool(self.former)


def rewrite_snapshot(
    versions: Any, blobs: Blobs, snapshot: Snapshot, rewrite: Rewrite, *, reason: str, cache: Path | None = None
) -> Rewritten:
    """Puts other content in the place of a snapshot, under a new id, with an event that tells of it.

    Branches, tags and history name the new one; who asks for the old id is given the new one. The old bytes are there until
    `purge_bytes` is called, or until the next gc.

    Args:
        versions: The service `DataVersions`, here or on a server.
        snapshot: A table; of a folder give the files anew as a snapshot instead.
        rewrite: Gives the table that takes the place of a file's.
        reason: Why, for the audit.
        cache: Folder for what is made on the way.

    Raises:
        InvalidInput: the snapshot is no table that is kept here, or nothing would be left of it.
    """
    if snapshot.schema is None or snapshot.format in BY_REFERENCE:
        raise InvalidInput(f"'{snapshot.dataset}' is no table whose files are kept here.")
    kept = KeptBytes(blobs, snapshot.layout)
    # Without a base: what is new shares no pack with what shall go.
    keeper = Keeper(blobs)
    files: list[SnapshotFile] = []
    tables: list[pa.Table] = []
    changed = False
    if cache:
        cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="rewriting-", dir=cache) as name:
        for number, file in enumerate(snapshot_files(blobs, snapshot)):
            before = read_file(kept.path(file.digest), snapshot.format, f"'{file.path}'")
            after = rewrite(file.path, before)
            changed = changed or after is not before
            if after is not before and not after.num_rows:
                continue
            place = (
                kept.path(file.digest) if after is before else _written(after, Path(name) / str(number), file, snapshot)
            )
            size = place.stat().st_size
            digest = keeper.take(file.path, place, size, owned=after is not before)
            files.append(SnapshotFile(path=file.path, digest=digest, size=size))
            tables.append(after)
        if not changed:
            return Rewritten(snapshot=snapshot)
        if not files:
            raise InvalidInput(
                f"Nothing would be left of {snapshot.dataset}/{snapshot.id[:12]}.", hint="Delete the snapshot instead."
            )
        layout = keeper.finish(files)
    names = [f"'{file.path}'" for file in files]
    import pyarrow as pa

    new = Snapshot(
        id=blobs.put(write_manifest(files, snapshot.format)),
        dataset=snapshot.dataset,
        format=snapshot.format,
        schema=Schema.of(pa.schema(unify_fields([table.schema for table in tables], names))),
        rows=sum(table.num_rows for table in tables),
        size=sum(file.size for file in files),
        file_count=len(files),
        layout=layout,
    )
    recorded: Snapshot = versions.replace_snapshot(snapshot.dataset, snapshot.id, new, reason)
    return Rewritten(snapshot=recorded, former=tuple(sorted(bytes_of(blobs, snapshot) - bytes_of(blobs, recorded))))


def purge_bytes(
    database: Database, versions: Any, blobs: Blobs, snapshots: Iterable[Snapshot], former: Sequence[str]
) -> int:
    """Removes at once the bytes that only former snapshots needed, also out of packs that others share.

    Args:
        snapshots: Every snapshot that is recorded, of every dataset.
        former: What the rewritten ones gave as `former`.

    Returns:
        How many blobs were removed.
    """
    gone = set(former)
    alive: set[str] = set()
    repacked: set[str] = set()
    for one in snapshots:
        kept = KeptBytes(blobs, one.layout)
        held = {pack.pack for pack in kept.layout.packs} | kept.places.keys() | kept.recipes.keys()
        files = snapshot_files(blobs, one)
        needed = {file.digest for file in files}
        needed = needed.union(*(recipe.chunks for recipe in kept.recipes.values() if recipe.file in needed))
        # Its own parts stay; that others of the same pack shall go is why it moves to a new one.
        if one.format not in BY_REFERENCE and (held - needed) & gone:
            repacked |= bytes_of(blobs, one)
            keeper = Keeper(blobs)
            for file in files:
                keeper.take(file.path, kept.path(file.digest), file.size)
            one = versions.set_layout(one.dataset, one.id, keeper.finish(files))
        alive |= bytes_of(blobs, one)
    dead = sorted(name for name in (gone | repacked) - alive if blobs.has(name))
    with database.reading() as connection:
        # A model version may still name a former snapshot's manifest; the rows themselves are what must not stay.
        named = referred_to(connection, blobs, dead) if dead else set()
    removed = [name for name in dead if name not in named]
    for name in removed:
        blobs.delete(name)
    for name in gone:
        blobs.forget_copy(name)
    return len(removed)


def _written(table: pa.Table, target: Path, file: SnapshotFile, snapshot: Snapshot) -> Path:
    import pyarrow.csv as pc

    if snapshot.format == "parquet":
        write_frame(table, target, f"'{file.path}'")
    elif snapshot.format == "csv":
        pc.write_csv(table, target)
    else:
        target.write_bytes(b"\n".join(to_json(row) for row in table.to_pylist()) + b"\n")
    return target


def bytes_of(blobs: Blobs, snapshot: Snapshot) -> set[str]:
    """Every blob and every part of a pack that a snapshot stands on."""
    kept = KeptBytes(blobs, snapshot.layout)
    found = {snapshot.id, *(file.digest for file in snapshot_files(blobs, snapshot))}
    if snapshot.layout:
        found.add(snapshot.layout)
    for pack in kept.layout.packs:
        found |= {pack.pack, pack.index}
    found.update(kept.layout.recipes, kept.layout.whole)
    for recipe in kept.recipes.values():
        found.update(recipe.chunks)
    return found
