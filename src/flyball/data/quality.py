"""Quality of datasets: profiles and reports of checks, kept with the version they are of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from flyball.clock import Clock
from flyball.data import _quality_store as _store
from flyball.data._quality_store import Forgetting, PiiClasses
from flyball.data.catalog_entry import Badge
from flyball.data.pii import PiiFlag, declared_flags
from flyball.data.profile import TableProfile
from flyball.data.validate import ValidationReport
from flyball.errors import NotFound
from flyball.refs import Ref, check_name
from flyball.serialization import from_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.verbs import change, read

if TYPE_CHECKING:
    from pathlib import Path

    from flyball.data.manifest import Snapshot

__all__ = ["Forgetting", "PiiClasses", "Quality", "QualityReport", "snapshot_source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """What checks found in a version of a dataset.

    Attributes:
        number: Its place among all; grows.
    """

    number: int
    dataset: str
    snapshot: str
    at: datetime
    report: ValidationReport


class Quality:
    """Profiles, reports of checks, and what people say of personal data."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock

    @change
    def keep_profile(self, dataset: str, snapshot: str, profile: str) -> str:
        """Keeps the profile of a snapshot, given by the digest of its JSON; it takes the place of a former one.

        Raises:
            NotFound: there is no such blob.
            InvalidInput: the blob is no profile.
        """
        check_name(dataset, "dataset")
        from_json(self._blobs.get(profile), TableProfile)
        with self._database.transaction() as connection:
            _store.write_profile(self._database, connection, dataset, snapshot, profile, self._clock.now())
            subject = Ref(kind="snapshots", name=dataset, version=snapshot)
            self._events.append(connection, "data.profiled", subject, profile=profile)
        return profile

    @read
    def get_profile(self, dataset: str, snapshot: str) -> TableProfile:
        """The kept profile of a snapshot.

        Args:
            snapshot: Its whole id.

        Raises:
            NotFound: none is kept.
        """
        with self._database.reading() as connection:
            found = _store.profile_digests(connection, dataset, [snapshot])
        if snapshot not in found:
            raise NotFound(
                f"There is no profile of {dataset}/{snapshot[:12]}.",
                hint=f"Make one with `flyball data profile {dataset}@{snapshot[:12]}`.",
                dataset=dataset,
            )
        return from_json(self._blobs.get(found[snapshot]), TableProfile)

    @read
    def get_profiles(self, dataset: str, snapshots: list[str]) -> list[TableProfile]:
        """The kept profiles of some snapshots, in their order; those without one are passed over."""
        with self._database.reading() as connection:
            found = _store.profile_digests(connection, dataset, snapshots[:1000])
        return [from_json(self._blobs.get(found[each]), TableProfile) for each in snapshots if each in found]

    @change
    def record_report(self, dataset: str, snapshot: str, report: ValidationReport) -> QualityReport:
        """Keeps what checks found in a version, and tells of it."""
        check_name(dataset, "dataset")
        now = self._clock.now()
        with self._database.transaction() as connection:
            _store.write_report(connection, dataset, snapshot, report, now)
            subject = Ref(kind="snapshots", name=dataset, version=snapshot)
            self._events.append(
                connection,
                "data.checked",
                subject,
                passed=report.passed,
                failed=[f"{each.check} {each.column}".strip() for each in report.failures],
                warned=[f"{each.check} {each.column}".strip() for each in report.warnings],
            )
            number = _store.latest_reports(connection, dataset, 1, 0)[0][0]
        return QualityReport(number=number, dataset=dataset, snapshot=snapshot, at=now, report=report)

    @read
    def list_reports(self, dataset: str, limit: int = 20, before: int = 0) -> list[QualityReport]:
        """Reports of a dataset, the latest first.

        Args:
            limit: At most this many, up to 200.
            before: Number of the last one of the page before.
        """
        with self._database.reading() as connection:
            found = _store.latest_reports(connection, dataset, max(1, min(limit, 200)), before)
        return [
            QualityReport(number=number, dataset=dataset, snapshot=snapshot, at=at, report=report)
            for number, snapshot, at, report in found
        ]

    def badge(self, ref: str) -> Badge | None:
        """What the last report of a dataset says; None where nobody has looked, or the thing is no dataset."""
        if not ref.startswith("datasets:/"):
            return None
        found = self.list_reports(Ref.parse(ref).name, limit=1)
        if not found:
            return None
        report = found[0].report
        failed, warned = len(report.failures), len(report.warnings)
        return Badge(
            state="failed" if failed else "warned" if warned else "passed",
            at=found[0].at,
            summary=f"{len(report.results)} checks: {failed} failed, {warned} warned",
            subject=str(Ref(kind="snapshots", name=found[0].dataset, version=found[0].snapshot)),
        )

    @change
    def declare_pii(self, dataset: str, column: str, kind: str) -> PiiClasses:
        """Says what personal data a column holds.

        Args:
            dataset: Whose column it is.
            column: The column's name.
            kind: `mail`, `phone`, `card`, `iban`, `ip`, `id`, `name`, `birth`, `address` or `other`; `none`: it is not
                flagged, whatever it looks like.

        Raises:
            InvalidInput: there is no such kind.
        """
        check_name(dataset, "dataset")
        with self._database.transaction() as connection:
            said = _store.say_classes(self._database, connection, dataset, {column: kind})
            subject = Ref(kind="datasets", name=dataset)
            self._events.append(connection, "data.pii_declared", subject, column=column, pii=kind)
        return said

    @read
    def pii_classes(self, dataset: str) -> PiiClasses:
        """What people have said of the columns of a dataset."""
        with self._database.reading() as connection:
            return _store.pii_classes(connection, dataset)

    @change
    def record_reveal(self, dataset: str, snapshot: str, columns: list[str], rows: int) -> int:
        """Tells that somebody has looked at personal data as it is; gives the number of rows."""
        with self._database.transaction() as connection:
            subject = Ref(kind="snapshots", name=dataset, version=snapshot)
            self._events.append(connection, "data.revealed", subject, columns=columns, rows=rows)
        return rows

    @change(role="maintainer")
    def begin_forgetting(self, forgetting: Forgetting) -> Forgetting:
        """Notes what is about to be purged from a snapshot, and lets its profile and reports go.

        What is noted holds no personal data. It stays until `end_forgetting`, so that a purge that was interrupted goes on.
        """
        dataset, snapshot = forgetting.snapshot.dataset, forgetting.snapshot.id
        with self._database.transaction() as connection:
            kept = _store.profile_digests(connection, dataset, [snapshot])
            noted = replace(forgetting, profile=kept.get(snapshot, forgetting.profile))
            _store.write_forgetting(self._database, connection, noted)
            _store.delete_profiles(connection, dataset, [snapshot])
        return noted

    @read
    def pending_forgettings(self, dataset: str) -> list[Forgetting]:
        """What was begun and not ended."""
        with self._database.reading() as connection:
            return _store.pending_forgettings(connection, dataset)

    @change(role="maintainer")
    def end_forgetting(self, dataset: str, counts: dict[str, int], models: list[str]) -> int:
        """Tells that a person's rows are gone, without saying whose; gives their number in all.

        Args:
            counts: Rows by the id of the snapshot that held them.
            models: References of the models that came of those snapshots.
        """
        with self._database.transaction() as connection:
            _store.delete_forgettings(connection, dataset)
            subject = Ref(kind="datasets", name=dataset)
            facts = {"snapshots": len(counts), "rows": sum(counts.values()), "models": models}
            self._events.append(connection, "data.forgotten", subject, **facts)
        return sum(counts.values())


def said_of(classes: PiiClasses) -> tuple[tuple[PiiFlag, ...], tuple[str, ...]]:
    """What people have said, as flags and as columns that hold none."""
    declared = declared_flags(classes.declared)
    return declared, classes.cleared


def snapshot_source(blobs: Blobs, snapshot: Snapshot) -> object:
    """What a snapshot's rows can be asked in: its Parquet files in place, or the table of any other."""
    from flyball.data.layout import KeptBytes
    from flyball.data.manifest import snapshot_files
    from flyball.data.snapshot import load_snapshot

    if snapshot.format != "parquet":
        return load_snapshot(blobs, snapshot)
    kept = KeptBytes(blobs, snapshot.layout)
    paths: list[Path] = [kept.path(file.digest) for file in snapshot_files(blobs, snapshot)]
    return paths
