"""Mean: the mean of the values lies between `low` and `high`, both included; missing ones do not count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyball.data.checks._statistic import as_double, bounds_of, is_number, judge, known
from flyball.data.checks.base import Finding, Plan, Rows, SqlCheck, wrong
from flyball.serialization import JsonValue


class Mean:
    """The mean must be about right; NaN is missing."""

    params: Mapping[str, bool] = {"low": False, "high": False}

    def plan(self, column: str, params: Mapping[str, JsonValue], rows: Rows) -> Plan | Finding:
        """Compares the mean."""
        low, high = bounds_of(f"The mean of '{column}'", params)
        if not is_number(rows, column):
            return wrong(-1, f"'{column}' is of type {rows.arrow_type(column)}, which has no mean")

        def read(seen: Mapping[str, Any]) -> Finding:
            return judge(f"the mean of '{column}'", seen["mean"], seen["known"], low, high)

        # Kahan's sum: the order in which threads add up must not decide.
        aggregates = {"mean": f"favg({as_double(rows, column)}) FILTER ({known(rows, column)})", "known": "count(*)"}
        return Plan(aggregates=aggregates, read=read)


plugin: SqlCheck = Mean()
