"""The clean report: what is wrong with a table, how sure that is, and the line of code that mends each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flyball.data.cleaning.base import CLEANERS, CleanFinding, Suspect
from flyball.data.manifest import SnapshotFile
from flyball.data.pii import PiiFlag
from flyball.data.profile_table import profile_table
from flyball.data.scan import Scan
from flyball.data.table import Table
from flyball.errors import InvalidInput, MissingExtra, did_you_mean

__all__ = ["CleanFinding", "CleanReport", "clean_report"]

_ROWS = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanReport:
    """What was found in a table, the surest and largest first.

    Attributes:
        rows: Rows of the table.
        sample: How many of them single values were looked at in; None for all.
        skipped: Kinds of findings that were not looked for, and why.
    """

    rows: int
    findings: tuple[CleanFinding, ...]
    sample: int | None = None
    skipped: tuple[str, ...] = ()

    def __str__(self) -> str:
        sampled = "" if self.sample is None else f" (a sample of {self.sample:,} looked at)"
        lines = [f"{self.rows:,} rows{sampled}, {len(self.findings)} findings"]
        for each in self.findings:
            lines.append(f"  {each.confidence:4.0%}  {each.kind}: {each.found}")
            lines += (
                [f"        such as {', '.join(str(example) for example in each.examples[:3])}"] if each.examples else []
            )
            lines += [f"        {each.fix}"] if each.fix else []
        return "\n".join([*lines, *(f"  not looked for: {reason}" for reason in self.skipped)])


def clean_report(
    table: object,
    *,
    label: str = "",
    time: str = "",
    key: str = "",
    test: object | None = None,
    groups: Sequence[str] = (),
    kinds: Sequence[str] = (),
    flags: Sequence[PiiFlag] | None = None,
) -> CleanReport:
    """What is wrong with a table, or may be.

    Of more than 200,000 rows a sample is drawn for what looks at single values; duplicates and profiles are of all rows.

    Args:
        table: Anything that holds a table; a `Table` brings its roles.
        label: Column that a model shall predict, for leakage, label errors and bias.
        time: Column that says when a row's thing happened.
        key: Column that names a row.
        test: Rows that a model is judged on, for overlap.
        groups: Columns whose groups shall be treated alike.
        kinds: Only these kinds of findings.
        flags: Columns with personal data, masked in examples; found if not given.

    Raises:
        InvalidInput: there is no such column.
        NotFound: there is no such kind of finding.
    """
    rows = _with_roles(table, label=label, time=time, key=key)
    for name in groups:
        if name not in rows.column_names:
            raise InvalidInput(f"There is no column '{name}'.", hint=did_you_mean(name, rows.column_names))
    if not len(rows):
        raise InvalidInput("A table without rows has nothing to clean.")
    profile = profile_table(rows, declared=flags or ())
    found_flags = profile.flags if flags is None else flags
    looked_at = rows
    if len(rows) > _ROWS:
        with Scan(rows) as scan:
            looked_at = rows.with_arrow(scan.sample(_ROWS))
    suspect = Suspect(
        table=looked_at,
        profile=profile,
        test=None if test is None else _with_roles(test),
        groups=tuple(groups),
        personal={flag.column: flag.kind for flag in found_flags},
    )
    findings: list[CleanFinding] = []
    skipped: list[str] = []
    for kind in kinds or CLEANERS.names():
        try:
            findings += CLEANERS.get(kind).find(suspect)
        except MissingExtra as error:
            skipped.append(f"{kind}: {error}")
    findings.sort(key=lambda each: (-each.confidence, -each.rows, each.kind, each.column))
    sample = len(looked_at) if len(looked_at) < len(rows) else None
    return CleanReport(rows=len(rows), findings=tuple(findings), sample=sample, skipped=tuple(skipped))


def clean_files(files: Sequence[SnapshotFile]) -> CleanReport:
    """What is wrong with a folder of files: equal content under several names, across folders too, and empty files."""
    same: dict[str, list[str]] = {}
    for file in files:
        same.setdefault(file.digest, []).append(file.path)
    twice = [sorted(paths) for paths in same.values() if len(paths) > 1]
    apart = [paths for paths in twice if len({path.rpartition("/")[0] for path in paths}) > 1]
    empty = [file.path for file in files if not file.size]
    findings = [
        CleanFinding(
            kind=kind, confidence=confidence, rows=rows, found=f"{rows:,} {what}", examples=tuple(examples[:3])
        )
        for kind, confidence, rows, what, examples in (
            ("empty", 0.95, len(empty), "files hold nothing", empty),
            ("duplicates", 0.95, sum(len(paths) - 1 for paths in twice), "files repeat another one", _lists(twice)),
            (
                "contradictions",
                0.8,
                len(apart),
                "contents lie in several folders; where a folder is a class, one of them is wrong",
                _lists(apart),
            ),
        )
        if rows
    ]
    return CleanReport(rows=len(files), findings=tuple(findings))


def _lists(groups: Sequence[Sequence[str]]) -> list[str]:
    return [" = ".join(group[:4]) for group in groups]


def _with_roles(table: object, *, label: str = "", time: str = "", key: str = "") -> Table:
    if not isinstance(table, Table):
        return Table(table, key=key, time=time, label=label)
    roles = table.roles
    given = {"label": label, "time": time, "key": key}
    return Table(table.arrow, **{**roles, **{role: column for role, column in given.items() if column}})
