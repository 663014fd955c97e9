"""In range: every value lies between `low` and `high`, both included, or all but the share `at_most`; missing ones do not count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyball.data.checks import _comparable as comparable
from flyball.data.checks.base import Ends, Finding, Plan, Rows, SqlCheck, counted, counted_mask, share, wrong
from flyball.errors import InvalidInput
from flyball.serialization import JsonValue

if TYPE_CHECKING:
    import pyarrow as pa


class InRange:
    """Numbers, or times written as ISO 8601, must lie in a range; NaN does not."""

    params: Mapping[str, bool] = {"low": False, "high": False, "at_most": False}

    def plan(self, column: str, params: Mapping[str, JsonValue], rows: Rows) -> Plan | Finding:
        """Counts values outside."""
        found = self._bounds(column, rows.arrow_type(column), params)
        if isinstance(found, str):
            return wrong(-1, found)
        bad = comparable.outside(rows, column, *found)
        return Plan(
            aggregates={"outside": f"count_if({bad})", "known": f"count({rows.ref(column)})"},
            read=lambda seen: counted(column, seen["outside"], seen["known"], _what(params), at_most=share(params)),
            bad=bad,
            told_by=lambda ends: _inside(ends, *found),
        )

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """Counts values outside."""
        values = table.column(column)
        found = self._bounds(column, values.type, params)
        if isinstance(found, str):
            return wrong(table.num_rows, found)
        bad = comparable.outside_mask(values, *found)
        return counted_mask(table, column, bad, len(values) - values.null_count, _what(params), at_most=share(params))

    def _bounds(
        self, column: str, kind: pa.DataType, params: Mapping[str, JsonValue]
    ) -> tuple[comparable.Bound, comparable.Bound] | str:
        import pyarrow.types as t

        low, high = params.get("low"), params.get("high")
        if low is None and high is None:
            raise InvalidInput(f"The range of '{column}' has no bounds.", hint="Give low, high or both.")
        if t.is_null(kind):
            return None, None
        for bound in (low, high):
            try:
                comparable.bounds(kind, bound, None)
            except comparable.NotComparable:
                return f"'{column}' is of type {kind} and cannot be compared with {bound!r}"
        return comparable.bounds(kind, low, high)


def _inside(ends: Ends, low: comparable.Bound, high: comparable.Bound) -> Mapping[str, int] | None:
    """What the ends tell where they lie inside: then all values do, except those that are no number."""
    if ends.low is not None and ends.high is not None:
        if isinstance(low, str) or isinstance(high, str):
            return None
        if (low is not None and ends.low < low) or (high is not None and ends.high > high):
            return None
    return {"outside": ends.not_numbers, "known": ends.rows - ends.missing}


def _what(params: Mapping[str, JsonValue]) -> str:
    shown = ("..." if params.get(name) is None else str(params[name]) for name in ("low", "high"))
    return f"lie outside {' to '.join(shown)}"


plugin: SqlCheck = InRange()
