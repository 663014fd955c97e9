"""The seam of the checks: what is expected of a table, as aggregates that one pass over the rows gives.

A check is one file that ends with `plugin: Check = Name()`. It compiles what is expected into SQL aggregates (`plan`),
so that any number of checks costs one pass; it may also judge an Arrow table by itself (`run`), which is quicker for
tables of some thousand rows, and is all that a check needs that cannot be said in SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from flyball.errors import InvalidInput, did_you_mean
from flyball.plugins import PluginGroup
from flyball.schema import Schema
from flyball.serialization import JsonValue

if TYPE_CHECKING:
    import pyarrow as pa

Severity = Literal["fail", "warn"]
EXAMPLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """An expectation as it is declared.

    Attributes:
        check: Name of the check.
        column: What it looks at; empty where it looks at the whole table.
        params: What the check needs to know.
        severity: Whether a failure stops the work, or is only told.
    """

    check: str
    column: str = ""
    params: dict[str, JsonValue] = field(default_factory=dict)
    severity: Severity = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a check found.

    Attributes:
        found: The finding, in one sentence.
        failing: How many of the `total` do not keep the promise.
        examples: Up to five rows that do not, values of flagged columns masked; empty where no single row is to blame.
        sampled: Whether only a sample of the rows was looked at; 'failing' and 'total' are then of the sample.
    """

    check: str
    column: str
    passed: bool
    found: str
    failing: int
    total: int
    severity: Severity = "fail"
    examples: tuple[dict[str, JsonValue], ...] = ()
    sampled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found, before it is told who asked.

    Attributes:
        passed: By default, whether nothing fails.
        values: Values of the column that are told after it; masked where the column is flagged.
        rows: Places of the first rows that fail, where they are known.
    """

    found: str
    failing: int
    total: int
    passed: bool | None = None
    values: tuple[object, ...] = ()
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Between what the numbers of a column lie, which often says already that a check finds nothing.

    Attributes:
        missing: Rows without a value.
        not_numbers: Rows whose value is NaN.
        low: The least of the others; None where there is none.
        high: The greatest.
    """

    rows: int
    missing: int
    not_numbers: int
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How DuckDB finds out.

    Attributes:
        aggregates: SQL aggregates over the view `rows`, by a name of the check's own.
        read: Makes the finding of their values.
        query: A statement of its own that gives the aggregates as one row, where they cannot stand beside others.
        bad: SQL condition that holds for the rows that do not keep the promise; empty where no single row is to blame.
        tells_values: Whether the values that fail are told.
        shown: Columns that an example must show, beside the one that is looked at.
        told_by: Gives the aggregates from the ends of the column, which are a third of the work; None where they do not tell.
        is_by_value: Whether the aggregates are `others`, rows of which `bad` holds, and `known`, rows with a value, and both
            say the same of rows with one value.
    """

    aggregates: Mapping[str, str]
    read: Callable[[Mapping[str, Any]], Finding]
    query: str = ""
    bad: str = ""
    tells_values: bool = False
    shown: tuple[str, ...] = ()
    told_by: Callable[[Ends], Mapping[str, int] | None] | None = None
    is_by_value: bool = False


class Rows(Protocol):
    """What a check may know of the table before it is read."""

    @property
    def schema(self) -> Schema: ...

    def ref(self, column: str) -> str:
        """The column as SQL names it."""
        ...

    def arrow_type(self, column: str) -> pa.DataType:
        """Arrow's type of the column."""
        ...

    def explains(self, statement: str) -> str:
        """Why DuckDB refuses a statement; empty if it would not."""
        ...

    def distinct(self, column: str) -> tuple[int, int]:
        """How many values are known, and how many different ones they are; NaN is missing."""
        ...

    def other(self, table: str) -> tuple[str, Rows]:
        """Another table as SQL names it, and what is known of it; by the name that the check gives it.

        Raises:
            InvalidInput: there is none of that name.
        """
        ...


@runtime_checkable
class Check(Protocol):
    """One kind of expectation.

    One that needs all rows even where a sample is asked for has `is_whole = True`.

    Attributes:
        params: The names of what it needs to know, and whether it can do without (True: it must be given).
    """

    @property
    def params(self) -> Mapping[str, bool]: ...


@runtime_checkable
class SqlCheck(Check, Protocol):
    """One that is found out by aggregates."""

    def plan(self, column: str, params: Mapping[str, JsonValue], rows: Rows) -> Plan | Finding:
        """The aggregates; a finding where the types of the columns say it all.

        The column is there; `params` fits what is declared.
        """
        ...


@runtime_checkable
class TableCheck(Check, Protocol):
    """One that looks at an Arrow table."""

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """What is found in the table. Columns that are named are there; `params` fits what is declared."""
        ...


def wrong(rows: int, found: str) -> Finding:
    """A finding that holds for every row."""
    return Finding(found=found, failing=rows, total=rows, passed=False)


def counted(
    column: str, failing: int, total: int, what: str, *, at_most: float = 0.0, values: Sequence[object] = ()
) -> Finding:
    """A finding about single values: `3 of 100 values of 'origin' are missing`.

    Args:
        at_most: The share of values that may fail.
        values: Shown after it.
    """
    found = f"{failing:,} of {total:,} values of '{column}' {what}"
    passed = failing <= at_most * total
    if at_most and not passed:
        found += f"; at most {at_most:.3%} may".replace(".000%", "%")
    return Finding(found=found, failing=failing, total=total, passed=passed, values=tuple(values))


def counted_mask(
    table: pa.Table,
    column: str,
    bad: pa.ChunkedArray,
    total: int,
    what: str,
    *,
    at_most: float = 0.0,
    tells_values: bool = False,
) -> Finding:
    """The finding about single values of which `bad` says, row by row, whether it does not keep the promise.

    Args:
        tells_values: Whether some of the values are told.
    """
    import pyarrow.compute as pc

    mask = pc.fill_null(bad, False)
    failing = pc.sum(mask).as_py() or 0
    places: tuple[int, ...] = ()
    values: Sequence[object] = ()
    if failing:
        places = tuple(pc.indices_nonzero(mask).slice(0, EXAMPLES).to_pylist())
        if tells_values:
            values = first_values(table.column(column).filter(mask).unique().to_pylist())
    return replace(counted(column, failing, total, what, at_most=at_most, values=values), rows=places)


def first_values(values: Sequence[object]) -> list[object]:
    """The first few of some values, in order of their texts, so that every way of finding them shows the same."""
    return sorted((value for value in values if value is not None), key=str)[:EXAMPLES]


def share(params: Mapping[str, JsonValue], name: str = "at_most") -> float:
    """A share between 0 and 1 among the params; 0 if it is not given.

    Raises:
        InvalidInput: it is none.
    """
    given = params.get(name)
    if given is None:
        return 0.0
    if isinstance(given, str) and given.strip().endswith("%"):
        try:
            given = float(given.strip()[:-1]) / 100
        except ValueError:
            given = None
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1:
        raise InvalidInput(f"'{params[name]}' is no share.", hint="Give a number between 0 and 1, or such as '2%'.")
    return float(given)


def is_missing(rows: Rows, column: str) -> str:
    """SQL that holds where a value is missing; NaN is."""
    import pyarrow.types as t

    ref = rows.ref(column)
    return f"({ref} IS NULL OR isnan({ref}))" if t.is_floating(rows.arrow_type(column)) else f"({ref} IS NULL)"


CHECKS: PluginGroup[Check] = PluginGroup("check", "flyball.data.checks")


def check_of(spec: CheckSpec) -> Check:
    """The check that is declared, after its params were looked at.

    Raises:
        NotFound: there is no such check.
        InvalidInput: its params cannot be used.
    """
    check = CHECKS.get(spec.check)
    for given in spec.params:
        if given not in check.params:
            raise InvalidInput(f"The check '{spec.check}' takes no '{given}'.", hint=did_you_mean(given, check.params))
    for needed, is_required in check.params.items():
        if is_required and needed not in spec.params:
            raise InvalidInput(f"The check '{spec.check}' needs '{needed}'.")
    if spec.severity not in ("fail", "warn"):
        raise InvalidInput(f"'{spec.severity}' is no severity.", hint="Write 'fail' or 'warn'.")
    return check
