"""The service that keeps errands: what was asked for, how it stands, what was said to it since."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock, parse_duration, parse_time
from flyball.data.datasets import Data
from flyball.errors import Conflict, InvalidInput, NotFound, did_you_mean
from flyball.pipelines._errands_store import errands as _table
from flyball.pipelines.backfill import windows_of
from flyball.pipelines.errand import ENDED, Errand, ErrandKind
from flyball.principals import acting
from flyball.refs import Ref, new_id
from flyball.serialization import JsonValue
from flyball.storage.database import Database, Lease
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.runs import Run, Tracking
from flyball.verbs import change, read


class Errands:
    """Keeps errands."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._clock = clock
        self._tracking = Tracking(database, blobs, events, clock)
        self._data = Data(database, blobs, events, clock)

    @change
    def run(
        self,
        pipeline: str,
        params: dict[str, JsonValue] | None = None,
        only: list[str] | None = None,
        again_from: list[str] | None = None,
        use_cache: bool = True,
        like: str = "",
    ) -> Errand:
        """Asks for a run of a pipeline, with the code of an earlier run of it.

        Args:
            params: Values of its parameters; those of the earlier run where none is given.
            only: Steps that run alone, on what is kept.
            again_from: Steps that run again, and all behind them.
            use_cache: Whether what other runs' steps gave is taken.
            like: Id of that earlier run; the newest by default.

        Raises:
            NotFound: there is no such run, or the pipeline never ran.
            InvalidInput: the run is one of another pipeline, its code is not known, or it has no such step.
        """
        before = self._before(pipeline, like)
        steps = [step.name for step in self._tracking.list_runs(parent=before.id, limit=1000)]
        for step in (*(only or ()), *(again_from or ())):
            if steps and step not in steps:
                raise InvalidInput(f"'{pipeline}' has no step '{step}'.", hint=did_you_mean(step, steps))
        return self._ask(
            "run", pipeline, code=before.code, params={**before.params, **(params or {})}, only=tuple(only or ()),
            again_from=tuple(again_from or ()), use_cache=use_cache,
        )  # fmt: skip

    @change
    def back_fill(
        self,
        pipeline: str,
        start: datetime,
        end: datetime,
        every: str = "1d",
        params: dict[str, JsonValue] | None = None,
        again: bool = False,
        like: str = "",
    ) -> Errand:
        """Asks for a pipeline to be run once for each window of a stretch of time.

        Args:
            every: Length of a window, such as `1d`.
            params: Values of its parameters; `{start}` and `{end}` stand for the window's.
            again: Whether windows that an earlier run has finished are run again.
            like: Id of the run whose code is run; the newest of the pipeline by default.

        Raises:
            NotFound: there is no such run, or the pipeline never ran.
            InvalidInput: the stretch cannot be cut into such windows.
        """
        first, last = parse_time(start), parse_time(end)
        windows = windows_of(first, last, parse_duration(every))
        before = self._before(pipeline, like)
        return self._ask(
            "backfill", pipeline, code=before.code, params=params or {}, start=first, end=last, every=every, again=again,
            done=f"0 of {len(windows)} windows",
        )  # fmt: skip

    @change
    def profile(self, dataset: str, snapshot: str = "") -> Errand:
        """Asks for a profile of a snapshot; of the latest by default.

        Raises:
            NotFound: there is no such dataset or snapshot.
        """
        return self._look_through("profile", dataset, snapshot)

    @change
    def clean(self, dataset: str, snapshot: str = "") -> Errand:
        """Asks what is wrong with a snapshot, and by which line of code each finding is mended; of the latest by default.

        Raises:
            NotFound: there is no such dataset or snapshot.
        """
        return self._look_through("clean", dataset, snapshot)

    @change
    def cancel(self, errand: str) -> Errand:
        """Stops an errand for good. What its steps have finished stays kept.

        Raises:
            NotFound: there is none of that id.
            Conflict: it has ended.
        """
        return self._wish(errand, "cancel", ("pending", "running", "paused"))

    @change
    def pause(self, errand: str) -> Errand:
        """Stops an errand so that it can go on: what its steps have finished is not done again.

        Raises:
            NotFound: there is none of that id.
            Conflict: it is not under way.
        """
        return self._wish(errand, "pause", ("pending", "running"))

    @change
    def resume(self, errand: str) -> Errand:
        """Lets an errand go on that was paused or has failed, from its last finished step.

        Raises:
            NotFound: there is none of that id.
            Conflict: it is neither.
        """
        return self._wish(errand, "go", ("paused", "failed"))

    @read
    def get(self, errand: str) -> Errand:
        """One errand.

        Raises:
            NotFound: there is none of that id.
        """
        row = self._database.row(sa.select(_table.c.errand).where(_table.c.id == errand))
        if row is None:
            raise NotFound(f"There is no errand '{errand[:80]}'.")
        found: Errand = row.errand
        return found

    def open_ones(self) -> list[Errand]:
        """Errands that somebody has to see to, the oldest first."""
        query = sa.select(_table.c.errand).where(_table.c.state.in_(("pending", "running"))).order_by(_table.c.id)
        return [row.errand for row in self._database.rows(query.limit(1000))]

    @read
    def list(self, about: str = "", kind: str = "", state: str = "", limit: int = 50, before: str = "") -> list[Errand]:
        """Errands, newest first.

        Args:
            about: Only of this pipeline or dataset.
            kind: Only of this kind: `run`, `backfill`, `profile`, `clean`.
            state: Only in this state.
            before: Only those that were asked for before the one of this id.
        """
        query = sa.select(_table.c.errand)
        for column, wanted in ((_table.c.about, about), (_table.c.kind, kind), (_table.c.state, state)):
            query = query.where(column == wanted) if wanted else query
        query = query.where(_table.c.id < before) if before else query
        rows = self._database.rows(query.order_by(_table.c.id.desc()).limit(max(1, min(limit, 1000))))
        return [row.errand for row in rows]

    def save(self, errand: str, lease: Lease | None = None, **values: Any) -> Errand:
        """Writes down how an errand stands; an end is told as an event.

        Raises:
            LeaseLost: the caller no longer holds the lease.
        """
        with self._database.transaction() as connection:
            if lease is not None:
                self._database.fence(connection, lease)
            changed = replace(self._held(connection, errand), **values)
            if changed.state in (*ENDED, "paused"):
                changed = replace(changed, ended=self._clock.now())
                self._tell(connection, changed, f"errand_{changed.state}")
            self._write(connection, changed)
        return changed

    def _look_through(self, kind: ErrandKind, dataset: str, snapshot: str) -> Errand:
        found = self._data.get_snapshot(dataset, snapshot) if snapshot else self._data.get_snapshot(dataset)
        return self._ask(kind, dataset, snapshot=found.id)

    def _before(self, pipeline: str, like: str) -> Run:
        if like:
            found = self._tracking.get_run(like)
            if found.tags.get("pipeline") != pipeline:
                raise InvalidInput(f"Run '{like}' is none of the pipeline '{pipeline}'.")
        else:
            runs = self._tracking.list_runs(kind="pipeline", limit=1000)
            fitting = [run for run in runs if run.tags.get("pipeline") == pipeline]
            if not fitting:
                names = {run.tags["pipeline"] for run in runs if "pipeline" in run.tags}
                raise NotFound(
                    f"No run of a pipeline '{pipeline[:80]}' is known, so neither is its code.",
                    hint=did_you_mean(pipeline, names) or f"Run it once in its project: flyball run {pipeline[:80]}",
                )
            found = fitting[0]
        if not found.code:
            raise InvalidInput(f"The code of run '{found.id}' is not kept.", hint="Run it again in its project.")
        return found

    def _ask(self, kind: ErrandKind, about: str, **values: Any) -> Errand:
        made = Errand(
            id=new_id(), kind=kind, about=about, state="pending", by=acting().name, created=self._clock.now(), **values
        )
        with self._database.transaction() as connection:
            row = {"id": made.id, "kind": kind, "about": about, "state": made.state, "created": made.created}
            connection.execute(sa.insert(_table).values(**row, errand=made))
            self._tell(connection, made, "errand_asked")
        return made

    def _wish(self, errand: str, wish: str, states: tuple[str, ...]) -> Errand:
        with self._database.transaction() as connection:
            found = self._held(connection, errand)
            if found.state not in states:
                raise Conflict(f"Errand '{errand}' is {found.state}.", state=found.state)
            changed = replace(found, wish=wish)  # type: ignore[arg-type]  # the verbs above give one of the three
            if wish == "go":
                changed = replace(changed, state="pending", ended=None, error="")
            elif found.state == "pending" or (found.state == "paused" and wish == "cancel"):
                changed = replace(changed, state="paused" if wish == "pause" else "cancelled", ended=self._clock.now())
            self._write(connection, changed)
            self._tell(connection, changed, "errand_told")
        return changed

    def _held(self, connection: sa.Connection, errand: str) -> Errand:
        """The errand; nobody else writes it until the transaction ends."""
        connection.execute(sa.update(_table).where(_table.c.id == errand).values(id=errand))
        row = connection.execute(sa.select(_table.c.errand).where(_table.c.id == errand)).first()
        if row is None:
            raise NotFound(f"There is no errand '{errand[:80]}'.")
        found: Errand = row.errand
        return found

    def _write(self, connection: sa.Connection, errand: Errand) -> None:
        values = {"state": errand.state, "errand": errand}
        connection.execute(sa.update(_table).where(_table.c.id == errand.id).values(**values))

    def _tell(self, connection: sa.Connection, errand: Errand, what: str) -> None:
        facts = {
            "errand": errand.id,
            "what": errand.kind,
            "about": errand.about,
            "state": errand.state,
            "by": errand.by,
        }
        subject = Ref(kind="runs", name=errand.id) if errand.kind == "run" else Ref(kind="errands", name=errand.id)
        self._events.append(connection, f"pipelines.{what}", subject, **facts)
