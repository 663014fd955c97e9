"""Runs with all that they logged, as the tables hold it: for a protocol that writes many of them in a form of its own.

Nothing is made of a row that would be thrown away again: times stay microseconds and params the JSON that is kept. That is a
fifth of the work of making nouns of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from flyball.storage.database import Database, plain_rows
from flyball.tracking import _store

_AT_ONCE = 1_000
_runs, _params, _tags, _latest, _keys = _store.runs, _store.params, _store.tags, _store.latest, _store.keys


@dataclass(slots=True)
class PlainRun:
    """A run as it is kept.

    Attributes:
        number: Its row number.
        experiment: The row number of its experiment.
        started: Microseconds since 1970 UTC; so are `ended` and `deleted`.
        params: Key, and the value as JSON; None where it is none.
        metrics: Key, and the value (None where undefined), step and time of the last point.
    """

    number: int
    id: str
    experiment: int
    name: str
    user: str
    state: str
    parent: str
    notes: str
    started: int
    ended: int | None
    deleted: int | None
    params: list[tuple[str, str | None]] = field(default_factory=list)
    tags: list[tuple[str, str]] = field(default_factory=list)
    metrics: list[tuple[str, float | None, int, int]] = field(default_factory=list)


def read_runs(connection: sa.Connection, numbers: Sequence[int]) -> list[PlainRun]:
    """Runs by their row numbers, in that order; params, tags and metrics by their keys."""
    found: dict[int, PlainRun] = {}
    columns = (_runs.c[name] for name in ("number", "id", "experiment", "name", "user", "state", "parent", "notes"))
    query = sa.select(*columns, _runs.c.started, _runs.c.ended, _runs.c.deleted)
    for start in range(0, len(numbers), _AT_ONCE):  # few enough for what one statement can bind
        some = list(numbers[start : start + _AT_ONCE])
        for row in plain_rows(connection, query.where(_runs.c.number.in_(some))):
            found[row[0]] = PlainRun(*row)
        _read_details(connection, found, some)
    return [found[number] for number in numbers]


def read_run(database: Database, run: str) -> PlainRun | None:
    """One run by its id, also one in the trash; None if there is none."""
    with database.reading() as connection:
        number = connection.execute(sa.select(_runs.c.number).where(_runs.c.id == run)).scalar()
        return None if number is None else read_runs(connection, [number])[0]


def _read_details(connection: sa.Connection, found: dict[int, PlainRun], numbers: list[int]) -> None:
    for key, value, run in _pairs(connection, _params, numbers):
        found[run].params.append((key, value))
    for key, value, run in _pairs(connection, _tags, numbers):
        found[run].tags.append((key, value))
    columns = (_latest.c.key, _latest.c.value, _latest.c.step, _latest.c.at, _latest.c.run)
    rows = plain_rows(connection, sa.select(*columns).where(_latest.c.run.in_(numbers)))
    names = dict(_names(connection, {row[0] for row in rows}))
    for key, value, step, at, run in rows:
        found[run].metrics.append((names[key], value, step, at))
    by_key = itemgetter(0)
    for number in numbers:
        found[number].metrics.sort(key=by_key)


def _pairs(connection: sa.Connection, table: sa.Table, numbers: list[int]) -> list[tuple[Any, ...]]:
    # By the primary key, which needs no sorting: what is of one run comes by its key.
    query = sa.select(table.c.key, table.c.value, table.c.run).where(table.c.run.in_(numbers))
    return plain_rows(connection, query.order_by(table.c.run, table.c.key))


def _names(connection: sa.Connection, keys: Iterable[int]) -> Iterator[tuple[Any, ...]]:
    wanted = sorted(keys)
    for start in range(0, len(wanted), _AT_ONCE):
        some = _keys.c.number.in_(wanted[start : start + _AT_ONCE])
        yield from plain_rows(connection, sa.select(_keys.c.number, _keys.c.name).where(some))
