"""The SQL of what is known of the quality of datasets, and of personal data in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from flyball.data.manifest import Snapshot
from flyball.data.pii import check_kind
from flyball.data.validate import ValidationReport
from flyball.storage.database import Database
from flyball.storage.tables import Document, Instant, RowNumber, metadata

NO_PII = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class PiiClasses:
    """What people have said of the columns of a dataset.

    Attributes:
        declared: Kind of personal data by column.
        cleared: Columns that hold none, whatever they look like.
    """

    declared: dict[str, str] = field(default_factory=dict)
    cleared: tuple[str, ...] = ()

    def of(self, column: str) -> str | None:
        """What was said of a column: a kind, `none`, or nothing."""
        return NO_PII if column in self.cleared else self.declared.get(column)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """A snapshot whose rows of a person are being purged.

    Attributes:
        snapshot: As it was.
        rows: How many rows are purged.
        profile: Digest of its profile; empty if none was kept.
    """

    snapshot: Snapshot
    rows: int
    profile: str = ""


profiles = sa.Table(
    "data_profiles",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("dataset", sa.String(128), nullable=False),
    sa.Column("snapshot", sa.String(64), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("profile", sa.String(64), nullable=False),
    sa.UniqueConstraint("dataset", "snapshot"),
)
reports = sa.Table(
    "data_reports",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("dataset", sa.String(128), nullable=False),
    sa.Column("snapshot", sa.String(64), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("report", Document(ValidationReport), nullable=False),
    sa.Index("ix_data_reports_dataset", "dataset", "number"),
)
classes = sa.Table(
    "data_pii_classes",
    metadata,
    sa.Column("dataset", sa.String(128), primary_key=True),
    sa.Column("classes", Document(PiiClasses), nullable=False),
)
forgettings = sa.Table(
    "data_forgettings",
    metadata,
    # What is being purged: until it is done, it is known what has to go.
    sa.Column("dataset", sa.String(128), primary_key=True),
    sa.Column("snapshot", sa.String(64), primary_key=True),
    sa.Column("forgetting", Document(Forgetting), nullable=False),
)


def write_profile(
    database: Database, connection: sa.Connection, dataset: str, snapshot: str, digest: str, now: datetime
) -> None:
    """Keeps where the profile of a snapshot is; a new one takes the place of the old."""
    insert = database.insert(profiles).values(dataset=dataset, snapshot=snapshot, at=now, profile=digest)
    connection.execute(
        insert.on_conflict_do_update(index_elements=["dataset", "snapshot"], set_={"at": now, "profile": digest})
    )


def profile_digests(connection: sa.Connection, dataset: str, snapshots: list[str]) -> dict[str, str]:
    """Digests of the profiles of some snapshots."""
    query = sa.select(profiles.c.snapshot, profiles.c.profile).where(
        profiles.c.dataset == dataset, profiles.c.snapshot.in_(snapshots)
    )
    return {row.snapshot: row.profile for row in connection.execute(query)}


def delete_profiles(connection: sa.Connection, dataset: str, snapshots: list[str]) -> None:
    """Lets the profiles and reports of snapshots go."""
    for table in (profiles, reports):
        connection.execute(sa.delete(table).where(table.c.dataset == dataset, table.c.snapshot.in_(snapshots)))


def write_report(
    connection: sa.Connection, dataset: str, snapshot: str, report: ValidationReport, now: datetime
) -> None:
    """Keeps a report."""
    row = {"dataset": dataset, "snapshot": snapshot, "at": now, "report": report}
    connection.execute(sa.insert(reports), [row])


def latest_reports(
    connection: sa.Connection, dataset: str, limit: int, before: int
) -> list[tuple[int, str, datetime, ValidationReport]]:
    """A page of the reports of a dataset, the latest first."""
    query = sa.select(reports.c.number, reports.c.snapshot, reports.c.at, reports.c.report)
    query = query.where(reports.c.dataset == dataset)
    if before:
        query = query.where(reports.c.number < before)
    found = connection.execute(query.order_by(reports.c.number.desc()).limit(limit))
    return [(row.number, row.snapshot, row.at, row.report) for row in found]


def pii_classes(connection: sa.Connection, dataset: str) -> PiiClasses:
    """What people have said of a dataset's columns."""
    found: PiiClasses | None = connection.execute(
        sa.select(classes.c.classes).where(classes.c.dataset == dataset)
    ).scalar_one_or_none()
    return found or PiiClasses()


def say_classes(database: Database, connection: sa.Connection, dataset: str, said: Mapping[str, str]) -> PiiClasses:
    """Keeps what people say of columns; what was said of others stays.

    Args:
        said: Kind by column: `none` for a column that holds none, an empty text to take back what was said.

    Raises:
        InvalidInput: there is no such kind.
    """
    before = pii_classes(connection, dataset)
    declared = {name: kind for name, kind in before.declared.items() if name not in said}
    declared |= {name: check_kind(kind) for name, kind in said.items() if kind not in ("", NO_PII)}
    cleared = [name for name in before.cleared if name not in said]
    cleared += [name for name, kind in said.items() if kind == NO_PII]
    after = PiiClasses(declared=declared, cleared=tuple(cleared))
    if after != before:
        _write_classes(database, connection, dataset, after)
    return after


def _write_classes(database: Database, connection: sa.Connection, dataset: str, said: PiiClasses) -> None:
    insert = database.insert(classes).values(dataset=dataset, classes=said)
    connection.execute(
        insert.on_conflict_do_update(index_elements=["dataset"], set_={"classes": insert.excluded.classes})
    )


def write_forgetting(database: Database, connection: sa.Connection, forgetting: Forgetting) -> None:
    """Keeps what is about to be purged."""
    dataset, snapshot = forgetting.snapshot.dataset, forgetting.snapshot.id
    insert = database.insert(forgettings).values(dataset=dataset, snapshot=snapshot, forgetting=forgetting)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["dataset", "snapshot"], set_={"forgetting": insert.excluded.forgetting}
        )
    )


def pending_forgettings(connection: sa.Connection, dataset: str) -> list[Forgetting]:
    """What was begun and is not done."""
    query = sa.select(forgettings.c.forgetting).where(forgettings.c.dataset == dataset)
    return list(connection.execute(query.order_by(forgettings.c.snapshot)).scalars())


def delete_forgettings(connection: sa.Connection, dataset: str) -> None:
    """Notes that all is done."""
    connection.execute(sa.delete(forgettings).where(forgettings.c.dataset == dataset))
