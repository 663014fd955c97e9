"""The tables of runs, and how they are written and read.

A run's text id stands in one table; everywhere else it is its row number, so that a metric point costs few bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from flyball.storage.database import Database
from flyball.storage.tables import Document, Instant, RowNumber, metadata

experiments = sa.Table(
    "experiments",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(250), nullable=False, unique=True),
    sa.Column("created", Instant, nullable=False),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(128), nullable=False, unique=True),
    sa.Column("experiment", sa.BigInteger, sa.ForeignKey("experiments.number"), nullable=False),
    sa.Column("name", sa.String(250), nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("parent", sa.String(128), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("code", sa.String(250), nullable=False),
    sa.Column("environment", Document(dict[str, str]), nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("started", Instant, nullable=False),
    sa.Column("ended", Instant),
    sa.Column("deleted", Instant),
    # By the database's own clock, in seconds: whether a process lives has nothing to do with the workspace's time.
    sa.Column("heartbeat", sa.Float(53), nullable=False),
    sa.Index("ix_runs_experiment", "experiment", "started", "number"),
    sa.Index("ix_runs_started", "started", "number"),
    sa.Index("ix_runs_parent", "parent"),
    sa.Index("ix_runs_state", "state"),
)

keys = sa.Table(
    "metric_keys",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(250), nullable=False, unique=True),
)

# All of a point is its identity, so a batch that is sent twice is kept once. An undefined value cannot be NULL in a
# primary key: it is 0 with the flag set.
points = sa.Table(
    "metric_points",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("step", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, primary_key=True, autoincrement=False),
    sa.Column("value", sa.Float(53), primary_key=True),
    sa.Column("undefined", sa.SmallInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

latest = sa.Table(
    "metric_latest",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("step", sa.BigInteger, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("value", sa.Float(53)),
    sqlite_with_rowid=False,
)

params = sa.Table(
    "run_params",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.String(250), primary_key=True),
    sa.Column("value", Document(Any)),
    sqlite_with_rowid=False,
)

tags = sa.Table(
    "run_tags",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.String(250), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

artifacts = sa.Table(
    "run_artifacts",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(250), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("created", Instant, nullable=False),
)


def experiment_number(database: Database, connection: sa.Connection, name: str, now: datetime) -> int:
    """The row number of an experiment; makes it if there is none."""
    query = sa.select(experiments.c.number).where(experiments.c.name == name)
    found = connection.execute(query).scalar()
    if found is None:
        connection.execute(database.insert(experiments).values(name=name, created=now).on_conflict_do_nothing())
        found = connection.execute(query).scalar_one()
    return int(found)


def key_numbers(database: Database, connection: sa.Connection, names: set[str]) -> dict[str, int]:
    """The row numbers of metric keys; makes those that are new."""
    query = sa.select(keys.c.name, keys.c.number).where(keys.c.name.in_(sorted(names)))
    found = {row.name: row.number for row in connection.execute(query)}
    missing = sorted(names - found.keys())
    if missing:
        # Sorted, so that two writers take the same rows in the same order and never wait for each other in a circle.
        connection.execute(database.insert(keys).on_conflict_do_nothing(), [{"name": name} for name in missing])
        found = {row.name: row.number for row in connection.execute(query)}
    return found


def write_points(database: Database, connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
    """Writes metric points, each once, and the latest of each key."""
    connection.execute(database.insert(points).on_conflict_do_nothing(), rows)
    newest: dict[int, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row["step"], row["at"], -row["undefined"], row["value"])):
        newest[row["key"]] = row
    last = [
        {
            "run": row["run"],
            "key": row["key"],
            "step": row["step"],
            "at": row["at"],
            "value": None if row["undefined"] else row["value"],
        }
        for _, row in sorted(newest.items())
    ]
    insert = database.insert(latest)
    new = insert.excluded
    insert = insert.on_conflict_do_update(
        index_elements=["run", "key"],
        set_={"step": new.step, "at": new.at, "value": new.value},
        where=sa.or_(
            new.step > latest.c.step,
            sa.and_(new.step == latest.c.step, new.at > latest.c.at),
            # The greater value of one moment, so that the order in which batches arrive does not count.
            sa.and_(
                new.step == latest.c.step,
                new.at == latest.c.at,
                sa.or_(latest.c.value.is_(None), new.value > latest.c.value),
            ),
        ),
    )
    connection.execute(insert, last)


def write_params(database: Database, connection: sa.Connection, run: int, given: dict[str, Any]) -> dict[str, Any]:
    """Writes params that are new; gives those that are kept under the given keys."""
    rows = [{"run": run, "key": key, "value": value} for key, value in sorted(given.items())]
    connection.execute(database.insert(params).on_conflict_do_nothing(), rows)
    query = sa.select(params.c.key, params.c.value).where(params.c.run == run, params.c.key.in_(sorted(given)))
    return {row.key: row.value for row in connection.execute(query)}


def write_tags(database: Database, connection: sa.Connection, run: int, given: dict[str, str]) -> None:
    """Writes tags; the last value of a key stays."""
    insert = database.insert(tags)
    insert = insert.on_conflict_do_update(index_elements=["run", "key"], set_={"value": insert.excluded.value})
    connection.execute(insert, [{"run": run, "key": key, "value": value} for key, value in sorted(given.items())])


def write_artifact(database: Database, connection: sa.Connection, row: dict[str, Any]) -> None:
    """Writes an artifact; one of the same name is replaced."""
    insert = database.insert(artifacts).values(row)
    changed = {name: insert.excluded[name] for name in ("digest", "size", "kind", "created")}
    connection.execute(insert.on_conflict_do_update(index_elements=["run", "name"], set_=changed))


def select_runs() -> sa.Select[Any]:
    """Runs with the name of their experiment."""
    joined = runs.join(experiments, runs.c.experiment == experiments.c.number)
    return sa.select(runs, experiments.c.name.label("experiment_name")).select_from(joined)


def details(connection: sa.Connection, numbers: Sequence[int]) -> dict[int, dict[str, dict[str, Any]]]:
    """Params, tags and latest metrics of runs, each kind in one query."""
    found: dict[int, dict[str, dict[str, Any]]] = {
        number: {"params": {}, "tags": {}, "metrics": {}} for number in numbers
    }
    for name, table in (("params", params), ("tags", tags)):
        query = sa.select(table).where(table.c.run.in_(numbers)).order_by(table.c.key)
        for row in connection.execute(query):
            found[row.run][name][row.key] = row.value
    named = latest.join(keys, latest.c.key == keys.c.number)
    last = sa.select(latest.c.run, keys.c.name, latest.c.value).select_from(named)
    for row in connection.execute(last.where(latest.c.run.in_(numbers)).order_by(keys.c.name)):
        found[row.run]["metrics"][row.name] = row.value
    return found


def beat_time(seconds: float) -> datetime:
    """The moment of a heartbeat."""
    return datetime.fromtimestamp(seconds, UTC)
