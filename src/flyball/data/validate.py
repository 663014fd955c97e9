"""Runs checks over a table and says what they found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flyball.clock import parse_time
from flyball.data.arrow import to_arrow
from flyball.data.checks.base import CHECKS, CheckResult, CheckSpec, run_check
from flyball.errors import ChecksFailed
from flyball.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationReport:
    """What the checks of a table found.

    Attributes:
        passed: Whether no check whose severity is `fail` failed.
    """

    passed: bool
    rows: int
    results: tuple[CheckResult, ...]

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The checks that failed and stop the work."""
        return tuple(result for result in self.results if not result.passed and result.severity == "fail")

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        """The checks that failed and are only told."""
        return tuple(result for result in self.results if not result.passed and result.severity == "warn")

    def __str__(self) -> str:
        lines = [_line(result) for result in self.results]
        return "\n".join([f"{self.rows:,} rows, {len(lines)} checks: {_verdict(self)}", *lines])


def validate(
    table: object,
    checks: Sequence[CheckSpec] | None = None,
    *,
    schema: Schema | None = None,
    now: datetime | None = None,
) -> ValidationReport:
    """What the checks find in a table; a failure is a finding, not an error.

    Args:
        table: Anything that holds a table.
        checks: What is expected; see `flyball.data.expect`.
        schema: The columns that are expected: one that is gone or of another type fails, a new one is a warning.
        now: The moment at which freshness is judged.

    Raises:
        NotFound: there is no such check.
        InvalidInput: a check's params cannot be used.
    """
    arrow = to_arrow(table)
    results = [] if schema is None else _compare(schema, Schema.of(arrow), arrow.num_rows)
    for spec in checks or ():
        if now is not None and "now" in CHECKS.get(spec.check).params:
            spec = replace(spec, params={"now": parse_time(now).isoformat(), **spec.params})
        results.append(run_check(spec, arrow))
    passed = all(result.passed or result.severity == "warn" for result in results)
    return ValidationReport(passed=passed, rows=arrow.num_rows, results=tuple(results))


def ensure_valid(
    table: object,
    checks: Sequence[CheckSpec] | None = None,
    *,
    schema: Schema | None = None,
    now: datetime | None = None,
) -> ValidationReport:
    """The report of `validate`, where nothing failed.

    Raises:
        ChecksFailed: a check failed whose severity is `fail`; the message says what was found.
    """
    report = validate(table, checks, schema=schema, now=now)
    if report.passed:
        return report
    found = [result.found for result in report.failures]
    # The first letter only: the rest holds names of columns.
    sentences = ". ".join(text[:1].upper() + text[1:] for text in found)
    raise ChecksFailed(
        f"{len(found)} of {len(report.results)} checks failed. {sentences}.",
        checks=[
            {"check": result.check, "column": result.column, "failing": result.failing} for result in report.failures
        ],
    )


def _compare(expected: Schema, found: Schema, rows: int) -> list[CheckResult]:
    changes = [
        change
        for change in expected.changes_to(found)
        # A column of nothing but missing values has no type of its own.
        if not (change.change == "type" and "null" in (change.before, change.after))
    ]
    if not changes:
        return [
            CheckResult(
                check="schema", column="", passed=True, found="the columns are as expected", failing=0, total=rows
            )
        ]
    return [
        CheckResult(
            check="schema",
            column=change.column,
            passed=False,
            found=str(change),
            failing=rows,
            total=rows,
            severity="warn" if change.change == "added" else "fail",
        )
        for change in changes
    ]


def _verdict(report: ValidationReport) -> str:
    failed, warned = len(report.failures), len(report.warnings)
    told = [f"{failed} failed"] if failed else []
    told += [f"{warned} warned"] if warned else []
    return ", ".join(told) or "all passed"


def _line(result: CheckResult) -> str:
    mark = "ok  " if result.passed else result.severity
    return f"  {mark}  {result.check}: {result.found}"
