"""Whole histories of metrics."""

from __future__ import annotations

import sqlalchemy as sa

from flyball.storage.database import Database
from flyball.tracking import _store, curves
from flyball.tracking._chunks import Place

_PAGE = 100_000


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
