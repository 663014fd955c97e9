"""What checks of a single statistic share: its bounds, and how it is told."""

from __future__ import annotations

import math
from collections.abc import Mapping

from flyball.data.checks.base import Finding, Rows, is_missing, wrong
from flyball.errors import InvalidInput
from flyball.serialization import JsonValue


def bounds_of(what: str, params: Mapping[str, JsonValue]) -> tuple[float, float]:
    """The bounds among the params, infinite where there is none.

    Raises:
        InvalidInput: there is none at all, or one is no number.
    """
    low, high = params.get("low"), params.get("high")
    if low is None and high is None:
        raise InvalidInput(f"{what} has no bounds.", hint="Give low, high or both.")
    for bound in (low, high):
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int | float) or math.isnan(bound)):
            raise InvalidInput(f"{bound!r} is no bound.", hint="Give a number.")
    return -math.inf if low is None else low, math.inf if high is None else high


def is_number(rows: Rows, column: str) -> bool:
    """Whether a column holds numbers (or nothing at all)."""
    return rows.schema.column(column).type in ("int", "float", "decimal", "bool", "null")


def as_double(rows: Rows, column: str) -> str:
    """The column as doubles, in SQL."""
    ref = rows.ref(column)
    return (
        f"CAST(CAST({ref} AS INTEGER) AS DOUBLE)"
        if rows.schema.column(column).type == "bool"
        else f"CAST({ref} AS DOUBLE)"
    )


def known(rows: Rows, column: str) -> str:
    """SQL that holds where there is a value."""
    return f"NOT {is_missing(rows, column)}"


def judge(what: str, value: float | None, rows: int, low: float, high: float) -> Finding:
    """The finding about a statistic of all rows; undefined (of no rows) is none that could be wrong."""
    if value is None or math.isnan(value):
        return (
            wrong(rows, f"{what} is not defined")
            if rows
            else Finding(found=f"{what} is not defined", failing=0, total=0)
        )
    passed = low <= value <= high
    found = f"{what} is {value:.6g}"
    if not passed:
        found += f", {shown(low, high)} is expected"
    return Finding(found=found, failing=0 if passed else rows, total=rows, passed=passed)


def shown(low: float, high: float) -> str:
    """Bounds in words."""
    if math.isinf(low):
        return f"at most {high:g}"
    return f"at least {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"
