"""The tables of what went into runs and came out of them: data sets, and models that were logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from flyball.storage.database import Database
from flyball.storage.tables import Document, Instant, RowNumber, metadata

# One data set of an experiment is kept once, however many runs read it.
datasets = sa.Table(
    "logged_datasets",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("experiment", sa.BigInteger, nullable=False),
    sa.Column("name", sa.String(500), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("source_type", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("schema", sa.Text, nullable=False),
    sa.Column("profile", sa.Text, nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.UniqueConstraint("experiment", "name", "digest"),
    sa.Index("ix_logged_datasets_name", "name", "digest"),
)

run_datasets = sa.Table(
    "run_datasets",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("dataset", sa.BigInteger, primary_key=True, autoincrement=False),
    # What it was used for, such as `training`: the tag that filters ask for, beside all the tags.
    sa.Column("context", sa.String(500)),
    sa.Column("tags", Document(dict[str, str]), nullable=False),
    sa.Index("ix_run_datasets_dataset", "dataset"),
)

run_models = sa.Table(
    "run_models",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("role", sa.String(6), primary_key=True),  # input or output
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("step", sa.BigInteger, nullable=False),
    sa.Index("ix_run_models_model", "model"),
)


def write_datasets(database: Database, connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes data sets; those of an experiment, name and digest that are there stay as they are."""
    connection.execute(database.insert(datasets).on_conflict_do_nothing(), list(rows))


def dataset_numbers(connection: sa.Connection, experiment: int, names: set[str]) -> dict[tuple[str, str], int]:
    """Row numbers of an experiment's data sets of these names, by name and digest."""
    wanted = (datasets.c.experiment == experiment, datasets.c.name.in_(sorted(names)))
    rows = connection.execute(sa.select(datasets.c.name, datasets.c.digest, datasets.c.number).where(*wanted))
    return {(row.name, row.digest): row.number for row in rows}


def write_uses(
    database: Database,
    connection: sa.Connection,
    rows: Sequence[Mapping[str, Any]],
    models: Sequence[Mapping[str, Any]],
) -> None:
    """Writes which data sets and models runs used; what is there already stays."""
    if rows:
        connection.execute(database.insert(run_datasets).on_conflict_do_nothing(), list(rows))
    if models:
        connection.execute(database.insert(run_models).on_conflict_do_nothing(), list(models))


def uses_of(connection: sa.Connection, numbers: Sequence[int]) -> tuple[Sequence[sa.Row[Any]], Sequence[sa.Row[Any]]]:
    """The data sets and the models of runs, each in the order they were noted."""
    joined = run_datasets.join(datasets, datasets.c.number == run_datasets.c.dataset)
    sets = sa.select(run_datasets.c.run, run_datasets.c.tags, datasets).select_from(joined)
    sets = sets.where(run_datasets.c.run.in_(numbers)).order_by(run_datasets.c.run, datasets.c.number)
    models = sa.select(run_models).where(run_models.c.run.in_(numbers)).order_by(run_models.c.model)
    return connection.execute(sets).all(), connection.execute(models).all()


def summaries(experiments: Sequence[int], limit: int) -> sa.Select[Any]:
    """What data sets the experiments' runs used, and for what."""
    joined = datasets.join(run_datasets, datasets.c.number == run_datasets.c.dataset)
    columns = (datasets.c.experiment, datasets.c.name, datasets.c.digest, run_datasets.c.context)
    query = sa.select(*columns).distinct().select_from(joined).where(datasets.c.experiment.in_(experiments))
    return query.order_by(*columns).limit(limit)
