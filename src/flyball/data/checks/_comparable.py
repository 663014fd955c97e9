"""Values as they are compared: numbers as numbers, times as whole microseconds (or nanoseconds) in UTC, texts as texts.

Both ways of running a check, on Arrow and in SQL, compare in this domain, so they agree to the last bit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from flyball.clock import parse_time
from flyball.data import _sql
from flyball.data.checks.base import Rows
from flyball.errors import InvalidInput
from flyball.serialization import JsonValue

if TYPE_CHECKING:
    import pyarrow as pa

Bound = int | float | str | None
NOTHING_FITS = "FALSE"


class NotComparable(InvalidInput):
    """A bound is of another kind than the column."""

    def __init__(self) -> None:
        super().__init__("A bound is of another kind than the column.", hint="Give a bound of the column's type.")


def bounds(kind: pa.DataType, low: JsonValue, high: JsonValue) -> tuple[Bound, Bound]:
    """The bounds in the column's domain; infinite where they lie beyond what whole numbers of its type can be.

    Raises:
        NotComparable: a bound is of another kind than the column.
        InvalidInput: a bound is no number, or no time.
    """
    return _bound(kind, low, is_low=True), _bound(kind, high, is_low=False)


def to_sql(rows: Rows, column: str) -> str:
    """The column in its domain, as SQL."""
    import pyarrow.types as t

    kind, ref = rows.arrow_type(column), rows.ref(column)
    if t.is_timestamp(kind):
        return f"epoch_ns({ref})" if kind.unit == "ns" else f"epoch_us({ref})"
    if t.is_date(kind):
        return f"epoch_us(CAST({ref} AS TIMESTAMP))"
    return f"CAST({ref} AS DOUBLE)" if t.is_decimal(kind) else ref


def to_arrow(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column in its domain, as Arrow."""
    import pyarrow as pa
    import pyarrow.types as t

    kind = column.type
    if t.is_timestamp(kind):
        unit = "ns" if kind.unit == "ns" else "us"
        return column.cast(pa.timestamp(unit, kind.tz), safe=False).cast(pa.int64())
    if t.is_date(kind):
        return column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    return column.cast(pa.float64()) if t.is_decimal(kind) or t.is_float16(kind) else column


def outside(rows: Rows, column: str, low: Bound, high: Bound) -> str:
    """SQL that holds for the values outside the bounds; NaN is outside, missing values are not."""
    import pyarrow.types as t

    expression = to_sql(rows, column)
    parts = [f"{expression} < {_literal(low)}"] if low is not None else []
    parts += [f"{expression} > {_literal(high)}"] if high is not None else []
    parts += [f"isnan({expression})"] if t.is_floating(rows.arrow_type(column)) else []
    return f"coalesce({' OR '.join(parts)}, FALSE)"


def outside_mask(column: pa.ChunkedArray, low: Bound, high: Bound) -> pa.ChunkedArray:
    """The same, as Arrow."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    values = to_arrow(column)
    bad = pa.chunked_array([pa.repeat(False, len(values))])
    for bound, compare, beyond in ((low, pc.less, math.inf), (high, pc.greater, -math.inf)):
        if bound is None:
            continue
        if t.is_integer(values.type) and isinstance(bound, float):
            bad = values.is_valid() if bound == beyond else bad
        else:
            bad = pc.or_kleene(bad, compare(values, pa.scalar(bound, None if isinstance(bound, str) else values.type)))
    if t.is_floating(values.type):
        bad = pc.or_kleene(bad, pc.is_nan(values))
    return bad


def _literal(bound: Bound) -> str:
    return _sql.value(bound)


def _bound(kind: pa.DataType, given: JsonValue, *, is_low: bool) -> Bound:
    import pyarrow.types as t

    if given is None:
        return None
    if t.is_timestamp(kind) or t.is_date(kind):
        if not isinstance(given, str):
            raise NotComparable
        return _sql.microseconds(parse_time(given)) * (1000 if getattr(kind, "unit", "") == "ns" else 1)
    if isinstance(given, str):
        if t.is_string(kind):
            return given
        raise NotComparable
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise NotComparable
    if isinstance(given, float) and math.isnan(given):
        raise InvalidInput("NaN is no bound.", hint="Give a number.")
    if t.is_integer(kind):
        return _whole(kind, given, is_low=is_low)
    if t.is_floating(kind) or t.is_decimal(kind):
        return _double(given, is_low=is_low)
    raise NotComparable


def _whole(kind: Any, given: float, *, is_low: bool) -> Bound:
    if isinstance(given, float):
        if math.isinf(given):
            return given
        given = math.ceil(given) if is_low else math.floor(given)
    is_signed = str(kind).startswith("int")
    least, most = (
        (-(1 << (kind.bit_width - 1)), (1 << (kind.bit_width - 1)) - 1) if is_signed else (0, (1 << kind.bit_width) - 1)
    )
    return math.inf if given > most else -math.inf if given < least else given


def _double(given: float, *, is_low: bool) -> float:
    """The double next to a whole number that has none of its own, on the inner side."""
    try:
        near = float(given)
    except OverflowError:
        return math.inf if given > 0 else -math.inf
    if is_low and near < given:
        return math.nextafter(near, math.inf)
    return math.nextafter(near, -math.inf) if not is_low and near > given else near
