"""What a user writes to say what is expected of a table: `expect.not_null("origin")`."""

from __future__ import annotations

from collections.abc import Sequence

from flyball.data.checks.base import CheckSpec, Severity
from flyball.errors import InvalidInput
from flyball.schema import ColumnType
from flyball.serialization import JsonValue


def not_null(column: str, *, severity: Severity = "fail") -> CheckSpec:
    """No value is missing.

    >>> not_null("origin").check
    'not_null'
    """
    return CheckSpec(check="not_null", column=column, severity=severity)


def unique(*columns: str, severity: Severity = "fail") -> CheckSpec:
    """No value, or no combination of values, appears twice."""
    if not columns:
        raise InvalidInput("No column is named that shall be unique.", hint="Write expect.unique('flight_id').")
    params: dict[str, JsonValue] = {"also": list(columns[1:])} if columns[1:] else {}
    return CheckSpec(check="unique", column=columns[0], params=params, severity=severity)


def in_range(
    column: str, low: float | str | None = None, high: float | str | None = None, *, severity: Severity = "fail"
) -> CheckSpec:
    """Every value lies between the bounds, both included; times are written as ISO 8601.

    >>> in_range("distance", 1, 6000).params
    {'low': 1, 'high': 6000}
    """
    params = {name: bound for name, bound in (("low", low), ("high", high)) if bound is not None}
    return CheckSpec(check="in_range", column=column, params=params, severity=severity)


def in_set(column: str, values: Sequence[JsonValue], *, severity: Severity = "fail") -> CheckSpec:
    """Every value is one of these."""
    return CheckSpec(check="in_set", column=column, params={"values": list(values)}, severity=severity)


def matches(column: str, pattern: str, *, severity: Severity = "fail") -> CheckSpec:
    """The regular expression fits every text from beginning to end."""
    return CheckSpec(check="matches", column=column, params={"pattern": pattern}, severity=severity)


def row_count(low: int | None = None, high: int | None = None, *, severity: Severity = "fail") -> CheckSpec:
    """There are at least, and at most, so many rows."""
    params = {name: bound for name, bound in (("low", low), ("high", high)) if bound is not None}
    return CheckSpec(check="row_count", params=dict(params), severity=severity)


def fresh(column: str, max_age: str, *, severity: Severity = "fail") -> CheckSpec:
    """The latest time is no older than a duration such as `3h`."""
    return CheckSpec(check="fresh", column=column, params={"max_age": max_age}, severity=severity)


def column_type(column: str, type: ColumnType, *, severity: Severity = "fail") -> CheckSpec:
    """The column holds values of a type."""
    return CheckSpec(check="column_type", column=column, params={"type": type}, severity=severity)
