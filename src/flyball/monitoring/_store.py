"""The tables of ground truth and of windows, and how they are written and read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.monitoring.profile import Profile
from flyball.monitoring.windows import Window
from flyball.serialization import to_json
from flyball.storage.database import Database
from flyball.storage.tables import Document, Instant, metadata

# The value is JSON text, so that true, 1, 1.0 and "1" stay what they are.
ground_truth = sa.Table(
    "ground_truth",
    metadata,
    sa.Column("deployment", sa.String(128), primary_key=True),
    sa.Column("prediction_id", sa.String(200), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("known_at", Instant, nullable=False),
    sa.Column("revised", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)

# The profile is most of a window's bytes and seldom wanted, so lists of windows do not read it.
windows = sa.Table(
    "windows",
    metadata,
    sa.Column("deployment", sa.String(128), primary_key=True),
    sa.Column("start", Instant, primary_key=True),
    sa.Column("complete", sa.Boolean, nullable=False),
    sa.Column("document", Document(Window), nullable=False),
    sa.Column("profile", Document(Profile)),
)

_ROWS_PER_WRITE = 10_000
_IDS_PER_QUERY = 50_000


def write_truth(
    database: Database, connection: sa.Connection, deployment: str, values: dict[str, str], known_at: datetime
) -> int:
    """Writes ground truth by id; gives how many ids were new or changed. What was known later stays."""
    insert = database.insert(ground_truth)
    new = insert.excluded
    insert = insert.on_conflict_do_update(
        index_elements=["deployment", "prediction_id"],
        set_={"value": new.value, "known_at": new.known_at, "revised": ground_truth.c.revised + 1},
        where=sa.and_(new.value != ground_truth.c.value, new.known_at >= ground_truth.c.known_at),
    )
    fixed = {"deployment": deployment, "known_at": known_at, "revised": 0}
    # Sorted, so that two writers take the same rows in the same order and never wait for each other in a circle.
    rows = [{**fixed, "prediction_id": name, "value": values[name]} for name in sorted(values)]
    changed = 0
    for start in range(0, len(rows), _ROWS_PER_WRITE):
        options = {"preserve_rowcount": True}
        result = connection.execute(insert, rows[start : start + _ROWS_PER_WRITE], execution_options=options)
        changed += result.rowcount
    return changed


def read_truth(connection: sa.Connection, deployment: str, ids: Sequence[str]) -> list[sa.Row[Any]]:
    """The ground truth of those of the ids that have one."""
    return _of_ids(connection, sa.select(ground_truth), deployment, ids)


def read_values(connection: sa.Connection, deployment: str, ids: Sequence[str]) -> list[sa.Row[Any]]:
    """Id and value alone, of those of the ids that have one."""
    return _of_ids(connection, sa.select(ground_truth.c.prediction_id, ground_truth.c.value), deployment, ids)


def _of_ids(connection: sa.Connection, query: sa.Select[Any], deployment: str, ids: Sequence[str]) -> list[sa.Row[Any]]:
    # All ids as one value: to bind each by itself costs more than to find it.
    if connection.dialect.name == "sqlite":
        given = sa.func.json_each(sa.bindparam("ids", type_=sa.Text)).table_valued("value")
        query = query.where(ground_truth.c.prediction_id.in_(sa.select(given.c.value)))
    else:
        query = query.where(ground_truth.c.prediction_id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Text))))
    query = query.where(ground_truth.c.deployment == deployment)
    found: list[sa.Row[Any]] = []
    for start in range(0, len(ids), _IDS_PER_QUERY):
        part = list(dict.fromkeys(ids[start : start + _IDS_PER_QUERY]))
        is_text = connection.dialect.name == "sqlite"
        found += connection.execute(query, {"ids": to_json(part).decode() if is_text else part}).all()
    return found


def write_window(database: Database, connection: sa.Connection, row: dict[str, Any]) -> bool:
    """Writes a window; whether it is new, or complete for the first time. A complete one is not replaced by another."""
    insert = database.insert(windows).values(row).on_conflict_do_nothing()
    if connection.execute(insert.returning(windows.c.start)).first() is not None:
        return True
    same = sa.and_(windows.c.deployment == row["deployment"], windows.c.start == row["start"])
    values = {name: row[name] for name in ("complete", "document", "profile")}
    update = sa.update(windows).where(same).values(values)
    if row["complete"] and connection.execute(update.where(windows.c.complete.is_(False))).rowcount == 1:
        return True
    connection.execute(update.where(windows.c.complete.is_(row["complete"])))
    return False
