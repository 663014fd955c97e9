"""Quantile: the quantile `q` of the values lies between `low` and `high`, both included; missing ones do not count.

The quantile is the least value that at least the share `q` of the values do not exceed (definition 1 of Hyndman and Fan
1996), so counting is enough to judge it, and nothing is sorted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from flyball.data.checks._statistic import as_double, bounds_of, is_number, known, shown
from flyball.data.checks.base import Finding, Plan, Rows, SqlCheck, wrong
from flyball.errors import InvalidInput
from flyball.serialization import JsonValue, convert


class Quantile:
    """A quantile must be about right; NaN is missing."""

    params: Mapping[str, bool] = {"q": True, "low": False, "high": False}

    def plan(self, column: str, params: Mapping[str, JsonValue], rows: Rows) -> Plan | Finding:
        """Counts the values below and up to the bounds."""
        q = convert(params["q"], float)
        if not 0 < q <= 1:
            raise InvalidInput(f"{q:g} is no quantile.", hint="Give more than 0 and at most 1, such as 0.5.")
        low, high = bounds_of(f"The quantile of '{column}'", params)
        if not is_number(rows, column):
            return wrong(-1, f"'{column}' is of type {rows.arrow_type(column)}, which has no quantiles")
        value, there = as_double(rows, column), known(rows, column)

        def read(seen: Mapping[str, Any]) -> Finding:
            return _judge(column, q, (low, high), seen)

        return Plan(
            aggregates={
                "below": f"count_if({value} < {_bound(low)} AND {there})",
                "within": f"count_if({value} <= {_bound(high)} AND {there})",
                "known": f"count_if({there})",
            },
            read=read,
        )


def _bound(bound: float) -> str:
    from flyball.data import _sql

    return _sql.number(float(bound))


def _judge(column: str, q: float, bounds: tuple[float, float], seen: Mapping[str, Any]) -> Finding:
    known, what = seen["known"], f"the {q:g} quantile of '{column}'"
    if not known:
        return Finding(found=f"{what} is not defined", failing=0, total=0)
    # The place of the quantile in ascending order, as a whole number: shares would be rounded.
    place = max(1, math.ceil(q * known - 1e-9))
    is_low, is_high = seen["below"] >= place, seen["within"] < place
    passed = not is_low and not is_high
    if passed:
        found = f"{what} is {shown(*bounds)}"
    else:
        side = f"below {bounds[0]:g}" if is_low else f"above {bounds[1]:g}"
        found = f"{what} lies {side}; {shown(*bounds)} is expected"
    return Finding(found=found, failing=0 if passed else known, total=known, passed=passed)


plugin: SqlCheck = Quantile()
