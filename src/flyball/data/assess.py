"""Looks at snapshots: profiles them, checks them, proposes checks, shows rows. The work is done at the caller; the service
`Quality` keeps what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from flyball.clock import parse_time
from flyball.data.checks.base import CheckSpec
from flyball.data.checks_file import Suggestion
from flyball.data.pii import PiiFlag, find_pii, masked
from flyball.data.profile import TableProfile
from flyball.data.profile_table import profile_table
from flyball.data.quality import Quality, said_of, snapshot_source
from flyball.data.snapshot import load_snapshot, snapshot_files
from flyball.data.suggest import suggest_checks
from flyball.data.table import Table
from flyball.data.validate import ValidationReport, validate
from flyball.errors import InvalidInput, NotFound
from flyball.refs import Ref
from flyball.serialization import to_json

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.data.clean import CleanReport
    from flyball.data.datasets import Data
    from flyball.data.manifest import Snapshot
    from flyball.storage.objects import Blobs

_LOOKED_AT = 5_000


def profile_snapshot(quality: Quality, blobs: Blobs, snapshot: Snapshot, *, again: bool = False) -> TableProfile:
    """The profile of a snapshot: the kept one, or a new one that is kept.

    Args:
        again: Make it anew, after classes of personal data were declared or cleared.

    Raises:
        InvalidInput: the snapshot is no table.
    """
    _require_table(snapshot)
    if not again:
        try:
            return quality.get_profile(snapshot.dataset, snapshot.id)
        except NotFound:
            pass
    declared, cleared = said_of(quality.pii_classes(snapshot.dataset))
    ref = str(Ref(kind="snapshots", name=snapshot.dataset, version=snapshot.id))
    made = profile_table(snapshot_source(blobs, snapshot), declared=declared, cleared=cleared, snapshot=ref)
    quality.keep_profile(snapshot.dataset, snapshot.id, blobs.put(to_json(made)))
    return made


def clean_snapshot(
    data: Data,
    quality: Quality,
    blobs: Blobs,
    snapshot: Snapshot,
    *,
    test: Snapshot | None = None,
    groups: Sequence[str] = (),
    kinds: Sequence[str] = (),
) -> CleanReport:
    """What is wrong with a snapshot, and by which line of code each finding is mended.

    Args:
        test: Rows that a model is judged on, for overlap.
        groups: Columns whose groups shall be treated alike.
        kinds: Only these kinds of findings.

    Raises:
        InvalidInput: there is no such column, or no row.
        NotFound: there is no such kind of finding.
    """
    from flyball.data.clean import clean_files, clean_report

    if snapshot.format == "folder":
        return clean_files(snapshot_files(blobs, snapshot))
    rows = _with_roles(data, blobs, snapshot)
    declared, cleared = said_of(quality.pii_classes(snapshot.dataset))
    flags = find_pii(rows.arrow, declared=declared, cleared=cleared)
    other = None if test is None else _with_roles(data, blobs, test)
    return clean_report(rows, test=other, groups=groups, kinds=kinds, flags=flags)


def _with_roles(data: Data, blobs: Blobs, snapshot: Snapshot) -> Table:
    rows = load_snapshot(blobs, snapshot)
    roles = data.get(snapshot.dataset).roles
    return Table(rows, **{role: column for role, column in roles.items() if column in rows.column_names})


def check_snapshot(
    data: Data,
    quality: Quality,
    blobs: Blobs,
    snapshot: Snapshot,
    checks: Sequence[CheckSpec],
    *,
    now: datetime,
    sample: int | None = None,
) -> ValidationReport:
    """What checks find in a snapshot; the report is kept.

    Tables that checks name are datasets, whose latest versions are taken; the version before is the snapshot's parent.

    Raises:
        NotFound: there is no such check, dataset or profile.
        InvalidInput: the snapshot is no table, or a check cannot be used.
    """
    _require_table(snapshot)
    named = named_by(data, quality, blobs, checks)
    declared, cleared = said_of(quality.pii_classes(snapshot.dataset))
    former = data.get_snapshot(snapshot.dataset, snapshot.parent).rows if snapshot.parent else None
    source = snapshot_source(blobs, snapshot)
    report = validate(
        source,
        checks,
        now=now,
        sample=sample,
        tables=named.tables,
        profiles=named.profiles,
        former_rows=former,
        flags=find_pii(first_rows(source, _LOOKED_AT), declared=declared, cleared=cleared),
    )
    quality.record_report(snapshot.dataset, snapshot.id, report)
    return report


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What checks name beside the rows that they look at.

    Attributes:
        tables: The rows of other datasets, by their names.
        profiles: By the name of a dataset, or `name@version`.
        snapshots: References of the versions that they are of.
    """

    tables: dict[str, object]
    profiles: dict[str, TableProfile]
    snapshots: tuple[str, ...]


def named_by(data: Data, quality: Quality, blobs: Blobs, checks: Sequence[CheckSpec]) -> Named:
    """The tables and profiles that checks name: those of the latest versions, where none is said.

    Raises:
        NotFound: there is no such dataset or version.
        InvalidInput: it is no table.
    """
    tables = dict.fromkeys(str(spec.params["table"]) for spec in checks if "table" in spec.params)
    references = dict.fromkeys(
        str(spec.params["reference"]) for spec in checks if isinstance(spec.params.get("reference"), str)
    )
    found = {}
    for text in [*tables, *references]:
        name, _, version = text.partition("@")
        found[text] = data.get_snapshot(name, version or "latest")
    return Named(
        tables={name: snapshot_source(blobs, found[name]) for name in tables},
        profiles={name: profile_snapshot(quality, blobs, found[name]) for name in references},
        snapshots=tuple(str(Ref(kind="snapshots", name=each.dataset, version=each.id)) for each in found.values()),
    )


def suggest_for(data: Data, quality: Quality, blobs: Blobs, dataset: str, *, versions: int = 10) -> list[Suggestion]:
    """Checks that the latest versions of a dataset pass; versions without a profile are profiled.

    Raises:
        NotFound: there is no snapshot of the dataset.
    """
    declared = data.get(dataset)
    data.get_snapshot(dataset)  # says what to do where there is none
    found = [each for each in data.list_snapshots(dataset, limit=versions) if each.schema is not None]
    profiles = [profile_snapshot(quality, blobs, each) for each in found]
    ages: list[timedelta] = []
    for snapshot, profile in zip(found, profiles, strict=True):
        if declared.time and any(column.column == declared.time for column in profile.columns):
            latest = profile.column(declared.time).maximum
            if isinstance(latest, str):
                ages.append(snapshot.created - parse_time(latest))
    return suggest_checks(profiles, key=declared.key, time=declared.time, ages=ages)


def preview(
    quality: Quality, blobs: Blobs, snapshot: Snapshot, rows: int, *, reveal: bool = False
) -> tuple[pa.Table, tuple[PiiFlag, ...]]:
    """The first rows of a snapshot with personal data masked, and what was masked.

    Args:
        reveal: Show it as it is; that somebody looked is told as an event.
    """
    source = snapshot_source(blobs, snapshot)
    declared, cleared = said_of(quality.pii_classes(snapshot.dataset))
    head = first_rows(source, max(rows, _LOOKED_AT))
    flags = find_pii(head, declared=declared, cleared=cleared)
    shown = head.slice(0, rows)
    if not reveal:
        return masked(shown, flags), flags
    if flags:
        quality.record_reveal(snapshot.dataset, snapshot.id, [flag.column for flag in flags], shown.num_rows)
    return shown, ()


def first_rows(source: object, rows: int) -> pa.Table:
    """The first rows of a table, or of Parquet files, of which no more is read."""
    from flyball.data import _sql
    from flyball.data.scan import Scan

    if not isinstance(source, list | tuple):
        from flyball.data.arrow import to_arrow

        return to_arrow(source).slice(0, rows)
    with Scan(source) as scan:
        return scan.arrow(_sql.select("*", f"LIMIT {rows}"))


def _require_table(snapshot: Snapshot) -> None:
    if snapshot.schema is None:
        raise InvalidInput(f"{snapshot.dataset}/{snapshot.id[:12]} is a folder of files, no table.")
