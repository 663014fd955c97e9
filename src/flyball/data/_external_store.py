"""The SQL of other tools' data and jobs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from flyball.data.catalog_entry import EntryText
from flyball.storage.database import Database
from flyball.storage.tables import Document, Instant, metadata

if TYPE_CHECKING:
    from flyball.data.external import ExternalRun

things = sa.Table(
    "external_things",
    metadata,
    sa.Column("ref", sa.String(300), primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("entry", Document(EntryText), nullable=False),
)
runs = sa.Table(
    "external_runs",
    metadata,
    sa.Column("job", sa.String(300), primary_key=True),
    sa.Column("id", sa.String(100), primary_key=True),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("started", Instant, nullable=False),
    sa.Column("ended", Instant),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("producer", sa.String(500), nullable=False),
    sa.Index("ix_external_runs_started", "started"),
)
_LOCK = 0x0F1E


def lock(connection: sa.Connection) -> None:
    """Lets events be recorded one after the other."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def thing(connection: sa.Connection, ref: str) -> EntryText | None:
    """What is known of a thing."""
    row = thing_row(connection, ref)
    return None if row is None else row.entry


def thing_row(connection: sa.Connection, ref: str) -> sa.Row[Any] | None:
    """What is known of a thing, and the moment of the latest event about it."""
    return connection.execute(sa.select(things).where(things.c.ref == ref)).first()


def refs(connection: sa.Connection, kind: str) -> list[str]:
    """The references of all things of a kind."""
    query = sa.select(things.c.ref).where(things.c.ref.startswith(f"{kind}:/", autoescape=True))
    return list(connection.execute(query.order_by(things.c.ref)).scalars())


def write_thing(database: Database, connection: sa.Connection, entry: EntryText, at: datetime) -> None:
    """Keeps what is known of a thing."""
    insert = database.insert(things).values(ref=entry.ref, at=at, entry=entry)
    changed = {"at": at, "entry": insert.excluded.entry}
    connection.execute(insert.on_conflict_do_update(index_elements=["ref"], set_=changed))


def remove(connection: sa.Connection, ref: str) -> bool:
    """Removes a thing with its runs; False if there was none."""
    connection.execute(sa.delete(runs).where(runs.c.job == ref))
    return connection.execute(sa.delete(things).where(things.c.ref == ref)).rowcount > 0


def run_row(connection: sa.Connection, job: str, id_: str) -> sa.Row[Any] | None:
    """One run of a job."""
    return connection.execute(sa.select(runs).where(runs.c.job == job, runs.c.id == id_)).first()


def run_rows(connection: sa.Connection, job: str, limit: int) -> list[sa.Row[Any]]:
    """Runs, the latest first."""
    query = sa.select(runs).where(runs.c.job == job) if job else sa.select(runs)
    return list(connection.execute(query.order_by(runs.c.started.desc(), runs.c.id).limit(limit)))


def write_run(database: Database, connection: sa.Connection, run: ExternalRun) -> None:
    """Keeps a run."""
    values = {name: getattr(run, name) for name in ("state", "started", "ended", "error", "producer")}
    insert = database.insert(runs).values(job=run.job, id=run.id, **values)
    connection.execute(insert.on_conflict_do_update(index_elements=["job", "id"], set_=values))
