"""The SQL of the data room."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.data.dataset import Dataset
from flyball.data.manifest import Snapshot
from flyball.storage.database import Database
from flyball.storage.tables import Document, Instant, RowNumber, metadata

_datasets = sa.Table(
    "datasets",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("declared", Instant, nullable=False),
    sa.Column("dataset", Document(Dataset), nullable=False),
)
_snapshots = sa.Table(
    "snapshots",
    metadata,
    # The place in the order of becoming the latest: content that comes back gets a new one.
    sa.Column("place", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("dataset", sa.String(128), nullable=False),
    sa.Column("id", sa.String(64), nullable=False),
    sa.Column("snapshot", Document(Snapshot), nullable=False),
    sa.UniqueConstraint("dataset", "id"),
    sa.Index("ix_snapshots_dataset_place", "dataset", "place"),
)


_refs = sa.Table(
    "data_refs",
    metadata,
    sa.Column("dataset", sa.String(128), primary_key=True),
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("snapshot", sa.String(64), nullable=False),
    sa.Column("moved", Instant, nullable=False),
)
_moves = sa.Table(
    "data_moves",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("dataset", sa.String(128), nullable=False),
    sa.Column("ref", sa.String(128), nullable=False),
    sa.Column("snapshot", sa.String(64), nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("cause", sa.String(32), nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Index("ix_data_moves_dataset_ref", "dataset", "ref", "number"),
)
LATEST = "latest"
"""The branch that is meant where none is named."""
# What is left of the id of a snapshot that is gone: enough for people, too little to hold on to its bytes.
_SHORT = 16


def dataset(connection: sa.Connection, name: str) -> Dataset | None:
    """The dataset of that name."""
    found: Dataset | None = connection.execute(
        sa.select(_datasets.c.dataset).where(_datasets.c.name == name)
    ).scalar_one_or_none()
    return found


def dataset_names(connection: sa.Connection) -> list[str]:
    """Names to suggest from."""
    return list(connection.execute(sa.select(_datasets.c.name).order_by(_datasets.c.name).limit(1000)).scalars())


def datasets(connection: sa.Connection, limit: int, after: str) -> list[Dataset]:
    """A page of datasets, by name."""
    query = sa.select(_datasets.c.dataset).where(_datasets.c.name > after)
    return list(connection.execute(query.order_by(_datasets.c.name).limit(limit)).scalars())


def write_dataset(database: Database, connection: sa.Connection, declared: Dataset, now: datetime) -> None:
    """Adds a dataset, or replaces its entry."""
    insert = database.insert(_datasets).values(name=declared.name, declared=now, dataset=declared)
    update = {"declared": now, "dataset": insert.excluded.dataset}
    connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=update))


def lock(connection: sa.Connection, name: str) -> None:
    """Makes others that record for the same dataset wait until this transaction ends."""
    if connection.dialect.name == "postgresql":
        # SQLite has one writer anyway. A row lock would not do: the dataset's row may not be there yet.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"snapshots {name}"))))


def latest_snapshot(connection: sa.Connection, name: str) -> Snapshot | None:
    """The latest snapshot of a dataset."""
    found = ref(connection, name, LATEST)
    if found is not None:
        return snapshot(connection, name, found.snapshot)
    first_release = snapshots(connection, name, 1, "")
    return first_release[0] if first_release else None


def snapshot(connection: sa.Connection, name: str, id: str) -> Snapshot | None:
    """The snapshot of exactly that id."""
    query = sa.select(_snapshots.c.snapshot).where(_snapshots.c.dataset == name, _snapshots.c.id == id)
    return _counted(connection.execute(query).scalar_one_or_none())


def ids_beginning(connection: sa.Connection, name: str, prefix: str) -> list[str]:
    """Up to three ids that begin so."""
    query = sa.select(_snapshots.c.id).where(
        _snapshots.c.dataset == name, _snapshots.c.id.startswith(prefix, autoescape=True)
    )
    return list(connection.execute(query.order_by(_snapshots.c.id).limit(3)).scalars())


def snapshots(connection: sa.Connection, name: str, limit: int, before: str) -> list[Snapshot]:
    """A page of snapshots, the latest first."""
    query = sa.select(_snapshots.c.snapshot).where(_snapshots.c.dataset == name)
    if before:
        place = sa.select(_snapshots.c.place).where(_snapshots.c.dataset == name, _snapshots.c.id == before)
        query = query.where(_snapshots.c.place < place.scalar_subquery())
    found = connection.execute(query.order_by(_snapshots.c.place.desc()).limit(limit)).scalars()
    return [one for one in map(_counted, found) if one is not None]


def _counted(found: Snapshot | None) -> Snapshot | None:
    # The first release kept the files themselves, and no number of them.
    return replace(found, file_count=len(found.files)) if found is not None and found.files else found


def write_latest(connection: sa.Connection, snapshot: Snapshot, *, is_known: bool) -> None:
    """Puts a snapshot at the end of the order; one that is known moves there."""
    if is_known:
        known = sa.and_(_snapshots.c.dataset == snapshot.dataset, _snapshots.c.id == snapshot.id)
        # Removed and added again, since only the database knows the next place.
        connection.execute(sa.delete(_snapshots).where(known))
    row = {"dataset": snapshot.dataset, "id": snapshot.id, "snapshot": snapshot}
    connection.execute(sa.insert(_snapshots), [row])


def ref(connection: sa.Connection, dataset: str, name: str) -> sa.Row[Any] | None:
    """The branch or tag of that name."""
    return connection.execute(sa.select(_refs).where(_refs.c.dataset == dataset, _refs.c.name == name)).first()


def refs(connection: sa.Connection, dataset: str) -> list[sa.Row[Any]]:
    """All branches and tags of a dataset, by kind and name."""
    query = sa.select(_refs).where(_refs.c.dataset == dataset).order_by(_refs.c.kind, _refs.c.name)
    return list(connection.execute(query).all())


def write_ref(
    database: Database, connection: sa.Connection, dataset: str, name: str, kind: str, snapshot: str, now: datetime
) -> None:
    """Makes a ref, or lets it point elsewhere."""
    row = {"dataset": dataset, "name": name, "kind": kind, "snapshot": snapshot, "moved": now}
    insert = database.insert(_refs).values(row)
    update = {"snapshot": snapshot, "moved": now}
    connection.execute(insert.on_conflict_do_update(index_elements=["dataset", "name"], set_=update))


def delete_ref(connection: sa.Connection, dataset: str, name: str) -> None:
    """Removes a ref; what it pointed at stays."""
    connection.execute(sa.delete(_refs).where(_refs.c.dataset == dataset, _refs.c.name == name))


def write_move(connection: sa.Connection, **values: Any) -> None:
    """Notes that a ref points elsewhere; what stands in the table of before there were moves is noted first."""
    dataset = values["dataset"]
    has_moves = sa.select(_moves.c.number).where(_moves.c.dataset == dataset).limit(1)
    if connection.execute(has_moves).first() is None:
        # The newest was written already by whoever moves.
        before = [one for one in snapshots(connection, dataset, 100_000, "") if one.id != values["snapshot"]]
        rows = [_first_move(dataset, one) for one in reversed(before)]
        if rows:
            connection.execute(sa.insert(_moves), rows)
    connection.execute(sa.insert(_moves).values(values))


def moves(connection: sa.Connection, dataset: str, ref: str, limit: int, before: int) -> list[Any]:
    """A page of moves, the latest first; of a dataset that has none yet, its snapshots."""
    query = sa.select(_moves).where(_moves.c.dataset == dataset)
    if ref:
        query = query.where(_moves.c.ref == ref)
    if before:
        query = query.where(_moves.c.number < before)
    found = list(connection.execute(query.order_by(_moves.c.number.desc()).limit(limit)).mappings())
    if found or before or ref not in ("", LATEST):
        return found
    return [{"number": 0, **_first_move(dataset, one)} for one in snapshots(connection, dataset, limit, "")]


def snapshot_as_of(connection: sa.Connection, dataset: str, ref: str, moment: datetime) -> str:
    """Id of the snapshot that a branch pointed at then; empty if at none."""
    fit = sa.and_(_moves.c.dataset == dataset, _moves.c.ref == ref, _moves.c.at <= moment)
    query = sa.select(_moves.c.snapshot).where(fit).order_by(_moves.c.number.desc()).limit(1)
    found = connection.execute(query).scalar_one_or_none()
    if found is None and ref == LATEST:
        older = (one.id for one in snapshots(connection, dataset, 100_000, "") if one.created <= moment)
        return next(older, "")
    return found or ""


def delete_snapshot(connection: sa.Connection, gone: Snapshot) -> None:
    """Removes a snapshot; those after it follow the one before it, and history keeps only the beginning of its id.

    A whole digest anywhere would keep its bytes for ever.
    """
    mine = sa.and_(_snapshots.c.dataset == gone.dataset, _snapshots.c.id == gone.id)
    connection.execute(sa.delete(_snapshots).where(mine))
    for place, child in _children(connection, gone):
        changed = replace(child, parent=gone.parent if gone.parent != gone.id else "")
        connection.execute(sa.update(_snapshots).where(_snapshots.c.place == place).values(snapshot=changed))
    for column in (_moves.c.snapshot, _moves.c.previous):
        named = sa.and_(_moves.c.dataset == gone.dataset, column == gone.id)
        connection.execute(sa.update(_moves).where(named).values({column.name: gone.id[:_SHORT]}))


def delete_dataset(connection: sa.Connection, name: str) -> None:
    """Removes a dataset with all that is known of it."""
    for table in (_snapshots, _refs, _moves):
        connection.execute(sa.delete(table).where(table.c.dataset == name))
    connection.execute(sa.delete(_datasets).where(_datasets.c.name == name))


def ids(connection: sa.Connection, dataset: str) -> list[str]:
    """The ids of all snapshots of a dataset."""
    query = sa.select(_snapshots.c.id).where(_snapshots.c.dataset == dataset).order_by(_snapshots.c.place)
    return list(connection.execute(query).scalars())


def _first_move(dataset: str, one: Snapshot) -> dict[str, Any]:
    return {
        "dataset": dataset, "ref": LATEST, "snapshot": one.id, "previous": one.parent, "at": one.created,
        "cause": "taken", "summary": one.summary,
    }  # fmt: skip


def replace_snapshot(connection: sa.Connection, old: Snapshot, new: Snapshot) -> None:
    """Puts a snapshot into the row of another, and its id wherever this room named the other."""
    there = sa.and_(_snapshots.c.dataset == old.dataset, _snapshots.c.id == old.id)
    if snapshot(connection, old.dataset, new.id) is None:
        connection.execute(sa.update(_snapshots).where(there).values(id=new.id, snapshot=new))
    else:
        connection.execute(sa.delete(_snapshots).where(there))
    for place, child in _children(connection, old):
        changed = replace(child, parent=new.id if child.id != new.id else old.parent)
        connection.execute(sa.update(_snapshots).where(_snapshots.c.place == place).values(snapshot=changed))
    for column in (_moves.c.snapshot, _moves.c.previous):
        named = sa.and_(_moves.c.dataset == old.dataset, column == old.id)
        connection.execute(sa.update(_moves).where(named).values({column.name: new.id}))
    pointing = sa.and_(_refs.c.dataset == old.dataset, _refs.c.snapshot == old.id)
    connection.execute(sa.update(_refs).where(pointing).values(snapshot=new.id))


def rewrite(connection: sa.Connection, changed: Snapshot) -> None:
    """Writes a snapshot again, in its own row."""
    mine = sa.and_(_snapshots.c.dataset == changed.dataset, _snapshots.c.id == changed.id)
    connection.execute(sa.update(_snapshots).where(mine).values(snapshot=changed))


def former(id: str) -> str:
    """The name under which what took the place of a snapshot is found."""
    return f"was-{id[:_SHORT]}"


def _children(connection: sa.Connection, parent: Snapshot) -> list[Any]:
    query = sa.select(_snapshots.c.place, _snapshots.c.snapshot).where(
        _snapshots.c.dataset == parent.dataset,
        sa.type_coerce(_snapshots.c.snapshot, sa.Text).contains(f'"parent":"{parent.id}"', autoescape=True),
    )
    return list(connection.execute(query).all())
