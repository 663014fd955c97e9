"""Aggregates over a stretch of time: what a user says of one, and what it is worth at a moment.

A window at a moment t counts the rows of one thing whose time lies after `t - over` and at or before t, and which were known
at t. Training asks DuckDB (`window_columns`), serving folds the rows it keeps for a key (`aggregate`); both give the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, get_args

from flyball.clock import format_duration, parse_duration
from flyball.errors import InvalidInput, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

Aggregate = Literal["sum", "mean", "count", "min", "max", "std", "distinct", "last"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One aggregate of one column over a stretch of time.

    Attributes:
        column: What is aggregated; missing values do not count.
        how: `std` is that of a sample (n - 1); `distinct` counts different values; `last` is the latest value.
        over_seconds: Length of the stretch; its far edge is excluded, its near one included.
        name: Name of the feature.
        by: Columns that name the thing; those of the view where it is empty.
    """

    column: str
    how: Aggregate
    over_seconds: float
    name: str
    by: tuple[str, ...] = ()


def window(
    column: str, how: Aggregate, *, over: str | timedelta, by: str | Sequence[str] = (), name: str = ""
) -> Window:
    """Declares an aggregate over time, for the `windows` of a feature view.

    Args:
        column: What is aggregated.
        how: `sum`, `mean`, `count`, `min`, `max`, `std`, `distinct` or `last`.
        over: Length of the stretch before each moment, such as `7d`.
        by: Column or columns that name the thing, for a view that names none.
        name: Name of the feature; made of the rest by default.

    >>> window("distance", "mean", over="7d").name
    'distance_mean_7d'

    Raises:
        InvalidInput: there is no such aggregate, or the stretch has no length.
    """
    length = parse_duration(over)
    if how not in get_args(Aggregate):
        raise InvalidInput(f"There is no aggregate '{how}'.", hint=did_you_mean(str(how), get_args(Aggregate)))
    if length <= timedelta():
        raise InvalidInput(f"A window over {over} holds nothing.", hint="Give a length such as '7d'.")
    return Window(
        column=column,
        how=how,
        over_seconds=length.total_seconds(),
        name=name or f"{column}_{how}_{format_duration(length)}",
        by=(by,) if isinstance(by, str) else tuple(by),
    )


def aggregate(how: Aggregate, values: Sequence[Any]) -> Any:
    """The aggregate of the values of one window, oldest first; missing ones (None, NaN) do not count.

    Sums of floats are exact before they are rounded, so the order of arrival does not matter (Shewchuk 1997, `math.fsum`).
    """
    known = [value for value in values if value is not None and value == value]
    if how == "count":
        return len(known)
    if how == "distinct":
        return len(set(known))
    if not known:
        return None
    if how == "last":
        return known[-1]
    if how in ("min", "max"):
        return min(known) if how == "min" else max(known)
    if how == "sum":
        return _sum(known)
    return _moment(how, [float(value) for value in known])


def _sum(values: Sequence[Any]) -> Any:
    if any(isinstance(value, float) for value in values):
        return math.fsum(values)
    return sum(values)


def _moment(how: Aggregate, values: Sequence[float]) -> float | None:
    mean = math.fsum(values) / len(values)
    if how == "mean":
        return mean
    if len(values) < 2:
        return None
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def result_type(how: Aggregate, kind: pa.DataType) -> pa.DataType:
    """The Arrow type that an aggregate of a column of some type has.

    Raises:
        InvalidInput: values of that type cannot be added up.
    """
    import pyarrow as pa
    import pyarrow.types as t

    if how in ("count", "distinct"):
        return pa.int64()
    if how in ("min", "max", "last"):
        return kind
    if not (t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind) or t.is_boolean(kind) or t.is_null(kind)):
        raise InvalidInput(f"A {how} needs numbers, and the column holds {kind}.", hint="Use count, last or distinct.")
    if how == "sum" and (t.is_integer(kind) or t.is_boolean(kind)):
        return pa.int64()
    return pa.float64()


_IN_SQL = {
    "sum": "{sum}(v{n})",
    "mean": "avg(v{n})",
    "count": "count(v{n})",
    "min": "min(v{n})",
    "max": "max(v{n})",
    "std": "stddev_samp(v{n})",
    "distinct": "count(DISTINCT v{n})",
    "last": "arg_max(v{n}, nth)",
}
# Rows and requests in one order: a frame ends with the request and begins where the stretch does. Requests hold no values.
_FRAMES = """
WITH numbered AS (SELECT *, row_number() OVER (ORDER BY since, place) AS nth FROM events),
both_of AS (
    SELECT key, since AS moment, nth, {values}, NULL::BIGINT AS request FROM numbered
    UNION ALL BY NAME
    SELECT key, time AS moment, place AS request FROM requests WHERE key IS NOT NULL AND time IS NOT NULL
),
found AS (SELECT request, {frames} FROM both_of QUALIFY request IS NOT NULL)
SELECT found.* EXCLUDE (request) FROM requests LEFT JOIN found ON found.request = requests.place ORDER BY requests.place
"""
# A row that became known late belongs to a frame by its time and is seen by its creation, which one order cannot say. Each
# request meets the rows of its own stretch of the calendar and of the one before.
_PAIRS = """
WITH numbered AS (SELECT *, row_number() OVER (ORDER BY since, created, place) AS nth, since // {longest} AS part FROM events),
wanted AS (
    SELECT *, time // {longest} - step AS part FROM requests, (VALUES (0), (1)) AS steps(step)
    WHERE key IS NOT NULL AND time IS NOT NULL
),
pairs AS (
    SELECT wanted.place AS request, wanted.time, numbered.since, nth, {values}
    FROM wanted LEFT JOIN numbered ON numbered.key = wanted.key AND numbered.part = wanted.part
        AND since <= wanted.time AND since > wanted.time - {longest} AND created <= wanted.time
),
found AS (SELECT request, {filtered} FROM pairs GROUP BY request)
SELECT found.* EXCLUDE (request) FROM requests LEFT JOIN found ON found.request = requests.place ORDER BY requests.place
"""


def window_columns(
    requests: pa.Table, events: pa.Table, windows: Sequence[Window], per_second: int, *, has_created: bool
) -> pa.Table:
    """The aggregates of each request, in the order of the requests, under `w0`, `w1`, ...; null where its key or time is.

    Args:
        requests: `key`, a whole number for each thing, null where it is missing; `time`, a number; `place`, its row number.
        events: `key`, `since`, `created` and `place` likewise, and the values `v0`, `v1`, ... of each window.
        per_second: How many units of the times a second has.
        has_created: Whether rows may have become known later than their time.
    """
    import duckdb

    lengths = [round(made.over_seconds * per_second) for made in windows]
    parts = [
        _IN_SQL[made.how].format(n=n, sum="fsum" if _is_float(events, n) else "sum") for n, made in enumerate(windows)
    ]
    order = "OVER (PARTITION BY key ORDER BY moment RANGE BETWEEN {} PRECEDING AND CURRENT ROW)"
    query = (_PAIRS if has_created else _FRAMES).format(
        values=", ".join(f"v{n}" for n in range(len(windows))),
        longest=max(lengths),
        frames=", ".join(
            f"{part} {order.format(length - 1)} AS w{n}"
            for n, (part, length) in enumerate(zip(parts, lengths, strict=True))
        ),
        filtered=", ".join(
            f"{part} FILTER (WHERE since > time - {length}) AS w{n}"
            for n, (part, length) in enumerate(zip(parts, lengths, strict=True))
        ),
    )
    with duckdb.connect() as connection:
        connection.register("requests", requests)
        connection.register("events", events)
        found: pa.Table = connection.sql(query).to_arrow_table()
    return found


def _is_float(events: pa.Table, n: int) -> bool:
    import pyarrow.types as t

    return bool(t.is_floating(events.schema.field(f"v{n}").type))
