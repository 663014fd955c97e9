"""The tables of models, versions and aliases, and how they are read."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.errors import InvalidInput, NotFound, did_you_mean
from flyball.evaluation.scores import Evaluation
from flyball.models.package import ModelPackage
from flyball.refs import Ref
from flyball.registry.verdicts import Verdict
from flyball.storage.database import Database
from flyball.storage.tables import Document, Instant, RowNumber, metadata, only_one

models = sa.Table(
    "models",
    metadata,
    sa.Column("name", sa.String(256), primary_key=True),
    sa.Column("latest", sa.Integer, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.Column("updated", Instant, nullable=False),
    sa.Column("tags", Document(dict[str, str])),
    sa.Column("deleted", Instant),
)

versions = sa.Table(
    "model_versions",
    metadata,
    sa.Column("model", sa.String(256), sa.ForeignKey("models.name"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("stage", sa.String(20), nullable=False),
    sa.Column("package", Document(ModelPackage), nullable=False),
    sa.Column("package_id", sa.String(64), nullable=False),
    sa.Column("run", sa.String(128), nullable=False),
    sa.Column("snapshots", Document(tuple[str, ...]), nullable=False),
    sa.Column("evaluation", Document(Evaluation)),
    sa.Column("holdout", sa.String(64), nullable=False),
    sa.Column("label", sa.String(250), nullable=False),
    sa.Column("slices", Document(tuple[str, ...]), nullable=False),
    sa.Column("reference", sa.String(64), nullable=False),
    sa.Column("code", sa.String(250), nullable=False),
    sa.Column("params", Document(dict[str, Any]), nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("tags", Document(dict[str, str]), nullable=False),
    sa.Column("verdict", Document(Verdict)),
    sa.Column("deleted", Instant),
    sa.Column("source", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("status", sa.String(20), nullable=False, server_default="ready"),
    sa.Column("user", sa.String(250), nullable=False, server_default=sa.text("''")),
    sa.Column("mlflow_stage", sa.String(20), nullable=False, server_default="None"),
    sa.Column("logged_model", sa.String(128), nullable=False, server_default=sa.text("''")),
    sa.Column("run_link", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("updated", Instant),
    sa.Index("ix_model_versions_run", "run"),
    # One champion per model, whoever promotes.
    only_one("uq_model_versions_champion", "model", where="stage = 'champion'"),
)

aliases = sa.Table(
    "model_aliases",
    metadata,
    sa.Column("model", sa.String(256), sa.ForeignKey("models.name"), primary_key=True),
    sa.Column("alias", sa.String(255), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)

alias_changes = sa.Table(
    "model_alias_changes",
    metadata,
    sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("model", sa.String(256), sa.ForeignKey("models.name"), nullable=False),
    sa.Column("alias", sa.String(255), nullable=False),
    sa.Column("version", sa.Integer),
    sa.Column("previous", sa.Integer),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Index("ix_model_alias_changes_model", "model", "id"),
)


def lock_new_model(database: Database, connection: sa.Connection, name: str, now: datetime) -> int:
    """Locks a model, made if there is none, until the transaction ends; gives the number of its latest version.

    Whoever changes anything of a model takes this lock first, so no two wait for each other in a circle, and numbers
    are given without gaps.
    """
    row = {"name": name, "latest": 0, "description": "", "created": now, "updated": now}
    connection.execute(database.insert(models).values(row).on_conflict_do_nothing())
    found = connection.execute(sa.select(models).where(models.c.name == name).with_for_update()).one()
    if found.deleted is not None:
        # The name begins anew, but for its numbers: what was written of the old ones must not mean new ones.
        anew = {"description": "", "tags": None, "created": now, "updated": now, "deleted": None}
        connection.execute(sa.update(models).where(models.c.name == name).values(**anew))
    return int(found.latest)


def lock_model(connection: sa.Connection, name: str) -> sa.Row[Any]:
    """The row of a model, locked until the transaction ends.

    Raises:
        NotFound: there is none of that name.
    """
    row = connection.execute(sa.select(models).where(models.c.name == name).with_for_update()).first()
    if row is None or row.deleted is not None:
        raise no_model(connection, name)
    return row


def model_row(connection: sa.Connection, name: str) -> sa.Row[Any]:
    """The row of a model, whether or not it has a version.

    Raises:
        NotFound: there is none of that name.
    """
    row = connection.execute(sa.select(models).where(models.c.name == name, models.c.deleted.is_(None))).first()
    if row is None:
        raise no_model(connection, name)
    return row


def version_row(connection: sa.Connection, model: str, version: int) -> sa.Row[Any]:
    """The row of a version.

    Raises:
        NotFound: there is no such model or version.
    """
    wanted = sa.and_(versions.c.model == model, versions.c.version == version, versions.c.deleted.is_(None))
    row = connection.execute(sa.select(versions).where(wanted)).first() if abs(version) < 1 << 31 else None
    if row is None:
        known = version_numbers(connection, model)
        if not known:
            raise no_version(connection, model)
        raise NotFound(
            f"Model '{model}' has no version {version}.",
            hint=f"The latest is {known[0]}."
            if known[0] < version
            else f"There is: {', '.join(map(str, known[:10]))}.",
            model=model,
        )
    return row


def resolve(connection: sa.Connection, ref: Ref) -> int:
    """The number of the version that a reference points at.

    Raises:
        NotFound: there is no such model, alias or version.
        InvalidInput: the version is no number.
    """
    if ref.version:
        if not (ref.version.isascii() and ref.version.isdigit()):
            raise InvalidInput(f"'{ref.version[:40]}' is no version.", hint=f"Write it as models:/{ref.name}/3.")
        return int(ref.version[:12])
    if ref.alias and ref.alias != "latest":
        pointed = aliases_of(connection, ref.name)
        if ref.alias in pointed:
            return pointed[ref.alias]
        if not version_numbers(connection, ref.name):
            raise no_version(connection, ref.name)
        hint = did_you_mean(ref.alias, [*pointed, "latest"])
        raise NotFound(f"Model '{ref.name}' has no alias '{ref.alias[:128]}'.", hint=hint, model=ref.name)
    known = version_numbers(connection, ref.name)
    if not known:
        raise no_version(connection, ref.name)
    return known[0]


def version_numbers(connection: sa.Connection, model: str) -> list[int]:
    """The numbers of a model's versions, newest first, up to 1,000."""
    query = sa.select(versions.c.version).where(versions.c.model == model, versions.c.deleted.is_(None))
    return list(connection.execute(query.order_by(versions.c.version.desc()).limit(1000)).scalars())


def aliases_of(connection: sa.Connection, model: str) -> dict[str, int]:
    """The aliases of a model and the versions they point at."""
    query = sa.select(aliases.c.alias, aliases.c.version).where(aliases.c.model == model).order_by(aliases.c.alias)
    return {row.alias: row.version for row in connection.execute(query)}


def aliases_of_many(connection: sa.Connection, names: Collection[str]) -> dict[tuple[str, int], tuple[str, ...]]:
    """The aliases of the versions of several models."""
    found: dict[tuple[str, int], tuple[str, ...]] = {}
    query = sa.select(aliases).where(aliases.c.model.in_(sorted(set(names)))).order_by(aliases.c.alias)
    for row in connection.execute(query):
        found[row.model, row.version] = (*found.get((row.model, row.version), ()), row.alias)
    return found


def champion(connection: sa.Connection, model: str) -> int | None:
    """The champion's number; None if there is none."""
    query = sa.select(versions.c.version).where(versions.c.model == model, versions.c.stage == "champion")
    return connection.execute(query).scalar()


def move_alias(
    database: Database,
    connection: sa.Connection,
    *,
    model: str,
    alias: str,
    version: int | None,
    reason: str,
    now: datetime,
) -> int | None:
    """Lets an alias point at a version, or removes it; gives the version that it pointed at before."""
    mine = sa.and_(aliases.c.model == model, aliases.c.alias == alias)
    previous = connection.execute(sa.select(aliases.c.version).where(mine)).scalar()
    if previous == version:
        return previous
    if version is None:
        connection.execute(sa.delete(aliases).where(mine))
    else:
        insert = database.insert(aliases).values(model=model, alias=alias, version=version)
        connection.execute(insert.on_conflict_do_update(index_elements=["model", "alias"], set_={"version": version}))
    change = {
        "model": model, "alias": alias, "version": version, "previous": previous, "reason": reason, "at": now,
    }  # fmt: skip
    connection.execute(sa.insert(alias_changes).values(change))
    return previous


def select_models() -> sa.Select[Any]:
    """Models with how many versions they have, 0 being the latest of none, and which one is champion."""
    live = versions.c.deleted.is_(None)
    is_champion = sa.and_(live, versions.c.stage == "champion")
    columns = (
        models.c.name,
        models.c.description,
        models.c.created,
        models.c.updated,
        models.c.tags,
        sa.func.count(versions.c.version).label("versions"),
        sa.func.coalesce(sa.func.max(versions.c.version), 0).label("latest"),
        sa.func.max(sa.case((is_champion, versions.c.version))).label("champion"),
    )
    joined = models.outerjoin(versions, sa.and_(versions.c.model == models.c.name, live))
    group = (models.c.name, models.c.description, models.c.created, models.c.updated, models.c.tags)
    return sa.select(*columns).select_from(joined).where(models.c.deleted.is_(None)).group_by(*group)


def no_version(connection: sa.Connection, name: str) -> NotFound:
    """The error that a model, or any version of it, is not there."""
    there = sa.select(models.c.name).where(models.c.name == name, models.c.deleted.is_(None))
    if connection.execute(there).first() is None:
        return no_model(connection, name)
    return NotFound(f"Model '{name[:256]}' has no version.", hint="Register one.", model=name[:256])


def no_model(connection: sa.Connection, name: str) -> NotFound:
    """The error that a model is not there."""
    live = sa.select(models.c.name).where(models.c.deleted.is_(None)).order_by(models.c.name).limit(1000)
    known = connection.execute(live).scalars().all()
    return NotFound(f"There is no model '{name[:256]}'.", hint=did_you_mean(name, known), model=name[:256])
