"""Correlation: Pearson's correlation with the column `other` lies between `low` and `high`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyball.data.checks._statistic import as_double, bounds_of, is_number, judge, known
from flyball.data.checks.base import Finding, Plan, Rows, SqlCheck, wrong
from flyball.serialization import JsonValue, convert


class Correlation:
    """Two columns must go together as they should; rows where either is missing do not count."""

    params: Mapping[str, bool] = {"other": True, "low": False, "high": False}

    def plan(self, column: str, params: Mapping[str, JsonValue], rows: Rows) -> Plan | Finding:
        """Compares the correlation; where a column is constant it is not defined, and fails."""
        other = convert(params["other"], str)
        low, high = bounds_of(f"The correlation of '{column}' and '{other}'", params)
        if other not in rows.schema.names:
            return wrong(-1, f"there is no column '{other}'")
        for name in (column, other):
            if not is_number(rows, name):
                return wrong(-1, f"'{name}' is of type {rows.arrow_type(name)}, which correlates with nothing")
        there = f"{known(rows, column)} AND {known(rows, other)}"

        def read(seen: Mapping[str, Any]) -> Finding:
            return judge(f"the correlation of '{column}' and '{other}'", seen["value"], seen["pairs"], low, high)

        return Plan(
            aggregates={
                "value": f"corr({as_double(rows, column)}, {as_double(rows, other)}) FILTER ({there})",
                "pairs": f"count_if({there})",
            },
            read=read,
        )


plugin: SqlCheck = Correlation()
