"""The tables of models as runs log them, before anybody registers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from flyball.storage.database import Database
from flyball.storage.tables import Instant, RowNumber, metadata
from flyball.tracking._store import texts_of

models = sa.Table(
    "logged_models",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("experiment", sa.BigInteger, sa.ForeignKey("experiments.number"), nullable=False),
    sa.Column("name", sa.String(500), nullable=False),
    sa.Column("kind", sa.String(500), nullable=False),
    sa.Column("run", sa.String(128), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.Column("updated", Instant, nullable=False),
    sa.Column("deleted", Instant),
    sa.Index("ix_logged_models_experiment", "experiment", "created"),
    sa.Index("ix_logged_models_run", "run"),
)

params = texts_of("model", "logged_model_params")
tags = texts_of("model", "logged_model_tags")

# A point that a run logs for a model stands with the run's points and once more here, with the data it was measured on.
metrics = sa.Table(
    "logged_model_metrics",
    metadata,
    sa.Column("model", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.String(250), primary_key=True),
    sa.Column("step", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, primary_key=True, autoincrement=False),
    sa.Column("run", sa.String(128), primary_key=True),
    sa.Column("dataset", sa.String(500), primary_key=True),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("value", sa.Float(53)),
)


def write_params(database: Database, connection: sa.Connection, model: int, given: Mapping[str, str]) -> dict[str, str]:
    """Writes params that are new; gives those that are kept under the given keys."""
    if given:
        rows = [{"model": model, "key": key, "value": value} for key, value in sorted(given.items())]
        connection.execute(database.insert(params).on_conflict_do_nothing(), rows)
    query = sa.select(params.c.key, params.c.value).where(params.c.model == model, params.c.key.in_(sorted(given)))
    return {row.key: row.value for row in connection.execute(query)}


def write_tags(database: Database, connection: sa.Connection, model: int, given: Mapping[str, str]) -> None:
    """Writes tags; the last value of a key stays."""
    if given:
        insert = database.insert(tags)
        insert = insert.on_conflict_do_update(index_elements=["model", "key"], set_={"value": insert.excluded.value})
        connection.execute(
            insert, [{"model": model, "key": key, "value": value} for key, value in sorted(given.items())]
        )


def write_metrics(database: Database, connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes points; one that is sent twice is kept once."""
    connection.execute(database.insert(metrics).on_conflict_do_nothing(), list(rows))


def details(connection: sa.Connection, numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Params, tags and metrics of models, each kind in one query."""
    found: dict[int, dict[str, Any]] = {number: {"params": {}, "tags": {}, "metrics": []} for number in numbers}
    for name, table in (("params", params), ("tags", tags)):
        query = sa.select(table).where(table.c.model.in_(numbers)).order_by(table.c.key)
        for row in connection.execute(query):
            found[row.model][name][row.key] = row.value
    order = (metrics.c.key, metrics.c.step, metrics.c.at, metrics.c.dataset, metrics.c.digest)
    for row in connection.execute(sa.select(metrics).where(metrics.c.model.in_(numbers)).order_by(*order)):
        found[row.model]["metrics"].append(row)
    return found


def latest(key: str, among: Sequence[sa.ColumnElement[bool]], name: str) -> sa.Subquery:
    """The last value of a metric of each model: that of the highest step, then time, then value."""
    last = (metrics.c.step.desc(), metrics.c.at.desc(), metrics.c.value.desc())
    place = sa.func.row_number().over(partition_by=metrics.c.model, order_by=last).label("place")
    # An undefined value is no value to compare or to order by.
    wanted = (metrics.c.key == key, metrics.c.value.is_not(None), *among)
    ranked = sa.select(metrics.c.model, metrics.c.value, place).where(*wanted).subquery()
    return sa.select(ranked.c.model, ranked.c.value).where(ranked.c.place == 1).subquery(name)
