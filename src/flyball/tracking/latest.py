"""The last point of each metric of many runs, with its step and time, in one query."""

from __future__ import annotations

import sqlalchemy as sa

from flyball.storage.database import Database
from flyball.tracking import _store
from flyball.tracking.runs import MetricPoint

_AT_ONCE = 1000


def latest_points(database: Database, runs: list[str]) -> dict[str, list[MetricPoint]]:
    """The last point of each metric, by run; runs without metrics, or that there are not, are left out."""
    found: dict[str, list[MetricPoint]] = {}
    table, last, keys = _store.runs, _store.latest, _store.keys
    joined = last.join(keys, keys.c.number == last.c.key).join(table, table.c.number == last.c.run)
    query = sa.select(table.c.id, keys.c.name, last.c.step, last.c.at, last.c.value).select_from(joined)
    with database.reading() as connection:
        for start in range(0, len(runs), _AT_ONCE):  # few enough for what one statement can bind
            wanted = query.where(table.c.id.in_(runs[start : start + _AT_ONCE])).order_by(keys.c.name)
            for row in connection.execute(wanted):
                point = MetricPoint(key=row.name, value=row.value, step=row.step, at=row.at)
                found.setdefault(row.id, []).append(point)
    return found
