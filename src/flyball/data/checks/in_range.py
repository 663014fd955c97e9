"""In range: every value lies between `low` and `high`, both included; missing ones do not count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyball.data.checks.base import Check, Finding, counted, wrong
from flyball.errors import InvalidInput
from flyball.serialization import JsonValue

if TYPE_CHECKING:
    import pyarrow as pa


class InRange:
    """Numbers, or times written as ISO 8601, must lie in a range."""

    params: Mapping[str, bool] = {"low": False, "high": False}

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """Counts values outside; NaN is outside."""
        import pyarrow as pa
        import pyarrow.compute as pc

        low, high = params.get("low"), params.get("high")
        if low is None and high is None:
            raise InvalidInput(f"The range of '{column}' has no bounds.", hint="Give low, high or both.")
        values = table.column(column).drop_null()
        inside = pa.chunked_array([pa.repeat(True, len(values))])
        for bound, compare in ((low, pc.greater_equal), (high, pc.less_equal)):
            if bound is None:
                continue
            try:
                inside = pc.and_(inside, compare(values, _scalar(bound, values.type)))
            except (pa.ArrowException, ValueError, TypeError):
                return wrong(table, f"'{column}' is of type {values.type} and cannot be compared with {bound!r}")
        failing = len(values) - (pc.sum(inside).as_py() or 0)
        shown = " to ".join("..." if bound is None else str(bound) for bound in (low, high))
        return counted(column, failing, len(values), f"lie outside {shown}")


def _scalar(bound: JsonValue, kind: pa.DataType) -> pa.Scalar:
    import pyarrow as pa
    import pyarrow.types as t

    from flyball.clock import parse_time

    if t.is_temporal(kind) and isinstance(bound, str):
        moment = parse_time(bound)
        return pa.scalar(moment if getattr(kind, "tz", None) else moment.replace(tzinfo=None)).cast(kind)
    if isinstance(bound, str) != (t.is_string(kind)):
        raise TypeError(bound)
    return pa.scalar(bound)


plugin: Check = InRange()
