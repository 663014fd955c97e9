"""Many runs at once: tags, the trash, and the end of what lies there for long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from flyball.clock import Clock, SystemClock
from flyball.errors import Conflict, InvalidInput
from flyball.refs import Ref, new_id
from flyball.storage import sweep
from flyball.storage.as_one import settle
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.storage.trouble import freeing
from flyball.tracking import _store, _trash_store, _trashed_experiments, limits
from flyball.tracking.search import MOST_RUNS, RunSearch
from flyball.verbs import change

LEAST_GRACE_DAYS = 2.0
"""Younger blobs are never removed. An object that is put again counts as new only from an age of a day on."""

_SHOWN = 100
_LEASE = "trash.gc"


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkChange:
    """What became of many runs.

    Attributes:
        runs: Ids of those that were changed.
        left: Ids of those that were not, and why.
    """

    runs: list[str]
    left: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GcReport:
    """What was removed for good, or would be.

    Attributes:
        dry_run: Whether nothing was removed.
        runs: How many runs.
        run_ids: The first of them, at most 100.
        experiments: How many experiments, with all their runs, logged models and traces.
        experiment_names: The names of the first of them, at most 100.
        logged_models: How many logged models, those of the experiments among them.
        traces: How many traces of the experiments.
        rows: How many rows of each table belonged to all of these.
        blobs: How many blobs nothing refers to.
        bytes: Their size.
        young: How many more nothing refers to that were put too lately.
    """

    dry_run: bool
    runs: int
    run_ids: list[str]
    experiments: int = 0
    experiment_names: list[str] = field(default_factory=list)
    logged_models: int = 0
    traces: int = 0
    rows: dict[str, int]
    blobs: int
    bytes: int
    young: int


class Trash:
    """Changes many runs at once, and empties the trash."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock
        self._search = RunSearch(database, blobs, events, clock)

    @change
    def bulk_tag(
        self,
        tags: dict[str, str],
        runs: list[str] | None = None,
        filter: str = "",
        experiments: list[str] | None = None,
    ) -> BulkChange:
        """Writes the same tags to many runs.

        Args:
            runs: Ids; or else a filter or experiments say which.

        Raises:
            InvalidInput: a tag cannot be used, or nothing says which runs are meant.
        """
        kept = limits.check_tags(tags)
        ids = self._meant(runs, filter, experiments, "active")
        with self._database.transaction() as connection:
            found = _trash_store.states(connection, ids)
            fit = [run for run in ids if run in found and found[run].deleted is None]
            _trash_store.set_tags(self._database, connection, [found[run].number for run in fit], kept)
        left = {run: "It lies in the trash." if run in found else "There is none." for run in ids if run not in fit}
        return BulkChange(runs=fit, left=left)

    @change
    def bulk_delete(
        self,
        runs: list[str] | None = None,
        filter: str = "",
        experiments: list[str] | None = None,
    ) -> BulkChange:
        """Puts many runs into the trash; those that are running stay.

        Args:
            runs: Ids; or else a filter or experiments say which.

        Raises:
            InvalidInput: nothing says which runs are meant.
        """
        ids = self._meant(runs, filter, experiments, "active")
        fit, found = self._move(
            ids, self._clock.now(), "run_deleted", lambda row: row.state != "running" and not row.deleted
        )
        left = {run: "It is running." for run in ids if run in found and found[run].state == "running"}
        return BulkChange(runs=fit, left=left | {run: "There is none." for run in ids if run not in found})

    @change
    def bulk_restore(
        self,
        runs: list[str] | None = None,
        filter: str = "",
        experiments: list[str] | None = None,
    ) -> BulkChange:
        """Takes many runs out of the trash.

        Args:
            runs: Ids; or else a filter or experiments say which.

        Raises:
            InvalidInput: nothing says which runs are meant.
        """
        ids = self._meant(runs, filter, experiments, "deleted")
        fit, found = self._move(ids, None, "run_restored", lambda row: row.deleted is not None)
        return BulkChange(runs=fit, left={run: "There is none." for run in ids if run not in found})

    def _move(
        self, ids: list[str], deleted: datetime | None, what: str, fits: Callable[[sa.Row[Any]], bool]
    ) -> tuple[list[str], dict[str, sa.Row[Any]]]:
        """Moves those that fit into the trash or out of it; gives them, and all that are there."""
        with self._database.transaction() as connection:
            found = _trash_store.states(connection, ids)
            fit = [run for run in ids if run in found and fits(found[run])]
            _trash_store.set_deleted(connection, [found[run].number for run in fit], deleted)
            self._tell(connection, what, fit)
        return fit, found

    @change(role="maintainer")
    def gc(self, older_than_days: float = 30.0, dry_run: bool = True, grace_days: float = 7.0) -> GcReport:
        """Removes for good what lies in the trash for long, and the bytes that nothing refers to any more.

        Experiments go with their runs, logged models and traces, unless one of their runs was taken out of the trash.

        Args:
            older_than_days: Only runs, experiments and logged models that were put into the trash so many days ago.
            dry_run: Whether to tell only what would be removed.
            grace_days: Only bytes that were put so many days ago; at least 2.

        Raises:
            InvalidInput: the days cannot be used.
            Conflict: another one is at it.
        """
        if not (0 <= older_than_days < 36_500 and LEAST_GRACE_DAYS <= grace_days < 36_500):
            raise InvalidInput(
                f"The trash cannot be emptied with {older_than_days} and {grace_days} days.",
                hint=f"Give no negative number, and a grace of at least {LEAST_GRACE_DAYS:g} days.",
            )
        moment = self._clock.now() - timedelta(days=older_than_days)
        # A store stamps its objects with the time that it really is.
        put_before = SystemClock().now() - timedelta(days=grace_days)
        if dry_run:
            return self._planned(moment, put_before)
        lease = self._database.lease(_LEASE, new_id(), timedelta(hours=6))
        if lease is None:
            raise Conflict("The trash is being emptied already.", hint="Wait until that has ended.")
        settle()  # in parts, each of them its own transaction
        try:
            with freeing():
                return self._emptied(moment, put_before)
        finally:
            self._database.release(lease)

    def _planned(self, moment: datetime, put_before: datetime) -> GcReport:
        with self._database.reading() as connection:
            report, going = self._going(connection, moment)
            going[_store.runs.name] = sa.column("deleted", sa.BigInteger) < sa.type_coerce(
                moment, _store.runs.c.deleted.type
            )
            found = sweep.look(connection, self._blobs.store, put_before, leave_out=going)
        return replace(report, blobs=len(found.unreferred), bytes=_size(found.unreferred), young=found.young)

    def _emptied(self, moment: datetime, put_before: datetime) -> GcReport:
        with self._database.reading() as connection:
            report, _ = self._going(connection, moment)
            runs = _trash_store.trashed_before(connection, moment)
            experiments = [row.number for row in _trashed_experiments.count(connection, moment)[0]]
            tables = _store.tables_with(connection, "run")
        removed: list[str] = []
        # In parts, so that those who write in between need not wait for all of it.
        for some in _trash_store.parts([row.number for row in runs]):
            with self._database.transaction() as connection:
                gone = _trash_store.remove(connection, tables, some, moment)
                self._tell(connection, "run_removed", gone)
                removed += gone
        models = self._in_parts(_trashed_experiments.remove_models, moment)
        traces = self._in_parts(_trashed_experiments.remove_traces, moment)
        emptied = 0
        for some in _trash_store.parts(experiments):
            with self._database.transaction() as connection:
                numbers = _trashed_experiments.remove(connection, some, moment)
                emptied += len(numbers)
                for number in numbers:
                    self._events.append(
                        connection, "tracking.experiment_removed", Ref(kind="experiments", name=str(number))
                    )
        with self._database.reading() as connection:
            found = sweep.look(connection, self._blobs.store, put_before)
        blobs = list(sweep.remove(self._blobs.store, found.unreferred, put_before))
        return replace(
            report, dry_run=False, runs=len(removed), run_ids=removed[:_SHOWN], experiments=emptied,
            logged_models=models, traces=traces, blobs=len(blobs), bytes=_size(blobs),
            young=found.young,
        )  # fmt: skip

    def _going(self, connection: sa.Connection, moment: datetime) -> tuple[GcReport, dict[str, sa.ColumnElement[bool]]]:
        """What goes, and which rows that are: conditions by table."""
        runs = _trash_store.trashed_before(connection, moment)
        experiments, models, traces = _trashed_experiments.count(connection, moment)
        of_runs: dict[str, sa.ColumnElement[bool]] = {}
        others: dict[str, sa.ColumnElement[bool]] = {}
        if runs:
            of_runs = dict.fromkeys(_store.tables_with(connection, "run"), _trash_store.is_of_trashed(moment))
        if experiments or models:
            others = _trashed_experiments.rows_that_go(connection, moment)
        both = of_runs.keys() & others.keys()
        going = of_runs | others | {name: sa.or_(of_runs[name], others[name]) for name in both}
        report = GcReport(
            dry_run=True, runs=len(runs), run_ids=[row.id for row in runs[:_SHOWN]], experiments=len(experiments),
            experiment_names=[row.name for row in experiments[:_SHOWN]], logged_models=models, traces=traces,
            rows=_trash_store.count_rows(connection, going), blobs=0, bytes=0, young=0,
        )  # fmt: skip
        return report, going

    def _in_parts(self, remove: Callable[[sa.Connection, datetime, int], int], moment: datetime) -> int:
        """Removes some after some, each in a transaction of its own; gives how many in all."""
        removed = 0
        while True:
            with self._database.transaction() as connection:
                some = remove(connection, moment, _trash_store.AT_ONCE)
            removed += some
            if some < _trash_store.AT_ONCE:
                return removed

    def _meant(
        self,
        runs: list[str] | None,
        filter: str,
        experiments: list[str] | None,
        deleted: Literal["active", "deleted"],
    ) -> list[str]:
        if runs is not None:
            if filter or experiments or len(runs) > MOST_RUNS:
                raise InvalidInput("Runs are named by id, or by a filter and experiments.", hint="Give one of both.")
            return list(dict.fromkeys(runs))
        if not filter.strip() and not experiments:
            raise InvalidInput("Nothing says which runs are meant.", hint="Give ids, a filter or experiments.")
        return self._search.ids(filter, experiments, deleted)

    def _tell(self, connection: sa.Connection, what: str, runs: Sequence[str]) -> None:
        for run in runs:
            self._events.append(connection, f"tracking.{what}", Ref(kind="runs", name=run))


def _size(blobs: Sequence[Any]) -> int:
    return sum(item.size for item in blobs)
