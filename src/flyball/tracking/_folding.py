"""Makes chunks of the points that stand in rows of their own, and few of many small chunks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from flyball.storage.database import Database
from flyball.tracking import _store
from flyball.tracking._chunks import FEWEST, MOST, Place, from_places, make_chunks, open_chunk, to_places
from flyball.tracking._points import chunk_row
from flyball.tracking._statements import Statements

SMALL = MOST // 2
"""A chunk of fewer points than these is made one with others."""

_AT_ONCE = 50_000
_chunks, _points = _store.chunks, _store.points


def fold_run(database: Database, connection: sa.Connection, run: int, most: int = 200_000) -> None:
    """Folds what a run has logged, at most so many points: its end does not wait for more."""
    few = sa.func.count() >= FEWEST
    rows = sa.select(_points.c.key, sa.func.count()).where(_points.c.run == run).group_by(_points.c.key).having(few)
    small = sa.select(_chunks.c.key, sa.func.sum(_chunks.c.count)).where(_chunks.c.run == run, _chunks.c.count < SMALL)
    several = small.group_by(_chunks.c.key).having(sa.func.count() > 1)
    left = most
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
