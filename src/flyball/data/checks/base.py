"""The seam of the checks: a table in, a finding out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from flyball.errors import InvalidInput, did_you_mean
from flyball.plugins import PluginGroup
from flyball.serialization import JsonValue

if TYPE_CHECKING:
    import pyarrow as pa

Severity = Literal["fail", "warn"]


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
    """

    check: str
    column: str
    passed: bool
    found: str
    failing: int
    total: int
    severity: Severity = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found, before it is told who asked.

    Attributes:
        passed: By default, whether nothing fails.
    """

    found: str
    failing: int
    total: int
    passed: bool | None = None


class Check(Protocol):
    """One kind of expectation.

    Attributes:
        params: The names of what it needs to know, and whether it can do without (True: it must be given).
    """

    @property
    def params(self) -> Mapping[str, bool]: ...

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """What is found in the table. Columns that are named are there; `params` fits what is declared."""
        ...


def wrong(table: pa.Table, found: str) -> Finding:
    """A finding that holds for every row."""
    return Finding(found=found, failing=table.num_rows, total=table.num_rows, passed=False)


def counted(column: str, failing: int, total: int, what: str) -> Finding:
    """A finding about single values: `3 of 100 values of 'origin' are missing`."""
    return Finding(found=f"{failing:,} of {total:,} values of '{column}' {what}", failing=failing, total=total)


CHECKS: PluginGroup[Check] = PluginGroup("check", "flyball.data.checks")


def run_check(spec: CheckSpec, table: pa.Table) -> CheckResult:
    """What a declared check finds in a table. A column that is not there is a failure, not an error.

    Raises:
        NotFound: there is no such check.
        InvalidInput: its params cannot be used.
    """
    check = CHECKS.get(spec.check)
    for name in spec.params:
        if name not in check.params:
            raise InvalidInput(f"The check '{spec.check}' takes no '{name}'.", hint=did_you_mean(name, check.params))
    for name, is_required in check.params.items():
        if is_required and name not in spec.params:
            raise InvalidInput(f"The check '{spec.check}' needs '{name}'.")
    if spec.column and spec.column not in table.column_names:
        finding = wrong(table, f"there is no column '{spec.column}'")
    else:
        finding = check.run(table, spec.column, spec.params)
    return CheckResult(
        check=spec.check,
        column=spec.column,
        passed=finding.failing == 0 if finding.passed is None else finding.passed,
        found=finding.found,
        failing=finding.failing,
        total=finding.total,
        severity=spec.severity,
    )
