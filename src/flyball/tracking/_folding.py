"""Makes chunks of the points that stand in rows of their own, and few of many small chunks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, takewhile
from typing import Any

import sqlalchemy as sa

from flyball.storage.database import Database
from flyball.tracking import _store
from flyball.tracking._chunks import FEWEST, MOST, Place, from_places, make_chunks, open_chunk, to_places
from flyball.tracking._points import Ripe, chunk_row
from flyball.tracking._sheets import make_sheet, open_sheet
from flyball.tracking._statements import Statements

SMALL = MOST // 2
"""A chunk of fewer points than these is made one with others."""

_AT_ONCE = 50_000
_BOUND = 500
_NAN = float("nan")
_FEW_SHEETS = 32
_LARGE_SHEET = 4_096
_chunks, _points, _sheets = _store.chunks, _store.points, _store.sheets


def fold_run(database: Database, connection: sa.Connection, run: int, most: int = 200_000) -> None:
    """Folds what a run has logged, at most so many points: its end does not wait for more."""
    few = sa.func.count() >= FEWEST
    rows = sa.select(_points.c.key, sa.func.count()).where(_points.c.run == run).group_by(_points.c.key).having(few)
    small = sa.select(_chunks.c.key, sa.func.sum(_chunks.c.count)).where(_chunks.c.run == run, _chunks.c.count < SMALL)
    several = small.group_by(_chunks.c.key).having(sa.func.count() > 1)
    left = most - fold_sheets(database, connection, run, most)
    for key, count in sorted({**dict(_pairs(connection, several)), **dict(_pairs(connection, rows))}.items()):
        if count <= left:
            left -= count
            fold(database, connection, run, key)


def fold(database: Database, connection: sa.Connection, run: int, key: int) -> None:
    """Folds one metric of a run. The caller holds the run's row, so that nobody writes to it meanwhile."""
    mine = (_points.c.run == run, _points.c.key == key)
    at = sa.type_coerce(_points.c.at, sa.BigInteger)
    query = sa.select(_points.c.step, at, _points.c.value, _points.c.undefined).where(*mine)
    rows = connection.execute(query.order_by(_points.c.step, at).limit(_AT_ONCE)).all()
    points: set[Place] = {(step, at, value, bool(undefined)) for step, at, value, undefined in rows}
    small = _small_chunks(connection, run, key)
    for _, _, data in small:
        points.update(to_places(open_chunk(data)))
    if len(points) < FEWEST or (not rows and len(small) < 2):
        return
    _delete_rows(connection, run, key, rows)
    if small:
        named = sa.and_(
            _chunks.c.run == run,
            _chunks.c.key == key,
            _chunks.c.first_step == sa.bindparam("of_step"),
            _chunks.c.digest == sa.bindparam("of_digest"),
        )
        gone = [{"of_step": first, "of_digest": digest} for first, digest, _ in small]
        connection.execute(sa.delete(_chunks).where(named), gone)
    made = make_chunks(from_places(points))
    Statements(database).run(connection, "chunks", [chunk_row(run, key, chunk) for chunk in made])


def fold_ripe(database: Database, connection: sa.Connection, ripe: Ripe) -> None:
    """Folds a metric of a run, or the sheets of a run."""
    run, key = ripe
    held = sa.select(_store.runs.c.number).where(_store.runs.c.number == run).with_for_update()
    connection.execute(held)
    if key is None:
        fold_sheets(database, connection, run)
    else:
        fold(database, connection, run, key)


def fold_sheets(database: Database, connection: sa.Connection, run: int, most: int = 200_000) -> int:
    """Makes chunks of the sheets of a run, where there are many; gives how many points that were.

    What is too little of a metric for a chunk stays in a sheet, with other such. The caller holds the run's row.
    """
    found, count = _take_sheets(connection, run, most)
    few: list[tuple[int, Place]] = []
    chunks: list[tuple[Any, ...]] = []
    for key, places in sorted(found.items()):
        if len(places) < FEWEST:
            few += [(key, place) for place in sorted(places)]
        else:
            chunks += [chunk_row(run, key, chunk) for chunk in make_chunks(from_places(places))]
    statements = Statements(database)
    statements.run(connection, "chunks", chunks)
    parts = (few[at : at + _LARGE_SHEET] for at in range(0, len(few), _LARGE_SHEET))
    statements.run(connection, "sheets", [_sheet(run, part) for part in parts])
    return count


def _take_sheets(connection: sa.Connection, run: int, most: int) -> tuple[dict[int, set[Place]], int]:
    """Removes the smaller sheets of a run, where there are many, at most so many points; gives these by their keys."""
    mine = (_sheets.c.run == run, _sheets.c.count < _LARGE_SHEET)
    query = sa.select(_sheets.c.count.label("size"), _sheets.c.digest).where(*mine).order_by(_sheets.c.first_at)
    heads = connection.execute(query.limit(most // FEWEST)).all()
    sizes = list(takewhile(lambda size: size <= most, accumulate(int(head.size) for head in heads)))
    found: dict[int, set[Place]] = {}
    if len(sizes) < _FEW_SHEETS:
        return found, 0
    for first in range(0, len(sizes), _BOUND):
        some = [head.digest for head in heads[first : min(first + _BOUND, len(sizes))]]
        named = (_sheets.c.run == run, _sheets.c.digest.in_(some))
        for row in connection.execute(sa.select(_sheets.c.data).where(*named)):
            for key, place in open_sheet(row.data):
                found.setdefault(key, set()).add(place)
        connection.execute(sa.delete(_sheets).where(*named))
    return found, sizes[-1]


def _sheet(run: int, points: Sequence[tuple[int, Place]]) -> tuple[Any, ...]:
    values = [_NAN if place[3] else place[2] for _, place in points]
    steps, times = [place[0] for _, place in points], [place[1] for _, place in points]
    return make_sheet(run, [key for key, _ in points], steps, times, values)


def _small_chunks(connection: sa.Connection, run: int, key: int) -> list[Any]:
    mine = (_chunks.c.run == run, _chunks.c.key == key, _chunks.c.count < SMALL)
    query = sa.select(_chunks.c.first_step, _chunks.c.digest, _chunks.c.data).where(*mine)
    return list(connection.execute(query.order_by(_chunks.c.first_step).limit(_AT_ONCE // SMALL)))


def _delete_rows(connection: sa.Connection, run: int, key: int, rows: Sequence[Any]) -> None:
    if not rows:
        return
    condition = [_points.c.run == run, _points.c.key == key]
    if len(rows) == _AT_ONCE:
        last = rows[-1]
        at = sa.type_coerce(_points.c.at, sa.BigInteger)
        place = sa.tuple_(_points.c.step, at)
        # The rows of one moment may go on beyond what was read: they stay as well, which costs nothing but room.
        condition.append(place < sa.tuple_(sa.literal(last[0]), sa.literal(last[1])))
    connection.execute(sa.delete(_points).where(*condition))


def _pairs(connection: sa.Connection, query: sa.Select[Any]) -> Iterable[tuple[int, int]]:
    return [(int(key), int(count)) for key, count in connection.execute(query)]
