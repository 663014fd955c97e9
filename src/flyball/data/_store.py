"""The SQL of the data room."""

from __future__ import annotations

from datetime import datetime

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
    found = snapshots(connection, name, 1, "")
    return found[0] if found else None


def snapshot(connection: sa.Connection, name: str, id: str) -> Snapshot | None:
    """The snapshot of exactly that id."""
    query = sa.select(_snapshots.c.snapshot).where(_snapshots.c.dataset == name, _snapshots.c.id == id)
    found: Snapshot | None = connection.execute(query).scalar_one_or_none()
    return found


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
    return list(connection.execute(query.order_by(_snapshots.c.place.desc()).limit(limit)).scalars())


def write_latest(connection: sa.Connection, snapshot: Snapshot, *, is_known: bool) -> None:
    """Puts a snapshot at the end of the order; one that is known moves there."""
    if is_known:
        known = sa.and_(_snapshots.c.dataset == snapshot.dataset, _snapshots.c.id == snapshot.id)
        # Removed and added again, since only the database knows the next place.
        connection.execute(sa.delete(_snapshots).where(known))
    row = {"dataset": snapshot.dataset, "id": snapshot.id, "snapshot": snapshot}
    connection.execute(sa.insert(_snapshots), [row])
