"""Runs checks over a table and says what they found.

All checks are compiled into the aggregates of one pass over the rows. Tables in memory of up to 100,000 rows are looked
at by each check by itself, which is quicker than opening a database on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flyball.clock import parse_time
from flyball.data import _sql
from flyball.data._asking import Compiled, aggregates_of, answers
from flyball.data._shown import shown
from flyball.data.arrow import to_arrow
from flyball.data.checks.base import (
    EXAMPLES,
    CheckResult,
    CheckSpec,
    Finding,
    Plan,
    SqlCheck,
    TableCheck,
    check_of,
    wrong,
)
from flyball.data.scan import Scan
from flyball.errors import ChecksFailed, InvalidInput
from flyball.schema import Schema
from flyball.serialization import JsonValue, to_plain

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.data.pii import PiiFlag
    from flyball.data.profile import TableProfile

_SMALL = 100_000
_MOST_COLUMNS = 12
_TOLD_COLUMNS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationReport:
    """What the checks of a table found.

    Attributes:
        passed: Whether no check whose severity is `fail` failed.
        rows: Rows of the table.
        sample: How many of them the checks looked at that say so; None where all were looked at.
    """

    passed: bool
    rows: int
    results: tuple[CheckResult, ...]
    sample: int | None = None

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The checks that failed and stop the work."""
        return tuple(result for result in self.results if not result.passed and result.severity == "fail")

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        """The checks that failed and are only told."""
        return tuple(result for result in self.results if not result.passed and result.severity == "warn")

    def __str__(self) -> str:
        lines = [line for result in self.results for line in _lines(result)]
        sampled = "" if self.sample is None else f" (a sample of {self.sample:,} looked at)"
        return "\n".join([f"{self.rows:,} rows{sampled}, {len(self.results)} checks: {_verdict(self)}", *lines])


def validate(
    table: object,
    checks: Sequence[CheckSpec] | None = None,
    *,
    schema: Schema | None = None,
    now: datetime | None = None,
    sample: int | None = None,
    tables: Mapping[str, object] | None = None,
    profiles: Mapping[str, TableProfile] | None = None,
    former_rows: int | None = None,
    flags: Sequence[PiiFlag] | None = None,
) -> ValidationReport:
    """What the checks find in a table; a failure is a finding, not an error.

    Args:
        table: Anything that holds a table, or the path of a Parquet file (or paths of several).
        checks: What is expected; see `flyball.data.expect`.
        schema: The columns that are expected: one that is gone or of another type fails, a new one is a warning.
        now: The moment at which freshness is judged.
        sample: Look at so many rows only, drawn at random; counts of rows and freshness are still judged on all.
        tables: Other tables that checks compare with, by name.
        profiles: Profiles that checks of distributions refer to, by name.
        former_rows: Rows of the version before.
        flags: Columns with personal data, masked in examples; found by name and content if not given.

    Raises:
        NotFound: there is no such check.
        InvalidInput: a check's params cannot be used.
    """
    if sample is not None and sample < 1:
        raise InvalidInput(f"A sample of {sample} rows shows nothing.", hint="Give at least 1.")
    given = [resolve(spec, now=now, profiles=profiles, former_rows=former_rows) for spec in checks or ()]
    with ExitStack() as stack:
        subject = Subject(stack, table, tables)
        results = [] if schema is None else _compare(schema, subject.schema, subject.rows)
        is_sampled = sample is not None and sample < subject.rows
        if is_sampled:
            assert sample is not None
            part = Subject(stack, subject.scan.sample(sample), tables)
            whole = [place for place, spec in enumerate(given) if getattr(check_of(spec), "is_whole", False)]
            found = dict(zip(whole, judge(subject, [given[place] for place in whole], flags), strict=True))
            others = [place for place in range(len(given)) if place not in found]
            seen = judge(part, [given[place] for place in others], flags)
            found.update({place: replace(one, sampled=True) for place, one in zip(others, seen, strict=True)})
            results += [found[place] for place in range(len(given))]
        else:
            results += judge(subject, given, flags)
    return report_of(results, subject.rows, sample=sample if is_sampled else None)


def ensure_valid(
    table: object,
    checks: Sequence[CheckSpec] | None = None,
    *,
    schema: Schema | None = None,
    now: datetime | None = None,
    sample: int | None = None,
    tables: Mapping[str, object] | None = None,
    profiles: Mapping[str, TableProfile] | None = None,
) -> ValidationReport:
    """The report of `validate`, where nothing failed.

    Raises:
        ChecksFailed: a check failed whose severity is `fail`; the message says what was found, and shows a row.
    """
    report = validate(table, checks, schema=schema, now=now, sample=sample, tables=tables, profiles=profiles)
    if report.passed:
        return report
    found = [result.found + _such_as(result) for result in report.failures]
    # The first letter only: the rest holds names of columns.
    sentences = ". ".join(text[:1].upper() + text[1:] for text in found)
    raise ChecksFailed(
        f"{len(found)} of {len(report.results)} checks failed. {sentences}.",
        checks=[
            {
                "check": result.check,
                "column": result.column,
                "failing": result.failing,
                "examples": list(result.examples),
            }
            for result in report.failures
        ],
    )


def report_of(results: Sequence[CheckResult], rows: int, *, sample: int | None = None) -> ValidationReport:
    """The report of these results."""
    passed = all(result.passed or result.severity == "warn" for result in results)
    return ValidationReport(passed=passed, rows=rows, results=tuple(results), sample=sample)


class Subject:
    """The table that is judged: in memory where it is, and as SQL once somebody asks.

    Args:
        stack: Closes what is opened.
        source: A table, paths of Parquet files, or a scan that is open already.
        tables: Others that are compared with.
    """

    def __init__(self, stack: ExitStack, source: object, tables: Mapping[str, object] | None = None) -> None:
        self._stack = stack
        self._tables = tables
        self._scan = source if isinstance(source, Scan) else None
        self.table: pa.Table | None = self._scan.table if self._scan else None
        if self._scan is None:
            if _is_in_files(source):
                self._scan = stack.enter_context(Scan(source, others=tables))
            else:
                self.table = to_arrow(source)
        self.schema = Schema.of(self.table) if self.table is not None else self.scan.schema
        self.rows: int = self.table.num_rows if self.table is not None else self.scan.num_rows

    @property
    def is_small(self) -> bool:
        """Whether a check is quicker on the table itself."""
        return self.table is not None and self.rows <= _SMALL

    @property
    def scan(self) -> Scan:
        """The table as SQL."""
        if self._scan is None:
            self._scan = self._stack.enter_context(Scan(self.table, others=self._tables))
        return self._scan

    def arrow(self) -> pa.Table:
        """All rows in memory."""
        if self.table is None:
            self.table = self.scan.arrow("SELECT * FROM rows")
        return self.table

    def head(self, rows: int) -> pa.Table:
        """The first rows."""
        return (
            self.table.slice(0, rows) if self.table is not None else self.scan.arrow(_sql.select("*", f"LIMIT {rows}"))
        )


def resolve(
    spec: CheckSpec,
    *,
    now: datetime | None = None,
    profiles: Mapping[str, TableProfile] | None = None,
    former_rows: int | None = None,
) -> CheckSpec:
    """The check with what only the caller knows: the time, the version before, the profile it refers to.

    Raises:
        NotFound: there is no such check.
        InvalidInput: its params cannot be used.
    """
    takes = check_of(spec).params
    more: dict[str, JsonValue] = {}
    if now is not None and "now" in takes:
        more["now"] = parse_time(now).isoformat()
    if former_rows is not None and "before" in takes:
        more["before"] = former_rows
    reference = spec.params.get("reference")
    if isinstance(reference, str) and profiles and reference in profiles:
        return replace(
            spec, params={**spec.params, "reference": to_plain(profiles[reference].column(spec.column).shares())}
        )
    return replace(spec, params={**more, **spec.params}) if more else spec


def judge(subject: Subject, specs: Sequence[CheckSpec], flags: Sequence[PiiFlag] | None = None) -> list[CheckResult]:
    """What each check finds, in the order of the checks."""
    compiled = [compile_check(subject, spec) for spec in specs]
    return read_results(subject, compiled, answers(subject.scan, compiled) if aggregates_of(compiled) else {}, flags)


def compile_check(subject: Subject, spec: CheckSpec) -> Compiled:
    """How a check finds out. A column that is not there is a failure, not an error."""
    check = check_of(spec)
    if spec.column and spec.column not in subject.schema.names:
        return Compiled(spec=spec, way=wrong(subject.rows, f"there is no column '{spec.column}'"))
    if isinstance(check, TableCheck) and (subject.is_small or not isinstance(check, SqlCheck)):
        return Compiled(spec=spec, way=check.run(subject.arrow(), spec.column, spec.params))
    if not isinstance(check, SqlCheck):
        raise InvalidInput(f"The check '{spec.check}' has neither `plan` nor `run`.")
    return Compiled(spec=spec, way=check.plan(spec.column, spec.params, subject.scan))


def read_results(
    subject: Subject, compiled: Sequence[Compiled], seen: Mapping[str, Any], flags: Sequence[PiiFlag] | None
) -> list[CheckResult]:
    """What the checks found, from the aggregates of the pass; rows are shown of those that failed."""
    masks = _Masks(subject, flags)
    return [_read(subject, one, place, seen, masks) for place, one in enumerate(compiled)]


class _Masks:
    """Which columns hold personal data, found once somebody asks."""

    def __init__(self, subject: Subject, flags: Sequence[PiiFlag] | None) -> None:
        self._subject = subject
        self._flags = flags

    @property
    def flags(self) -> Sequence[PiiFlag]:
        if self._flags is None:
            from flyball.data.pii import find_pii

            self._flags = find_pii(self._subject.head(_LOOKED_AT))
        return self._flags

    def mask(self, table: pa.Table) -> pa.Table:
        from flyball.data.pii import masked

        return masked(table, self.flags)

    def told(self, column: str, values: Sequence[object]) -> str:
        from flyball.data.pii import mask_value

        if not values:
            return ""
        kinds = {flag.column: flag.kind for flag in self.flags}
        shown_values = [mask_value(value, kinds[column]) if column in kinds else value for value in values]
        return ": " + ", ".join(repr(value[:60] if isinstance(value, str) else value) for value in shown_values)


_LOOKED_AT = 5_000


def _read(subject: Subject, one: Compiled, place: int, seen: Mapping[str, Any], masks: _Masks) -> CheckResult:
    spec, plan = one.spec, one.way if isinstance(one.way, Plan) else None
    if plan is None:
        assert isinstance(one.way, Finding)
        finding = one.way
        if finding.total < 0:
            finding = replace(finding, failing=subject.rows if finding.failing else 0, total=subject.rows)
    elif plan.query:
        finding = plan.read(dict(zip(plan.aggregates, subject.scan.query(plan.query)[0], strict=True)))
    else:
        finding = plan.read({name: seen[f"{place}.{name}"] for name in plan.aggregates})
    passed = finding.failing == 0 if finding.passed is None else finding.passed
    values = list(finding.values)
    examples: tuple[dict[str, JsonValue], ...] = ()
    if not passed and plan is not None and plan.bad:
        if plan.tells_values:
            values = _bad_values(subject.scan, spec.column, plan)
        examples = _examples(subject.scan.arrow(_bad_rows(subject, spec, plan)), masks)
    elif not passed and finding.rows:
        import pyarrow as pa

        names = _to_show(subject.schema, spec)
        examples = _examples(subject.arrow().select(names).take(pa.array(finding.rows)), masks)
    return CheckResult(
        check=spec.check,
        column=spec.column,
        passed=passed,
        found=finding.found + masks.told(spec.column, values),
        failing=finding.failing,
        total=finding.total,
        severity=spec.severity,
        examples=examples,
    )


def _bad_values(scan: Scan, column: str, plan: Plan) -> list[object]:
    ref = scan.ref(column)
    found = scan.arrow(
        _sql.select(f"DISTINCT {ref}", f"WHERE {plan.bad} ORDER BY CAST({ref} AS VARCHAR) LIMIT {EXAMPLES}")
    )
    return list(found.column(0).to_pylist())


def _bad_rows(subject: Subject, spec: CheckSpec, plan: Plan) -> str:
    listed = ", ".join(subject.scan.ref(name) for name in _to_show(subject.schema, spec, plan.shown))
    return _sql.select(listed, f"WHERE {plan.bad} LIMIT {EXAMPLES}")


def _to_show(schema: Schema, spec: CheckSpec, also: Sequence[str] = ()) -> list[str]:
    first = [name for name in (spec.column, *also) if name]
    return list(dict.fromkeys([*first, *schema.names]))[:_MOST_COLUMNS]


def _examples(rows: pa.Table, masks: _Masks) -> tuple[dict[str, JsonValue], ...]:
    return tuple({name: shown(value) for name, value in row.items()} for row in masks.mask(rows).to_pylist())


def _is_in_files(source: object) -> bool:
    from pathlib import Path

    if isinstance(source, Path):
        return True
    return isinstance(source, list | tuple) and bool(source) and all(isinstance(path, Path) for path in source)


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


def _lines(result: CheckResult) -> list[str]:
    mark = "ok  " if result.passed else result.severity
    line = f"  {mark}  {result.check}: {result.found}{' (sampled)' if result.sampled else ''}"
    return [line, *(f"          {row_text(example)}" for example in result.examples if not result.passed)]


def row_text(row: Mapping[str, JsonValue], most: int = _TOLD_COLUMNS) -> str:
    """A row in one line: its first columns.

    >>> row_text({"id": 1, "origin": None})
    'id=1, origin=null'
    """
    told = ", ".join(f"{name}={'null' if value is None else value}" for name, value in list(row.items())[:most])
    return told + (", ..." if len(row) > most else "")


def _such_as(result: CheckResult) -> str:
    return f" (such as the row {row_text(result.examples[0])})" if result.examples else ""
