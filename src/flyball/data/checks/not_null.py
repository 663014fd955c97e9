"""Not null: no value of the column is missing, or at most the share `at_most`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyball.data.checks.base import Ends, Finding, Plan, Rows, SqlCheck, counted, counted_mask, is_missing, share
from flyball.serialization import JsonValue

if TYPE_CHECKING:
    import pyarrow as pa

_WHAT = "are missing"


class NotNull:
    """Values must be there; NaN is not."""

    params: Mapping[str, bool] = {"at_most": False}

    def plan(self, column: str, params: Mapping[str, JsonValue], rows: Rows) -> Plan | Finding:
        """Counts missing values."""
        allowed, bad = share(params), is_missing(rows, column)
        is_plain = "isnan" not in bad
        missing = f"count(*) - count({rows.ref(column)})" if is_plain else f"count_if({bad})"
        return Plan(
            aggregates={"missing": missing, "rows": "count(*)"},
            read=lambda found: counted(column, found["missing"], found["rows"], _WHAT, at_most=allowed),
            bad=bad,
            told_by=_missing,
        )

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """Counts missing values."""
        import pyarrow.compute as pc

        bad = pc.is_null(table.column(column), nan_is_null=True)
        return counted_mask(table, column, bad, table.num_rows, _WHAT, at_most=share(params))


def _missing(ends: Ends) -> Mapping[str, int]:
    return {"missing": ends.missing + ends.not_numbers, "rows": ends.rows}


plugin: SqlCheck = NotNull()
