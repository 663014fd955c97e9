"""Metrics read back: point by point, or thinned out for a chart.

A chart keeps, of each of its buckets, the first, the last, the least and the greatest point: drawn at that width it looks
exactly as with all points. Where a chunk lies in one bucket, what stands beside it is enough.
"""

from __future__ import annotations

import base64
import binascii
import importlib.util
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import lt
from typing import Any

import sqlalchemy as sa

from flyball.errors import InvalidInput
from flyball.serialization import canonical_json, from_json
from flyball.tracking import _store
from flyball.tracking._chunks import ENDS, Columns, Place, from_places, open_arrays, open_chunk, to_places
from flyball.tracking._sheets import points_in
from flyball.tracking.limits import to_micros
from flyball.tracking.nouns import Axis, Curve, MetricPoint

_chunks, _points, _sheets = _store.chunks, _store.points, _store.sheets
_AT = sa.type_coerce(_points.c.at, sa.BigInteger)
_PLACE = (_points.c.step, _AT, _points.c.value, _points.c.undefined)
_SIZE = _chunks.c.count.label("size")  # a row has a method of that name
_LONG = 1 << 62
_AT_ONCE = 500
_FOUR_ENDS = struct.Struct("<" + 4 * ENDS.format.lstrip("<"))
_HAS_NUMPY = importlib.util.find_spec("numpy") is not None

Point = tuple[int, int, int, float]
"""Where a point stands on the axis; its step, time and value."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some points of a metric, and whether there are more after them."""

    places: list[Place]
    has_more: bool


def history(connection: sa.Connection, run: int, key: int, limit: int, after: Place | None = None) -> Page:
    """The points of a metric after a place, in their order, each once."""
    mine = (_chunks.c.run == run, _chunks.c.key == key)
    query = sa.select(_chunks.c.first_step, _SIZE, _chunks.c.digest).where(*mine)
    query = query if after is None else query.where(_chunks.c.last_step >= after[0])
    heads = connection.execute(query.order_by(_chunks.c.first_step, _chunks.c.digest)).all()
    opened = _in_sheets(connection, run, key)
    done, wanted = 0, limit + 1
    while True:
        upto, count = done, 0
        while upto < len(heads) and (upto == done or count < wanted):
            count += heads[upto].size
            upto += 1
        if after is not None and not done and upto < len(heads):
            upto += 1  # of the first one, most may lie before the place
        for data in _data(connection, mine, heads[done:upto]):
            opened += to_places(open_chunk(data))
        done = upto
        end = heads[done].first_step if done < len(heads) else None
        found = _in_order([*_between(opened, after, end), *_rows(connection, run, key, limit + 1, after, end)])
        if len(found) > limit or end is None:
            return Page(found[:limit], len(found) > limit or end is not None)
        wanted *= 2


def chart(
    connection: sa.Connection,
    run: sa.Row[Any],
    key: str,
    buckets: int,
    axis: Axis = "step",
    first: int | None = None,
    last: int | None = None,
) -> Curve:
    """A metric of a run, thinned out."""
    drawing = _Drawing(connection, run, axis, buckets, first, last)
    number = key_number(connection, key)
    return drawing.draw(key, number) if number is not None else _curve(run.id, key, ([], [], []), 0)


def curve_of(run: str, key: str, page: Page) -> Curve:
    """Points as a curve."""
    return _curve(run, key, from_places(page.places), len(page.places))


def key_number(connection: sa.Connection, name: str) -> int | None:
    """The row number of a metric's key; None if nobody has logged it."""
    number: int | None = connection.execute(sa.select(_store.keys.c.number).where(_store.keys.c.name == name)).scalar()
    return number


def after_step(step: int) -> Place:
    """The place behind all points of a step."""
    return (step, 1 << 62, 0.0, True)


def place_of(point: MetricPoint) -> str:
    """The place of a point, as a token that the next page begins after."""
    place = [point.step, to_micros(point.key, point.at), point.value or 0.0, point.value is None]
    return base64.urlsafe_b64encode(canonical_json(place)).decode().rstrip("=")


def read_place(token: str) -> Place:
    """The place that a token stands for.

    Raises:
        InvalidInput: it is none.
    """
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        step, at, value, undefined = from_json(data, tuple[int, int, float, bool])
    except (binascii.Error, ValueError, InvalidInput) as error:
        raise InvalidInput(
            "Invalid page token.", hint="Give the place of the last point of the page before."
        ) from error
    return (step, at, float(value), undefined)


def _curve(run: str, key: str, columns: Columns, count: int) -> Curve:
    return Curve(run=run, key=key, steps=columns[0], times=columns[1], values=columns[2], count=count)


def _data(connection: sa.Connection, mine: Sequence[Any], heads: Sequence[Any]) -> Iterable[bytes]:
    if not heads:
        return []
    wanted = {(head.first_step, head.digest) for head in heads}
    steps = (_chunks.c.first_step >= heads[0].first_step, _chunks.c.first_step <= heads[-1].first_step)
    query = sa.select(_chunks.c.first_step, _chunks.c.digest, _chunks.c.data).where(*mine, *steps)
    return [row.data for row in connection.execute(query) if (row.first_step, row.digest) in wanted]


def _rows(
    connection: sa.Connection, run: int, key: int, limit: int, after: Place | None, end: int | None
) -> Iterable[Place]:
    query = sa.select(*_PLACE).where(_points.c.run == run, _points.c.key == key)
    if after is not None:
        query = query.where(sa.tuple_(*_PLACE) > sa.tuple_(*(sa.literal(v) for v in (*after[:3], int(after[3])))))
    if end is not None:
        query = query.where(_points.c.step < end)
    rows = connection.execute(query.order_by(*_PLACE).limit(limit))
    return [(step, at, value, bool(undefined)) for step, at, value, undefined in rows]


def _in_sheets(connection: sa.Connection, run: int, key: int) -> list[Place]:
    query = sa.select(_sheets.c.data).where(_sheets.c.run == run).order_by(_sheets.c.first_at)
    return [place for row in connection.execute(query) for place in points_in(row.data, key)]


def _between(places: list[Place], after: Place | None, end: int | None) -> list[Place]:
    found = places if after is None else [place for place in places if place > after]
    return found if end is None else [place for place in found if place[0] < end]


def _in_order(places: list[Place]) -> list[Place]:
    """The places in their order, each once. Nearly always they are already: chunks follow each other, then come the rows."""
    return places if all(map(lt, places, islice(places, 1, None))) else sorted(set(places))


@dataclass(slots=True)
class _Bucket:
    """The first, last, least and greatest point of what lies in it."""

    first: Point
    last: Point
    low: Point
    high: Point

    def take(self, point: Point) -> None:
        if point < self.first:
            self.first = point
        if point > self.last:
            self.last = point
        if point[3] < self.low[3]:
            self.low = point
        if point[3] > self.high[3]:
            self.high = point


@dataclass(slots=True)
class _Drawing:
    """One chart of one run, under way."""

    connection: sa.Connection
    run: sa.Row[Any]
    axis: Axis
    buckets: int
    first: int | None
    last: int | None
    low: int = 0
    high: int = 0
    width: int = 1
    origin: int = 0
    found: dict[int, _Bucket] = field(default_factory=dict)

    def draw(self, key: str, number: int) -> Curve:
        """Reads what is needed and thins it out."""
        if self.axis == "relative":
            self.origin = _micros(self.run)
        mine = (_chunks.c.run == self.run.number, _chunks.c.key == number)
        heads = self._heads(mine)
        rows = self.connection.execute(
            sa.select(*_PLACE).where(_points.c.run == self.run.number, _points.c.key == number).order_by(*_PLACE)
        ).all()
        places: list[Place] = [(step, at, value, bool(undefined)) for step, at, value, undefined in rows]
        places += _in_sheets(self.connection, self.run.number, number)
        places = [place for place in places if self._is_in(self._x(place[0], place[1]))]
        count = len(places) + sum(head.size for head in heads)
        if count <= 4 * self.buckets:
            for data in _data(self.connection, mine, heads):
                places += to_places(open_chunk(data))
            return self._all(key, places)
        self._span(heads, places)
        for data in self._opened(mine, self._take_whole(heads), len(heads)):
            self._take_chunk(data)
        for step, at, value, undefined in places:
            if not undefined:
                self._take((self._x(step, at), step, at, value))
        points = {point for one in self.found.values() for point in (one.first, one.last, one.low, one.high)}
        ordered = sorted(points)
        columns = ([p[1] for p in ordered], [p[2] - self.origin for p in ordered], [p[3] for p in ordered])
        return _curve(self.run.id, key, columns, count)  # type: ignore[arg-type]  # values are floats here

    def _heads(self, mine: Sequence[Any]) -> list[sa.Row[Any]]:
        first_at, last_at = (
            sa.type_coerce(column, sa.BigInteger).label(column.name)
            for column in (_chunks.c.first_at, _chunks.c.last_at)
        )
        named = (_chunks.c.first_step, _chunks.c.last_step, _chunks.c.digest, _SIZE, _chunks.c.undefined)
        query = sa.select(*named, first_at, last_at, _chunks.c.ends).where(*mine).order_by(_chunks.c.first_step)
        rows = self.connection.execute(query).all()
        return list(rows) if self.first is None and self.last is None else [row for row in rows if self._overlaps(row)]

    def _opened(self, mine: Sequence[Any], heads: Sequence[Any], all_of_them: int) -> Iterable[bytes]:
        if len(heads) * 2 > all_of_them:
            yield from _data(self.connection, mine, heads)
            return
        for start in range(0, len(heads), _AT_ONCE):
            wanted = {(head.first_step, head.digest) for head in heads[start : start + _AT_ONCE]}
            some = _chunks.c.first_step.in_(sorted({first for first, _ in wanted}))
            query = sa.select(_chunks.c.first_step, _chunks.c.digest, _chunks.c.data).where(*mine, some)
            yield from (data for first, digest, data in self.connection.execute(query) if (first, digest) in wanted)

    def _all(self, key: str, places: list[Place]) -> Curve:
        kept = {place for place in places if self._is_in(self._x(place[0], place[1]))}
        ordered = sorted(kept, key=lambda place: (self._x(place[0], place[1]), place))
        steps, times = [place[0] for place in ordered], [place[1] - self.origin for place in ordered]
        values = [None if place[3] else place[2] for place in ordered]
        return _curve(self.run.id, key, (steps, times, values), len(ordered))

    def _x(self, step: int, at: int) -> int:
        return step if self.axis == "step" else at - self.origin

    def _ends(self, head: sa.Row[Any]) -> tuple[int, int]:
        if self.axis == "step":
            return head.first_step, head.last_step
        return head.first_at - self.origin, head.last_at - self.origin

    def _is_in(self, x: int) -> bool:
        return (self.first is None or x >= self.first) and (self.last is None or x <= self.last)

    def _overlaps(self, head: sa.Row[Any]) -> bool:
        low, high = self._ends(head)
        return (self.first is None or high >= self.first) and (self.last is None or low <= self.last)

    def _span(self, heads: Sequence[Any], places: Sequence[Place]) -> None:
        ends = [self._ends(head) for head in heads]
        ends += [(x, x) for x in (self._x(place[0], place[1]) for place in places)]
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        self.low = low if self.first is None else max(low, self.first)
        self.high = high if self.last is None else min(high, self.last)
        self.width = max(1, -(-(self.high - self.low + 1) // self.buckets))

    def _take_whole(self, heads: Sequence[Any]) -> list[Any]:
        """Takes the chunks of which the chart needs no more than what stands beside them; gives the others."""
        others, by_step = [], self.axis == "step"
        for head in heads:
            low, high = self._ends(head)
            place = (low - self.low) // self.width
            ends = _FOUR_ENDS.unpack(head.ends)
            if (
                head.undefined
                or low < self.low
                or high > self.high
                or place != (high - self.low) // self.width
                # By time, the first by step may be another one than the earliest.
                or not (by_step or (ends[1] == head.first_at and ends[4] == head.last_at))
            ):
                others.append(head)
                continue
            xs = ends[0::3] if by_step else [at - self.origin for at in ends[1::3]]
            first, last, least, greatest = zip(xs, ends[0::3], ends[1::3], ends[2::3], strict=True)
            bucket = self.found.get(place)
            if bucket is None:
                self.found[place] = _Bucket(first, last, least, greatest)
                continue
            bucket.first = min(first, bucket.first)
            bucket.last = max(last, bucket.last)
            if least[3] < bucket.low[3]:
                bucket.low = least
            if greatest[3] > bucket.high[3]:
                bucket.high = greatest
        return others

    def _take(self, point: Point) -> None:
        place = (point[0] - self.low) // self.width
        bucket = self.found.get(place)
        if bucket is None:
            self.found[place] = _Bucket(point, point, point, point)
        else:
            bucket.take(point)

    def _take_chunk(self, data: bytes) -> None:
        if _HAS_NUMPY and self.high - self.low < _LONG:
            self._take_arrays(data)
            return
        for step, at, value in zip(*open_chunk(data), strict=True):
            x = self._x(step, at)
            if value is not None and self._is_in(x):
                self._take((x, step, at, value))

    def _take_arrays(self, data: bytes) -> None:
        import numpy as np

        steps, times, values = open_arrays(data)
        xs = steps if self.axis == "step" else times - self.origin
        kept = ~np.isnan(values) & (xs >= self.low) & (xs <= self.high)
        if not kept.all():
            steps, times, values, xs = steps[kept], times[kept], values[kept], xs[kept]
        if self.axis != "step" and (np.diff(xs) < 0).any():
            order = np.lexsort((steps, xs))
            steps, times, values, xs = steps[order], times[order], values[order], xs[order]
        if not len(xs):
            return
        places = (xs - self.low) // self.width
        starts = np.flatnonzero(np.diff(places, prepend=places[0] - 1))
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(xs)], strict=True):
            part = values[start:end]
            for at in {start, end - 1, start + int(part.argmin()), start + int(part.argmax())}:
                self._take((int(xs[at]), int(steps[at]), int(times[at]), float(values[at])))


def _micros(run: sa.Row[Any]) -> int:
    return to_micros("", run.started)
