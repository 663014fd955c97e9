"""Runs with their params, metrics, tags and artifacts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock, parse_time
from flyball.errors import Conflict
from flyball.principals import who
from flyball.refs import Ref, check_name, new_id
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import _recording, _store, limits
from flyball.tracking._folding import fold_ripe, fold_run
from flyball.tracking._log_counts import LogCounts, by_me
from flyball.tracking._points import Batch, Writer, series_of
from flyball.tracking._run_reads import RunReads
from flyball.tracking._run_rows import (
    below,
    kept_error,
    locked,
    new_row,
    row_of,
    runs_of,
    written_artifact,
)
from flyball.tracking.limits import ParamValue
from flyball.tracking.nouns import (
    Artifact,
    Axis,
    Curve,
    EndState,
    Experiment,
    MetricPoint,
    NewArtifact,
    Run,
    RunRecord,
    RunState,
    Series,
)
from flyball.verbs import change

__all__ = [
    "Artifact",
    "Axis",
    "Curve",
    "EndState",
    "Experiment",
    "MetricPoint",
    "NewArtifact",
    "ParamValue",
    "Run",
    "RunRecord",
    "RunState",
    "Series",
    "Tracking",
]

SILENT_FOR = 24 * 3600.0
"""Seconds after which a run is lost that sends no heartbeats."""

_ENDED = ("finished", "failed", "cancelled")


class Tracking(RunReads):
    """Keeps runs and what they log."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock
        self._writer = Writer(database, lambda connection, run: self._tell(connection, "run_found", run))
        self._counts = LogCounts()

    @change
    def create_run(
        self,
        experiment: str,
        name: str = "",
        kind: str = "run",
        parent: str = "",
        params: dict[str, ParamValue] | None = None,
        tags: dict[str, str] | None = None,
        code: str = "",
        environment: dict[str, str] | None = None,
        id: str = "",
        started: datetime | None = None,
        user: str = "",
        heartbeats: bool = True,
    ) -> Run:
        """Starts a run, or takes one up again.

        Args:
            experiment: Name of the experiment; it is made if there is none.
            kind: What is executed, such as `pipeline`, `step`, `training`.
            parent: Id of the run that it is part of.
            code: Digest of the code snapshot, or a commit.
            environment: What it runs in: versions, platform.
            id: Makes the call safe to repeat. A run of that id is given back as it is; one that was lost or failed
                runs again, as its next attempt.
            started: When it began; now by default.
            user: Who started it.
            heartbeats: Whether its process says that it lives. Without it, the run is lost only when it has written
                nothing for a day.

        Raises:
            InvalidInput: a name, param or tag cannot be used.
            NotFound: there is no such parent.
            Conflict: the run of that id belongs to another experiment, the experiment lies in the trash, or a param
                has another value.
        """
        run, now = check_name(id, "run") if id else new_id(), self._clock.now()
        row = new_row(
            id=run,
            experiment=experiment,
            name=name,
            kind=kind,
            parent=parent,
            code=code,
            environment=environment,
            user=who(user),
            started=now if started is None else parse_time(started),
            heartbeats=heartbeats,
        )
        row["heartbeat"] = self._database.dialect.now
        with self._database.transaction() as connection:
            if parent:
                row_of(connection, parent)
            number = _store.experiment_number(self._database, connection, experiment, now)
            insert = self._database.insert(_store.runs).values(experiment=number, **row).on_conflict_do_nothing()
            # Not by the row count, which PostgreSQL does not give for a table that numbers its rows by itself.
            if connection.execute(insert.returning(_store.runs.c.number)).first():
                self._tell(connection, "run_started", run, experiment=experiment, kind=kind, attempt=1)
            else:
                self._take_up(connection, run, number, experiment)
            if params or tags:
                self._write(connection, Batch(run=run, params=params or {}, tags=tags or {}))
            return runs_of(connection, _store.runs.c.id == run)[0]

    @change
    def record_runs(self, runs: list[RunRecord]) -> None:
        """Keeps many runs that have ended already, all or none. One whose id is there already is left as it is.

        Raises:
            InvalidInput: something cannot be kept, or too many are sent at once.
            NotFound: there is no such parent.
            Conflict: an experiment lies in the trash.
        """
        _recording.check(runs)
        with self._database.transaction() as connection:
            made = _recording.record(self._database, connection, runs, self._clock.now())
            batches = [
                Batch(run=record.id, params=record.params, tags=record.tags, series=series_of(record.metrics))
                for record in made
            ]
            for error in self._writer.write(connection, batches):
                if error is not None:
                    raise error
            self._events.append_all(connection, _recording.told(made))

    @change(audited=False)
    def log(
        self,
        run: str,
        params: dict[str, ParamValue] | None = None,
        metrics: list[MetricPoint] | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        """Writes params, metric points and tags, all or none. A point that is sent twice is kept once.

        Raises:
            NotFound: there is no such run, or it lies in the trash.
            InvalidInput: a key or value cannot be used, or too many are sent at once.
            Conflict: a param has another value already.
        """
        given = metrics or []
        limits.check_count(len(given), "metric points", limits.MOST_POINTS)
        with self._database.transaction() as connection:
            self._write(connection, Batch(run=run, params=params or {}, tags=tags or {}, series=series_of(given)))

    @change(audited=False)
    def append(self, run: str, series: list[Series]) -> None:
        """Writes metric points in columns, all or none. A point that is sent twice is kept once.

        Raises:
            NotFound: there is no such run, or it lies in the trash.
            InvalidInput: a key, step, time or value cannot be used, or too many are sent at once.
        """
        with self._database.transaction() as connection:
            self._write(connection, Batch(run=run, series=series))

    @change(audited=False)
    def log_artifact(self, run: str, name: str, digest: str, size: int, kind: str = "file") -> Artifact:
        """Notes that a run left something behind; the bytes are kept already. One of the same name is replaced.

        Args:
            name: Relative path, such as `plots/roc.png`.
            digest: Digest of the bytes.
            kind: What it is, such as `file`, `model`, `table`, `plot`.

        Raises:
            NotFound: there is no such run.
            InvalidInput: the name, digest or size cannot be used.
            Conflict: it is a file where another is a folder.
        """
        made = Artifact(run=run, name=name, digest=digest, size=size, kind=kind, created=self._clock.now())
        row = written_artifact(made)
        with self._database.transaction() as connection:
            self._write(connection, Batch(run=run, artifacts=[row]))
        return made

    @change(audited=False)
    def log_artifacts(self, run: str, artifacts: list[NewArtifact]) -> None:
        """Notes many things that a run left behind, all or none; their bytes are kept already. One of the same name is replaced.

        Raises:
            NotFound: there is no such run, or it lies in the trash.
            InvalidInput: a name, digest or size cannot be used, or there are too many.
            Conflict: one is a file where another is a folder.
        """
        limits.check_count(len(artifacts), "artifacts", limits.MOST_ARTIFACTS)
        now = self._clock.now()
        rows = [
            written_artifact(
                Artifact(run=run, name=one.name, digest=one.digest, size=one.size, kind=one.kind, created=now)
            )
            for one in artifacts
        ]
        with self._database.transaction() as connection:
            self._write(connection, Batch(run=run, artifacts=rows))

    @change
    def delete_artifacts(self, run: str, prefix: str) -> int:
        """Takes the artifact of that name away, and those that lie below it as a folder; gives how many.

        Args:
            prefix: All of them if it is empty.

        Raises:
            NotFound: there is no such run, or it lies in the trash.
        """
        table = _store.artifacts
        with self._database.transaction() as connection:
            number = locked(connection, run).number
            gone = sa.delete(table).where(
                table.c.run == number, below(table.c.name, prefix, self._database.dialect.name)
            )
            return int(connection.execute(gone).rowcount)

    @change
    def delete_tag(self, run: str, key: str) -> bool:
        """Takes a tag off a run; whether it had it.

        Raises:
            NotFound: there is no such run, or it lies in the trash.
        """
        table = _store.tags
        with self._database.transaction() as connection:
            number = locked(connection, run).number
            gone = sa.delete(table).where(table.c.run == number, table.c.key == key)
            return bool(connection.execute(gone).rowcount)

    @change(audited=False)
    def heartbeat(self, run: str) -> RunState:
        """Says that the run is alive; gives its state, so that it learns when someone has cancelled it.

        Raises:
            NotFound: there is no such run.
        """
        with self._database.transaction() as connection:
            self._write(connection, Batch(run=run))
            state: RunState = row_of(connection, run).state
            return state

    @change
    def finish_run(self, run: str, state: EndState = "finished", error: str = "", ended: datetime | None = None) -> Run:
        """Ends a run; ending it again the same way changes nothing.

        Args:
            ended: When it ended; now by default.

        Raises:
            NotFound: there is no such run.
            Conflict: it ended another way.
        """
        with self._database.transaction() as connection:
            row = locked(connection, run)
            if row.state not in _ENDED:
                self._set_state(connection, row, state, ended, error)
            elif row.state != state:
                raise Conflict(f"Run '{run}' has ended already, as {row.state}.", run=run, state=row.state)
            return runs_of(connection, _store.runs.c.number == row.number)[0]

    @change
    def update_run(
        self,
        run: str,
        name: str | None = None,
        notes: str | None = None,
        state: RunState | None = None,
        ended: datetime | None = None,
        user: str | None = None,
    ) -> Run:
        """Changes what a run is called, what is noted about it, or how it stands; what is not given stays.

        Args:
            state: Any state may follow any other here, so that a run which has ended can be taken up again.
            ended: When it ended; now by default where the state says that it has.

        Raises:
            NotFound: there is no such run, or it lies in the trash.
        """
        values: dict[str, Any] = {}
        if name is not None:
            values["name"] = limits.check_text(name, "name", limits.KEY_LENGTH)
        if notes is not None:
            values["notes"] = limits.check_text(notes, "notes", 100_000)
        if user is not None:
            values["user"] = limits.check_text(who(user), "user", limits.KEY_LENGTH)
        if ended is not None:
            values["ended"] = parse_time(ended)
        with self._database.transaction() as connection:
            row = locked(connection, run)
            if state is not None and state != row.state:
                self._set_state(connection, row, state, ended, "")
            if values:
                connection.execute(sa.update(_store.runs).where(_store.runs.c.number == row.number).values(**values))
            return runs_of(connection, _store.runs.c.number == row.number)[0]

    @change
    def mark_lost(self, older_than_seconds: float) -> list[str]:
        """Marks the runs as lost that nothing was heard of for so long, by the database's clock; gives their ids."""
        table, now = _store.runs, self._database.dialect.now
        patience = sa.case((table.c.heartbeats == 1, older_than_seconds), else_=max(older_than_seconds, SILENT_FOR))
        silent = table.c.heartbeat < now - patience
        with self._database.transaction() as connection:
            lost = sa.update(table).where(table.c.state == "running", silent)
            ids = connection.execute(lost.values(state="lost", ended=self._clock.now()).returning(table.c.id)).scalars()
            found = sorted(ids.all())
            for run in found:
                self._tell(connection, "run_lost", run)
            return found

    @change
    def delete_run(self, run: str) -> None:
        """Puts a run into the trash, from where `restore_run` brings it back.

        Raises:
            NotFound: there is no such run.
            Conflict: it is running.
        """
        with self._database.transaction() as connection:
            row = locked(connection, run)
            if row.state == "running" and row.heartbeats:
                raise Conflict(f"Run '{run}' is running.", hint="Cancel it first.", run=run)
            self._set_deleted(connection, run, self._clock.now())

    @change
    def restore_run(self, run: str) -> Run:
        """Takes a run out of the trash.

        Raises:
            NotFound: there is no such run.
        """
        with self._database.transaction() as connection:
            locked(connection, run, with_trash=True)
            self._set_deleted(connection, run, None)
            return runs_of(connection, _store.runs.c.id == run)[0]

    def _write(self, connection: sa.Connection, batch: Batch) -> None:
        (error,) = self._writer.write(connection, [batch])
        if error is not None:
            raise error
        self._counts.take(connection, by_me(batch))
        for ripe in self._writer.take_ripe():
            fold_ripe(self._database, connection, ripe)

    def _take_up(self, connection: sa.Connection, run: str, number: int, experiment: str) -> None:
        row = locked(connection, run)
        if row.experiment != number:
            raise Conflict(f"Run '{run}' does not belong to the experiment '{experiment}'.", run=run)
        if row.state not in ("lost", "failed"):
            return
        again = {"state": "running", "ended": None, "error": "", "attempt": row.attempt + 1}
        beat = self._database.dialect.now
        connection.execute(sa.update(_store.runs).where(_store.runs.c.id == run).values(heartbeat=beat, **again))
        self._tell(connection, "run_started", run, experiment=experiment, kind=row.kind, attempt=row.attempt + 1)

    def _set_state(
        self, connection: sa.Connection, row: sa.Row[Any], state: RunState, ended: datetime | None, error: str
    ) -> None:
        values: dict[str, Any] = {"state": state, "error": kept_error(error), "heartbeat": self._database.dialect.now}
        is_over = state in (*_ENDED, "lost")
        values["ended"] = (self._clock.now() if ended is None else parse_time(ended)) if is_over else None
        connection.execute(sa.update(_store.runs).where(_store.runs.c.number == row.number).values(**values))
        if state in _ENDED:
            fold_run(self._database, connection, row.number)
            self._counts.end(connection, row.id)
            self._tell(connection, "run_ended", row.id, state=state, error=kept_error(error)[:1000])
        elif state == "lost":
            self._tell(connection, "run_lost", row.id)
        elif state == "running":
            self._tell(connection, "run_resumed", row.id)

    def _set_deleted(self, connection: sa.Connection, run: str, at: datetime | None) -> None:
        connection.execute(sa.update(_store.runs).where(_store.runs.c.id == run).values(deleted=at))
        self._tell(connection, "run_deleted" if at else "run_restored", run)

    def _tell(self, connection: sa.Connection, what: str, run: str, **facts: Any) -> None:
        self._events.append(connection, f"tracking.{what}", Ref(kind="runs", name=run), **facts)
