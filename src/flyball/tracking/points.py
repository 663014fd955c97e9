"""Points of runs, many at a time: the last of each metric with its step and time, and whole histories."""

from __future__ import annotations

import sqlalchemy as sa

from flyball.storage.database import Database
from flyball.tracking import _store, curves
from flyball.tracking._chunks import Place
from flyball.tracking.nouns import MetricPoint

_AT_ONCE = 1000
_PAGE = 100_000


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


def read_points(database: Database, run: str, key: str, most: int, after: Place | None = None) -> list[Place]:
    """At most so many points of a metric by step, time and value, after a place; none where there is no such run.

    A point is its step, its time in microseconds since 1970 UTC, its value, and whether that is undefined.
    """
    found: list[Place] = []
    with database.reading() as connection:
        number = connection.execute(sa.select(_store.runs.c.number).where(_store.runs.c.id == run)).scalar()
        metric = curves.key_number(connection, key)
        if number is None or metric is None:
            return found
        more = True
        while more and len(found) < most:
            page = curves.history(connection, number, metric, min(most - len(found), _PAGE), after)
            found += page.places
            more, after = page.has_more and bool(page.places), found[-1] if found else after
    return found
