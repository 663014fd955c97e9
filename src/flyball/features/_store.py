"""The SQL of the features room."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.features.definition import FeatureView
from flyball.features.plan import FeaturePlan
from flyball.schema import Schema
from flyball.storage.database import Database
from flyball.storage.tables import Document, Instant, RowNumber, metadata

heads = sa.Table(
    "feature_views",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("declared", Instant, nullable=False),
    sa.Column("view", Document(FeatureView), nullable=False),
    sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
    sa.Column("deleted", Instant),
)

versions = sa.Table(
    "feature_view_versions",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("declared", Instant, nullable=False),
    sa.Column("view", Document(FeatureView), nullable=False),
    sa.Column("schema", Document(Schema)),
)

sets = sa.Table(
    "feature_sets",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("declared", Instant, nullable=False),
    sa.Column("plan", Document(FeaturePlan), nullable=False),
)

uses = sa.Table(
    "feature_uses",
    metadata,
    sa.Column("run", sa.String(128), primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("plan", Document(FeaturePlan), nullable=False),
)

pushes = sa.Table(
    "feature_pushes",
    metadata,
    sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("view", sa.String(128), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Index("ix_feature_pushes_view", "view", "id"),
)

materializations = sa.Table(
    "feature_materializations",
    metadata,
    sa.Column("view", sa.String(128), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("source", sa.String(250), nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("keys", sa.BigInteger, nullable=False),
    sa.Column("newest", Instant),
    sa.Column("known", Instant),
)


def lock(database: Database, connection: sa.Connection, name: str) -> sa.Row[Any] | None:
    """The newest version of a view, deleted or not, locked until the transaction ends; None if there never was one."""
    del database
    return connection.execute(sa.select(heads).where(heads.c.name == name).with_for_update()).first()


def head(connection: sa.Connection, name: str) -> sa.Row[Any] | None:
    """The newest version of a view; None if there is none."""
    return connection.execute(sa.select(heads).where(heads.c.name == name, heads.c.deleted.is_(None))).first()


def version(connection: sa.Connection, name: str, number: int) -> sa.Row[Any] | None:
    """One version of a view: `declared`, `view`, `schema`."""
    wanted = sa.and_(versions.c.name == name, versions.c.version == number)
    return connection.execute(sa.select(versions).where(wanted)).first()


def history(connection: sa.Connection, name: str) -> list[sa.Row[Any]]:
    """All versions of a view, the newest first."""
    query = sa.select(versions).where(versions.c.name == name).order_by(versions.c.version.desc())
    return list(connection.execute(query).all())


def names(connection: sa.Connection) -> list[str]:
    """Names to suggest from."""
    query = sa.select(heads.c.name).where(heads.c.deleted.is_(None)).order_by(heads.c.name).limit(1000)
    return list(connection.execute(query).scalars())


def views(connection: sa.Connection, limit: int, after: str) -> list[sa.Row[Any]]:
    """A page of views, by name."""
    query = sa.select(heads).where(heads.c.name > after, heads.c.deleted.is_(None)).order_by(heads.c.name)
    return list(connection.execute(query.limit(limit)).all())


def write(database: Database, connection: sa.Connection, declared: FeatureView, now: datetime) -> None:
    """Writes a version of a view, new or put right, and makes it the newest."""
    row = {"name": declared.name, "version": declared.version, "declared": now, "view": declared}
    kept = database.insert(versions).values(**row)
    connection.execute(
        kept.on_conflict_do_update(index_elements=["name", "version"], set_={"view": kept.excluded.view})
    )
    newest = database.insert(heads).values(**row, deleted=None)
    update = {"declared": now, "view": newest.excluded.view, "version": newest.excluded.version, "deleted": None}
    connection.execute(newest.on_conflict_do_update(index_elements=["name"], set_=update))


def keep_former(database: Database, connection: sa.Connection, row: sa.Row[Any], view: FeatureView) -> None:
    """Gives a view that was declared before there were versions its place among them."""
    given = {"name": row.name, "version": row.version, "declared": row.declared, "view": view}
    connection.execute(database.insert(versions).values(**given).on_conflict_do_nothing())


def write_schema(connection: sa.Connection, name: str, number: int, schema: Schema) -> None:
    """Says what a version keeps of a row."""
    wanted = sa.and_(versions.c.name == name, versions.c.version == number)
    connection.execute(sa.update(versions).where(wanted).values(schema=schema))


def delete(connection: sa.Connection, name: str, now: datetime) -> None:
    """Takes a view out of the catalog; its versions stay."""
    connection.execute(sa.update(heads).where(heads.c.name == name).values(deleted=now))


def newest_set(connection: sa.Connection, name: str, number: int = 0) -> sa.Row[Any] | None:
    """A set of features, its newest version by default."""
    query = sa.select(sets).where(sets.c.name == name).order_by(sets.c.version.desc()).limit(1)
    return connection.execute(query.where(sets.c.version == number) if number else query).first()


def set_names(connection: sa.Connection) -> list[str]:
    """The names of all sets."""
    return list(connection.execute(sa.select(sets.c.name).distinct().order_by(sets.c.name).limit(1000)).scalars())


def write_set(connection: sa.Connection, name: str, number: int, plan: FeaturePlan, now: datetime) -> None:
    """Adds a version of a set."""
    connection.execute(sa.insert(sets).values(name=name, version=number, declared=now, plan=plan))


def write_use(database: Database, connection: sa.Connection, run: str, plan: FeaturePlan, now: datetime) -> None:
    """Says what a run was made with."""
    made = database.insert(uses).values(run=run, at=now, plan=plan)
    connection.execute(made.on_conflict_do_update(index_elements=["run"], set_={"plan": made.excluded.plan, "at": now}))


def use(connection: sa.Connection, run: str) -> FeaturePlan | None:
    """What a run was made with; None if it was without features."""
    found: FeaturePlan | None = connection.execute(sa.select(uses.c.plan).where(uses.c.run == run)).scalar_one_or_none()
    return found


def write_materialization(database: Database, connection: sa.Connection, row: dict[str, Any]) -> None:
    """Says how far the values of a version are kept for serving."""
    made = database.insert(materializations).values(**row)
    update = {name: made.excluded[name] for name in row if name not in ("view", "version")}
    connection.execute(made.on_conflict_do_update(index_elements=["view", "version"], set_=update))


def materialization(connection: sa.Connection, view: str, number: int) -> sa.Row[Any] | None:
    """How far the values of a version are kept for serving."""
    wanted = sa.and_(materializations.c.view == view, materializations.c.version == number)
    return connection.execute(sa.select(materializations).where(wanted)).first()


def add_push(connection: sa.Connection, row: dict[str, Any]) -> int:
    """Adds rows that were pushed; gives the number of the push."""
    return int(connection.execute(sa.insert(pushes).values(**row).returning(pushes.c.id)).scalar_one())


def pushed(connection: sa.Connection, view: str) -> list[sa.Row[Any]]:
    """The pushes of a view, in their order."""
    return list(connection.execute(sa.select(pushes).where(pushes.c.view == view).order_by(pushes.c.id)).all())


def rewrite_push(connection: sa.Connection, number: int, digest: str, rows: int) -> None:
    """Puts other rows in the place of those of a push."""
    connection.execute(sa.update(pushes).where(pushes.c.id == number).values(digest=digest, rows=rows))


def delete_pushes(connection: sa.Connection, view: str) -> None:
    """Forgets what was pushed to a view."""
    connection.execute(sa.delete(pushes).where(pushes.c.view == view))
