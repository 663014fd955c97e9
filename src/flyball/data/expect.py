"""What a user writes to say what is expected of a table: `expect.not_null("origin")`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flyball.data.checks.base import CheckSpec, Severity
from flyball.errors import InvalidInput
from flyball.schema import ColumnType
from flyball.serialization import JsonValue, digest, to_plain

if TYPE_CHECKING:
    from flyball.data.profile import ColumnProfile


def not_null(column: str, *, at_most: float | str = 0, severity: Severity = "fail") -> CheckSpec:
    """No value is missing, or at most a share such as `0.02` or `"2%"`.

    >>> not_null("origin").check
    'not_null'
    """
    return _spec("not_null", column, severity, at_most=at_most or None)


def unique(*columns: str, severity: Severity = "fail") -> CheckSpec:
    """No value, or no combination of values, appears twice."""
    if not columns:
        raise InvalidInput("No column is named that shall be unique.", hint="Write expect.unique('flight_id').")
    return _spec("unique", columns[0], severity, also=list(columns[1:]) or None)


def in_range(
    column: str,
    low: float | str | None = None,
    high: float | str | None = None,
    *,
    at_most: float | str = 0,
    severity: Severity = "fail",
) -> CheckSpec:
    """Every value lies between the bounds, both included; times are written as ISO 8601.

    >>> in_range("distance", 1, 6000).params
    {'low': 1, 'high': 6000}

    Args:
        at_most: The share of values that may lie outside.
    """
    return _spec("in_range", column, severity, low=low, high=high, at_most=at_most or None)


def in_set(
    column: str, values: Sequence[JsonValue], *, at_most: float | str = 0, severity: Severity = "fail"
) -> CheckSpec:
    """Every value is one of these, or all but a share."""
    return _spec("in_set", column, severity, values=list(values), at_most=at_most or None)


def matches(column: str, pattern: str, *, at_most: float | str = 0, severity: Severity = "fail") -> CheckSpec:
    """The regular expression fits every text from beginning to end, or all but a share."""
    return _spec("matches", column, severity, pattern=pattern, at_most=at_most or None)


def row_count(
    low: int | None = None,
    high: int | None = None,
    *,
    change: float | str | None = None,
    severity: Severity = "fail",
) -> CheckSpec:
    """There are at least, and at most, so many rows.

    Args:
        change: By which share of the version before the number may differ, such as `"20%"`.
    """
    return _spec("row_count", "", severity, low=low, high=high, change=change)


def fresh(column: str, max_age: str, *, severity: Severity = "fail") -> CheckSpec:
    """The latest time is no older than a duration such as `3h`."""
    return _spec("fresh", column, severity, max_age=max_age)


def column_type(column: str, type: ColumnType, *, severity: Severity = "fail") -> CheckSpec:
    """The column holds values of a type."""
    return _spec("column_type", column, severity, type=type)


def foreign_key(
    column: str, table: str, key: str = "", *, at_most: float | str = 0, severity: Severity = "fail"
) -> CheckSpec:
    """Every value is among those of a column of another table.

    Args:
        table: Name of a dataset, or of a table that is handed over with the checks.
        key: Its column; one of the same name by default.
        at_most: The share of values that may be unknown to it.
    """
    return _spec("foreign_key", column, severity, table=table, key=key or None, at_most=at_most or None)


def distribution(
    column: str, reference: ColumnProfile | str, at_most: float = 0.1, *, severity: Severity = "fail"
) -> CheckSpec:
    """The values are spread as in a reference: their Jensen-Shannon distance, from 0 to 1, is at most so much.

    Args:
        reference: The profile of the column, or a version such as `flights@3f2a` whose profile is kept.
    """
    shares = reference if isinstance(reference, str) else to_plain(reference.shares())
    return _spec("distribution", column, severity, reference=shares, at_most=at_most)


def correlation(
    column: str, other: str, low: float | None = None, high: float | None = None, *, severity: Severity = "fail"
) -> CheckSpec:
    """Pearson's correlation of two columns lies between the bounds."""
    return _spec("correlation", column, severity, other=other, low=low, high=high)


def mean(column: str, low: float | None = None, high: float | None = None, *, severity: Severity = "fail") -> CheckSpec:
    """The mean lies between the bounds."""
    return _spec("mean", column, severity, low=low, high=high)


def quantile(
    column: str, q: float, low: float | None = None, high: float | None = None, *, severity: Severity = "fail"
) -> CheckSpec:
    """The quantile `q` (0.5 is the median) lies between the bounds."""
    return _spec("quantile", column, severity, q=q, low=low, high=high)


def sql(where: str, *, column: str = "", at_most: float | str = 0, severity: Severity = "fail") -> CheckSpec:
    """No row fits a condition in SQL; or, where it is made of aggregates, it holds: `avg(delay) < 30`.

    >>> sql("arrival < departure").params
    {'where': 'arrival < departure'}

    Args:
        where: What holds for a bad row, in DuckDB's SQL; the table itself is `rows`, `{column}` the column.
        column: What it is about, for the report.
        at_most: The share of rows that may fit.
    """
    return _spec("sql", column, severity, where=where, at_most=at_most or None)


def python(
    function: Callable[..., Any] | str, *, column: str = "", at_most: float | str = 0, severity: Severity = "fail"
) -> CheckSpec:
    """A function finds the table to be good: it is handed the Arrow table and gives True, or one boolean for each row.

    Args:
        function: A function at the top level of a module, or its place as `module:name`.
        column: Hand over this column instead of the table.
        at_most: The share of rows that may not be good.

    Raises:
        InvalidInput: the function has no name by which it could be found again.
    """
    if isinstance(function, str):
        return _spec("python", column, severity, function=function, at_most=at_most or None)
    name = getattr(function, "__qualname__", "<none>")
    if "<" in name:
        raise InvalidInput(
            f"The check function '{name}' cannot be found again by its name.",
            hint="Write it as a function at the top level of a module.",
        )
    try:
        code = digest(inspect.getsource(function).encode())[:16]
    except (OSError, TypeError):
        code = ""
    place = f"{function.__module__}:{name}"
    return _spec("python", column, severity, function=place, code=code or None, at_most=at_most or None)


def _spec(check: str, column: str, severity: Severity, **params: JsonValue) -> CheckSpec:
    given = {name: value for name, value in params.items() if value is not None}
    return CheckSpec(check=check, column=column, params=given, severity=severity)
