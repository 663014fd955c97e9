"""In set: every value is one of `values`, or all but the share `at_most`; missing ones do not count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyball.data import _sql
from flyball.data.checks import _comparable as comparable
from flyball.data.checks.base import Finding, Plan, Rows, SqlCheck, counted, counted_mask, share, wrong
from flyball.serialization import JsonValue, convert

if TYPE_CHECKING:
    import pyarrow as pa

_WHAT = "are not in the set"


class InSet:
    """Values must be among those that are known."""

    params: Mapping[str, bool] = {"values": True, "at_most": False}

    def plan(self, column: str, params: Mapping[str, JsonValue], rows: Rows) -> Plan | Finding:
        """Counts values that are not in the set."""
        kind = rows.arrow_type(column)
        known = _known(kind, params)
        if known is None:
            return wrong(-1, f"'{column}' is of type {kind}, which the set is not")
        listed = ", ".join(_sql.value(value) for value in comparable.to_arrow(known).to_pylist())
        expression = comparable.to_sql(rows, column)
        bad = (
            f"({expression} IS NOT NULL AND {expression} NOT IN ({listed}))"
            if listed
            else f"({expression} IS NOT NULL)"
        )
        return Plan(
            aggregates={"others": f"count_if({bad})", "known": f"count({rows.ref(column)})"},
            read=lambda seen: counted(column, seen["others"], seen["known"], _WHAT, at_most=share(params)),
            bad=bad,
            tells_values=True,
            is_by_value=True,
        )

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """Counts values that are not in the set, and names some of them."""
        import pyarrow as pa
        import pyarrow.compute as pc

        values = table.column(column)
        known = _known(values.type, params)
        if known is None:
            return wrong(table.num_rows, f"'{column}' is of type {values.type}, which the set is not")
        domain, listed = comparable.to_arrow(values), comparable.to_arrow(known).combine_chunks()
        if pa.types.is_floating(domain.type):
            domain, listed = pc.add(domain, 0.0), pc.add(listed, 0.0)  # Arrow looks at bits: minus zero is zero here
        bad = pc.and_(values.is_valid(), pc.invert(pc.is_in(domain, value_set=listed)))
        total = len(values) - values.null_count
        return counted_mask(table, column, bad, total, _WHAT, at_most=share(params), tells_values=True)


def _known(kind: pa.DataType, params: Mapping[str, JsonValue]) -> pa.ChunkedArray | None:
    """The set in the column's type; None if it is of another."""
    import pyarrow as pa

    wanted = [value for value in convert(params["values"], list[JsonValue]) if value is not None]
    try:
        made = pa.array(wanted)
        if wanted and pa.types.is_boolean(made.type) != pa.types.is_boolean(kind) and not pa.types.is_string(kind):
            return None
        return pa.chunked_array([made.cast(kind) if wanted else pa.array([], kind)])
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return None


plugin: SqlCheck = InSet()
