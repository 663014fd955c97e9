"""The points of one metric of one run, in the orders in which MLflow lists and thins them out."""

from __future__ import annotations

import base64
import binascii
import itertools
import sys
from typing import TYPE_CHECKING

from flyball.errors import InvalidInput
from flyball.serialization import from_json, to_json
from flyball.server.protocols.mlflow.wire import MlflowError
from flyball.tracking.points import read_points

if TYPE_CHECKING:
    from flyball.workspace import Workspace

LONG = 200_000
"""A history with more points is paged by step: to order it by time, all of it would be read for each page."""

Point = tuple[int, int, float, bool]
_After = tuple[int, int, float, bool]


def page(workspace: Workspace, run: str, key: str, size: int | None, token: str) -> tuple[list[Point], str]:
    """Points by time, and the token of the next page; all of them where no size is given."""
    start = _read_token(token)
    if isinstance(start, tuple):
        assert size is not None
        return _page_by_step(workspace, run, key, size, start)
    points = read_points(workspace.database, run, key, sys.maxsize if size is None else LONG + 1)
    if size is not None and len(points) > LONG:
        return _page_by_step(workspace, run, key, size, None)
    end = len(points) if size is None else start + size
    # Nearly always time goes on with the steps. Then the next page is found by the last point, without reading all again.
    is_in_order = all(one[1] <= other[1] for one, other in itertools.pairwise(points))
    if not is_in_order:
        points.sort(key=_by_time)
    found = points[start:end]
    if end >= len(points):
        return found, ""
    return found, _token(points[end - 1] if is_in_order and not start else end)


def first_by_time(workspace: Workspace, run: str, key: str, most: int) -> list[Point]:
    """The first points of a run by time."""
    points = read_points(workspace.database, run, key, LONG)
    points.sort(key=_by_time)
    return points[:most]


def sampled(workspace: Workspace, run: str, key: str, most: int, first: int | None, last: int | None) -> list[Point]:
    """At most so many of the points between two steps, evenly taken, and always the last one."""
    points = read_points(workspace.database, run, key, LONG + 1)
    if len(points) > LONG:
        (curve,) = workspace.tracking.chart([run], key, buckets=most, first=first, last=last)
        values = [(0.0, True) if value is None else (value, False) for value in curve.values]
        points = [(step, at, *value) for step, at, value in zip(curve.steps, curve.times, values, strict=True)]
    elif first is not None and last is not None:
        points = [point for point in points if first <= point[0] <= last]
    if len(points) > most:
        size, more = divmod(len(points), most)
        # As many equal parts as points are wanted, the first ones longer by one; the first of each is taken.
        taken = [points[place * size + min(place, more)] for place in range(most)]
        taken[-1] = points[-1]
        points = taken
    return points


def _page_by_step(workspace: Workspace, run: str, key: str, size: int, after: _After | None) -> tuple[list[Point], str]:
    points = read_points(workspace.database, run, key, size + 1, after)
    token = _token(points[size - 1]) if len(points) > size else ""
    return points[:size], token


def _by_time(point: Point) -> tuple[int, int, float]:
    return point[1], point[0], point[2]


def _token(place: int | _After) -> str:
    return base64.b64encode(to_json({"offset": place} if isinstance(place, int) else {"after": place})).decode()


def _read_token(token: str) -> int | _After:
    if not token:
        return 0
    try:
        found = from_json(base64.b64decode(token.encode("ascii"), validate=True), dict[str, int | _After])
        (place,) = found.values()
    except (binascii.Error, ValueError, InvalidInput):
        raise MlflowError("Invalid page token, could not base64-decode") from None
    if isinstance(place, int) and not 0 <= place < 1 << 40:
        raise MlflowError("Invalid page token, could not base64-decode")
    return place
