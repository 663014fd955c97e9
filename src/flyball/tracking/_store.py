"""The tables of runs, and how they are written and read.

A run's text id stands in one table; everywhere else it is its row number, so that a metric point costs few bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from flyball.errors import Conflict, NotFound
from flyball.serialization import digest
from flyball.storage.database import Database
from flyball.storage.tables import Document, Instant, RowNumber, metadata

DEFAULT = "Default"
"""Name of the experiment with the row number 0, which is made on demand."""

SEARCHED_TEXT = 1_500
"""Bytes of a param's text that an index of PostgreSQL has room for."""


def texts_of(owner: str, name: str, *more: sa.Index, **options: Any) -> sa.Table:
    """A table with a text for each key of an owner, who stands in it by row number."""
    return sa.Table(
        name,
        metadata,
        sa.Column(owner, sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(250), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        *more,
        **options,
    )


experiments = sa.Table(
    "experiments",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(500), nullable=False, unique=True),
    sa.Column("created", Instant, nullable=False),
    sa.Column("updated", Instant),
    sa.Column("deleted", Instant),
    sa.Column("location", sa.Text, nullable=False, server_default=sa.text("''")),
)

experiment_tags = texts_of("experiment", "experiment_tags", sqlite_with_rowid=False)

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
    # 0 where nobody sends any: such a run is only lost when it has written nothing for a long time.
    sa.Column("heartbeats", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("user", sa.String(250), nullable=False, server_default=sa.text("''")),
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

# Many points of one run and key in one row: `_chunks.py` says how. The digest of what it holds is part of its identity, so
# that one which is sent twice is kept once.
chunks = sa.Table(
    "metric_chunks",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("first_step", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.LargeBinary(16), primary_key=True),
    sa.Column("last_step", sa.BigInteger, nullable=False),
    sa.Column("first_at", Instant, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("undefined", sa.Integer, nullable=False),
    sa.Column("low", sa.Float(53)),
    sa.Column("high", sa.Float(53)),
    sa.Column("ends", sa.LargeBinary, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

# Points of many metrics that came at once: `_sheets.py` says how. One that is sent twice is kept once, as with chunks.
sheets = sa.Table(
    "metric_sheets",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("first_at", Instant, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.LargeBinary(16), primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

latest = sa.Table(
    "metric_latest",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("step", sa.BigInteger, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("value", sa.Float(53)),
    sa.Index("ix_metric_latest_value", "key", "value", "run"),
    sqlite_with_rowid=False,
)

params = sa.Table(
    "run_params",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.String(250), primary_key=True),
    sa.Column("value", Document(Any)),
    # What searches compare: `param_text` of the value.
    sa.Column("text", sa.Text),
    sa.Index("ix_run_params_text", "key", "text", "run"),
    sqlite_with_rowid=False,
)

tags = texts_of("run", "run_tags", sa.Index("ix_run_tags_key", "key", "run"), sqlite_with_rowid=False)

artifacts = sa.Table(
    "run_artifacts",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(1000), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("created", Instant, nullable=False),
)

# Bytes that belong to no run, such as those of logged models.
files = sa.Table(
    "stored_files",
    metadata,
    sa.Column("folder", sa.String(300), primary_key=True),
    sa.Column("name", sa.String(1000), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.Index("ix_stored_files_digest", "digest"),
)

OF_RUN = (points, chunks, sheets, latest, params, tags, artifacts)
"""Tables whose rows belong to a run by their column `run`, its row number."""


def tables_with(connection: sa.Connection, column: str) -> list[str]:
    """The tables, of whichever room, that hold row numbers in a column of that name."""
    inspector = sa.inspect(connection)
    return [
        table
        for table in inspector.get_table_names()
        for found in inspector.get_columns(table)
        if found["name"] == column and isinstance(found["type"], sa.Integer)
    ]


def experiment_number(database: Database, connection: sa.Connection, name: str, now: datetime) -> int:
    """The row number of an experiment; makes it if there is none.

    Raises:
        Conflict: it lies in the trash.
    """
    query = sa.select(experiments.c.number, experiments.c.deleted).where(experiments.c.name == name)
    found = connection.execute(query).first()
    if found is None:
        row = {"name": name, "created": now, "updated": now}
        if name == DEFAULT:
            row["number"] = 0
        connection.execute(database.insert(experiments).values(row).on_conflict_do_nothing())
        found = connection.execute(query).one()
    if found.deleted is not None:
        raise in_trash(found.number)
    return int(found.number)


def in_trash(number: int) -> Conflict:
    """Says that an experiment lies in the trash."""
    return Conflict(
        f"The experiment {number} must be in the 'active' state. Current state is deleted.",
        hint="Restore it first.",
    )


def key_numbers(
    database: Database, connection: sa.Connection, names: set[str]
) -> tuple[dict[str, int], dict[str, int]]:
    """The row numbers of metric keys that are there, and of those that are made just now."""
    query = sa.select(keys.c.name, keys.c.number).where(keys.c.name.in_(sorted(names)))
    found = {row.name: row.number for row in connection.execute(query)}
    missing = sorted(names - found.keys())
    if not missing:
        return found, {}
    # Sorted, so that two writers take the same rows in the same order and never wait for each other in a circle.
    connection.execute(database.insert(keys).on_conflict_do_nothing(), [{"name": name} for name in missing])
    return found, {row.name: row.number for row in connection.execute(query) if row.name not in found}


def find_experiment(connection: sa.Connection, experiment: str, *, locked: bool = False) -> sa.Row[Any]:
    """The row of an experiment, by its id, or by its name where there is none of that id.

    Raises:
        NotFound: there is none.
    """
    query = sa.select(experiments)
    query = query.with_for_update() if locked else query
    found = None
    if experiment.isascii() and experiment.isdecimal() and len(experiment) < 19:
        found = connection.execute(query.where(experiments.c.number == int(experiment))).first()
    if found is None:
        found = connection.execute(query.where(experiments.c.name == experiment)).first()
    if found is None:
        raise NotFound(f"There is no experiment '{experiment[:250]}'.", experiment=experiment[:250])
    return found


def param_text(value: object) -> str:
    """What a param is searched by: its text. One too long for an index is its beginning and its digest."""
    text = str(value)
    if len(text) <= SEARCHED_TEXT // 4 or len(text.encode()) <= SEARCHED_TEXT:
        return text
    return f"{text[:300]}...{digest(text.encode())}"


def write_artifacts(database: Database, connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
    """Writes artifacts; one of the same name is replaced."""
    insert = database.insert(artifacts)
    changed = {name: insert.excluded[name] for name in ("digest", "size", "kind", "created")}
    connection.execute(insert.on_conflict_do_update(index_elements=["run", "name"], set_=changed), rows)


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
