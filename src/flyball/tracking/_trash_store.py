"""What the trash does with many runs at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.storage.database import Database
from flyball.tracking import _store

AT_ONCE = 500
_runs = _store.runs


def parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The items in parts of which one statement can bind all."""
    for start in range(0, len(items), AT_ONCE):
        yield items[start : start + AT_ONCE]


def states(connection: sa.Connection, ids: Sequence[str]) -> dict[str, Any]:
    """Number, state and deletion of runs, by id."""
    columns = (_runs.c.id, _runs.c.number, _runs.c.state, _runs.c.deleted)
    found: dict[str, Any] = {}
    for some in parts(ids):
        # In the order of their numbers, so that two that lock many never wait for each other in a circle.
        query = sa.select(*columns).where(_runs.c.id.in_(some)).order_by(_runs.c.number).with_for_update()
        found.update((row.id, row) for row in connection.execute(query))
    return found


def set_deleted(connection: sa.Connection, numbers: Sequence[int], at: datetime | None) -> None:
    """Puts runs into the trash, or takes them out."""
    for some in parts(numbers):
        connection.execute(sa.update(_runs).where(_runs.c.number.in_(some)).values(deleted=at))


def set_tags(database: Database, connection: sa.Connection, numbers: Sequence[int], tags: Mapping[str, str]) -> None:
    """Writes the same tags to runs."""
    if not numbers or not tags:
        return
    insert = database.insert(_store.tags)
    insert = insert.on_conflict_do_update(index_elements=["run", "key"], set_={"value": insert.excluded.value})
    rows = [{"run": number, "key": key, "value": tags[key]} for number in sorted(numbers) for key in sorted(tags)]
    connection.execute(insert, rows)


def trashed_before(connection: sa.Connection, moment: datetime) -> list[Any]:
    """Number and id of the runs that were put into the trash before a moment."""
    query = sa.select(_runs.c.number, _runs.c.id).where(_runs.c.deleted < moment).order_by(_runs.c.number)
    return list(connection.execute(query).all())


def count_rows(connection: sa.Connection, conditions: Mapping[str, sa.ColumnElement[bool]]) -> dict[str, int]:
    """How many rows of tables fit conditions; tables without any are left out."""
    counted = {
        table: int(connection.execute(sa.select(sa.func.count()).select_from(sa.table(table)).where(fits)).scalar_one())
        for table, fits in conditions.items()
    }
    return {table: count for table, count in counted.items() if count}


def is_of_trashed(moment: datetime) -> sa.ColumnElement[bool]:
    """Whether a row belongs, by its column `run`, to a run that was put into the trash before a moment."""
    run: sa.ColumnElement[int] = sa.column("run", sa.BigInteger)
    return run.in_(sa.select(_runs.c.number).where(_runs.c.deleted < moment))


def remove(connection: sa.Connection, tables: Sequence[str], numbers: Sequence[int], moment: datetime) -> list[str]:
    """Removes runs for good, with all that belongs to them; gives the ids of those that were still in the trash."""
    still = sa.select(_runs.c.number, _runs.c.id).where(_runs.c.number.in_(numbers), _runs.c.deleted < moment)
    found = connection.execute(still.order_by(_runs.c.number).with_for_update()).all()
    gone = [row.number for row in found]
    for table in tables:
        connection.execute(
            sa.delete(sa.table(table, sa.column("run"))).where(sa.column("run", sa.BigInteger).in_(gone))
        )
    connection.execute(sa.delete(_runs).where(_runs.c.number.in_(gone)))
    return [row.id for row in found]
