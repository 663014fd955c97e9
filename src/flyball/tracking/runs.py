"""Runs with their params, metrics, tags and artifacts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.refs import Ref, check_name, new_id
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs, check_digest
from flyball.tracking import _store, limits
from flyball.tracking.limits import ParamValue
from flyball.verbs import change, read

RunState = Literal["running", "finished", "failed", "cancelled", "lost"]
EndState = Literal["finished", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of something: a pipeline, a step, a training, an evaluation.

    Attributes:
        kind: What was executed, such as `pipeline`, `step`, `training`, `evaluation`.
        state: `lost` means that nothing was heard of it for too long; it may still come back.
        started: By the workspace's clock, as is `ended`.
        heartbeat: When it was last heard of, by the database's own clock.
        parent: Id of the run that it is part of; empty for none.
        attempt: Grows when the run is taken up again after it was lost or failed.
        metrics: The latest value of each metric; None where it is undefined.
        code: Digest of the code snapshot, or a commit.
        deleted: When it was put into the trash; None while it is not there.
    """

    id: str
    experiment: str
    name: str
    kind: str
    state: RunState
    started: datetime
    ended: datetime | None
    heartbeat: datetime
    parent: str
    attempt: int
    params: dict[str, ParamValue] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)
    code: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    error: str = ""
    notes: str = ""
    deleted: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPoint:
    """One value of a metric; None where it is undefined."""

    key: str
    value: float | None
    step: int = 0
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Something that a run left behind: a name for bytes that are kept under their digest."""

    run: str
    name: str
    digest: str
    size: int
    kind: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A named group of runs.

    Attributes:
        runs: How many runs it holds, those in the trash apart.
        last_started: When the newest of them was started.
    """

    name: str
    created: datetime
    runs: int
    last_started: datetime | None


class Tracking:
    """Keeps runs and what they log."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock

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
        id: str = "",  # noqa: A002
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

        Raises:
            InvalidInput: a name, param or tag cannot be used.
            NotFound: there is no such parent.
            Conflict: the run of that id belongs to another experiment, or a param has another value.
        """
        run = check_name(id, "run") if id else new_id()
        row = self._new_row(run, experiment, name, kind, parent, code, environment)
        with self._database.transaction() as connection:
            if parent:
                self._row(connection, parent)
            number = _store.experiment_number(self._database, connection, experiment, self._clock.now())
            insert = self._database.insert(_store.runs).values(experiment=number, **row).on_conflict_do_nothing()
            # Not by the row count, which PostgreSQL does not give for a table that numbers its rows by itself.
            if connection.execute(insert.returning(_store.runs.c.number)).first():
                self._tell(connection, "run_started", run, experiment=experiment, kind=kind, attempt=1)
            else:
                self._take_up(connection, run, number, experiment)
            at = self._locked(connection, run).number
            self._write(connection, at, params=params, tags=tags)
            return self._runs(connection, _store.runs.c.number == at)[0]

    @change
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
        with self._database.transaction() as connection:
            number = self._beat(connection, run).number
            self._write(connection, number, params=params, tags=tags)
            self._write_points(connection, number, metrics or [])

    @change
    def log_artifact(self, run: str, name: str, digest: str, size: int, kind: str = "file") -> Artifact:
        """Notes that a run left something behind; the bytes are kept already. One of the same name is replaced.

        Args:
            name: Relative path, such as `plots/roc.png`.
            digest: Digest of the bytes.
            kind: What it is, such as `file`, `model`, `table`, `plot`.

        Raises:
            NotFound: there is no such run.
            InvalidInput: the name, digest or size cannot be used.
        """
        if size < 0:
            raise InvalidInput(f"Artifact '{name[:60]}' has {size} bytes.", hint="Give its size.")
        now = self._clock.now()
        row = {
            "name": limits.check_artifact_name(name),
            "digest": check_digest(digest),
            "size": size,
            "kind": check_name(kind, "kind of artifact")[:40],
            "created": now,
        }
        with self._database.transaction() as connection:
            number = self._beat(connection, run).number
            _store.write_artifact(self._database, connection, {"run": number, **row})
        return Artifact(run=run, **row)  # type: ignore[arg-type]

    @change
    def heartbeat(self, run: str) -> RunState:
        """Says that the run is alive; gives its state, so that it learns when someone has cancelled it.

        Raises:
            NotFound: there is no such run.
        """
        with self._database.transaction() as connection:
            state: RunState = self._beat(connection, run).state
            return state

    @change
    def finish_run(self, run: str, state: EndState = "finished", error: str = "") -> Run:
        """Ends a run; ending it again the same way changes nothing.

        Raises:
            NotFound: there is no such run.
            Conflict: it ended another way.
        """
        table = _store.runs
        with self._database.transaction() as connection:
            row = self._locked(connection, run)
            if row.state in ("running", "lost"):
                ended = {"state": state, "ended": self._clock.now(), "error": _kept_error(error)}
                beat = self._database.dialect.now
                connection.execute(sa.update(table).where(table.c.id == run).values(heartbeat=beat, **ended))
                self._tell(connection, "run_ended", run, state=state, error=_kept_error(error)[:1000])
            elif row.state != state:
                raise Conflict(f"Run '{run}' has ended already, as {row.state}.", run=run, state=row.state)
            return self._runs(connection, table.c.id == run)[0]

    @change
    def update_run(self, run: str, name: str | None = None, notes: str | None = None) -> Run:
        """Changes a run's name or notes; what is not given stays.

        Raises:
            NotFound: there is no such run.
        """
        values: dict[str, str] = {}
        if name is not None:
            values["name"] = limits.check_text(name, "name", limits.KEY_LENGTH)
        if notes is not None:
            values["notes"] = limits.check_text(notes, "notes", 100_000)
        with self._database.transaction() as connection:
            self._locked(connection, run)
            if values:
                connection.execute(sa.update(_store.runs).where(_store.runs.c.id == run).values(**values))
            return self._runs(connection, _store.runs.c.id == run)[0]

    @change
    def mark_lost(self, older_than_seconds: float) -> list[str]:
        """Marks the runs as lost that nothing was heard of for so long, by the database's clock; gives their ids."""
        table = _store.runs
        silent = table.c.heartbeat < self._database.dialect.now - float(older_than_seconds)
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
            if self._locked(connection, run).state == "running":
                raise Conflict(f"Run '{run}' is running.", hint="Cancel it first.", run=run)
            self._set_deleted(connection, run, self._clock.now())

    @change
    def restore_run(self, run: str) -> Run:
        """Takes a run out of the trash.

        Raises:
            NotFound: there is no such run.
        """
        with self._database.transaction() as connection:
            self._locked(connection, run, with_trash=True)
            self._set_deleted(connection, run, None)
            return self._runs(connection, _store.runs.c.id == run)[0]

    @read
    def get_run(self, run: str) -> Run:
        """One run, with its params, tags and the latest value of each metric; also one that lies in the trash.

        Raises:
            NotFound: there is no such run.
        """
        with self._database.reading() as connection:
            found = self._runs(connection, _store.runs.c.id == run)
        if not found:
            raise _no_run(run)
        return found[0]

    @read
    def list_runs(
        self, experiment: str = "", kind: str = "", state: str = "", parent: str = "", limit: int = 50, before: str = ""
    ) -> list[Run]:
        """Runs, newest first, those in the trash apart.

        Args:
            before: Id of the run that the page before ended with.

        Raises:
            NotFound: there is no run `before`.
        """
        table = _store.runs
        given = ((table.c.kind, kind), (table.c.state, state), (table.c.parent, parent))
        wanted = [table.c.deleted.is_(None), *(column == value for column, value in given if value)]
        with self._database.reading() as connection:
            if experiment:
                wanted.append(_store.experiments.c.name == experiment)
            if before:
                last = self._row(connection, before)
                earlier = sa.and_(table.c.started == last.started, table.c.number < last.number)
                wanted.append(sa.or_(table.c.started < last.started, earlier))
            return self._runs(connection, *wanted, limit=max(1, min(limit, 1000)))

    @read
    def metric_history(self, run: str, key: str, limit: int = 1000, after_step: int | None = None) -> list[MetricPoint]:
        """The points of a metric by step and time.

        Args:
            limit: At most this many, up to 100,000.
            after_step: Only points of a later step.

        Raises:
            NotFound: there is no such run.
        """
        table = _store.points
        with self._database.reading() as connection:
            number = self._row(connection, run).number
            query = sa.select(table).join(_store.keys, _store.keys.c.number == table.c.key)
            query = query.where(table.c.run == number, _store.keys.c.name == key)
            query = query if after_step is None else query.where(table.c.step > after_step)
            query = query.order_by(table.c.step, table.c.at, table.c.value).limit(max(1, min(limit, 100_000)))
            rows = connection.execute(query).all()
        return [
            MetricPoint(key=key, value=None if row.undefined else row.value, step=row.step, at=row.at) for row in rows
        ]

    @read
    def list_artifacts(self, run: str, limit: int = 1000, after: str = "") -> list[Artifact]:
        """What a run left behind, by name.

        Args:
            after: Only names after this one.

        Raises:
            NotFound: there is no such run.
        """
        table = _store.artifacts
        with self._database.reading() as connection:
            number = self._row(connection, run).number
            query = sa.select(table).where(table.c.run == number, table.c.name > after).order_by(table.c.name)
            rows = connection.execute(query.limit(max(1, min(limit, 10_000)))).all()
        return [Artifact(**{**row._mapping, "run": run}) for row in rows]

    @read
    def list_experiments(self, limit: int = 100, after: str = "") -> list[Experiment]:
        """Experiments by name."""
        table, runs = _store.experiments, _store.runs
        columns = (table.c.name, table.c.created, sa.func.count(runs.c.number).label("runs"))
        joined = table.outerjoin(runs, sa.and_(runs.c.experiment == table.c.number, runs.c.deleted.is_(None)))
        query = sa.select(*columns, sa.func.max(runs.c.started).label("last_started")).select_from(joined)
        query = query.where(table.c.name > after).group_by(table.c.number, table.c.name, table.c.created)
        rows = self._database.rows(query.order_by(table.c.name).limit(max(1, min(limit, 1000))))
        return [Experiment(**row._mapping) for row in rows]

    def _new_row(
        self,
        run: str,
        experiment: str,
        name: str,
        kind: str,
        parent: str,
        code: str,
        environment: dict[str, str] | None,
    ) -> dict[str, Any]:
        limits.check_key(experiment, "experiment")
        for key, value in (environment or {}).items():
            limits.check_text(value, f"environment '{limits.check_key(key, 'entry')}'", 100_000)
        return {
            "id": run,
            "name": limits.check_text(name, "name", limits.KEY_LENGTH),
            "kind": check_name(kind, "kind of run")[:40],
            "state": "running",
            "parent": parent,
            "attempt": 1,
            "code": limits.check_text(code, "code", limits.KEY_LENGTH),
            "environment": environment or {},
            "error": "",
            "notes": "",
            "started": self._clock.now(),
            "heartbeat": self._database.dialect.now,
        }

    def _take_up(self, connection: sa.Connection, run: str, number: int, experiment: str) -> None:
        row = self._locked(connection, run)
        if row.experiment != number:
            raise Conflict(f"Run '{run}' does not belong to the experiment '{experiment}'.", run=run)
        if row.state not in ("lost", "failed"):
            return
        again = {"state": "running", "ended": None, "error": "", "attempt": row.attempt + 1}
        beat = self._database.dialect.now
        connection.execute(sa.update(_store.runs).where(_store.runs.c.id == run).values(heartbeat=beat, **again))
        self._tell(connection, "run_started", run, experiment=experiment, kind=row.kind, attempt=row.attempt + 1)

    def _write(
        self,
        connection: sa.Connection,
        number: int,
        *,
        params: dict[str, ParamValue] | None,
        tags: dict[str, str] | None,
    ) -> None:
        if params:
            given = limits.check_params(params)
            kept = _store.write_params(self._database, connection, number, given)
            for key, value in given.items():
                # True == 1 in Python, so the type is compared as well.
                if (type(kept[key]), kept[key]) != (type(value), value):
                    raise Conflict(
                        f"Param '{key}' is {kept[key]!r} already and cannot become {value!r}.",
                        hint="Log a changing value as a metric, or start another run.",
                        key=key,
                    )
        if tags:
            _store.write_tags(self._database, connection, number, limits.check_tags(tags))

    def _write_points(self, connection: sa.Connection, number: int, metrics: list[MetricPoint]) -> None:
        if not metrics:
            return
        limits.check_count(len(metrics), "metric points", limits.MOST_POINTS)
        names = {limits.check_key(point.key, "metric") for point in metrics}
        keys = _store.key_numbers(self._database, connection, names)
        rows = [
            {"run": number, "key": keys[point.key], **limits.check_point(point.key, point.value, point.step, point.at)}
            for point in metrics
        ]
        _store.write_points(self._database, connection, rows)

    def _beat(self, connection: sa.Connection, run: str) -> sa.Row[Any]:
        """The run's row, after noting that it was heard of; one that was lost is running again."""
        row = self._locked(connection, run)
        values: dict[str, Any] = {"heartbeat": self._database.dialect.now}
        if row.state == "lost":
            values |= {"state": "running", "ended": None}
            self._tell(connection, "run_found", run)
        connection.execute(sa.update(_store.runs).where(_store.runs.c.id == run).values(**values))
        return row if row.state != "lost" else self._locked(connection, run)

    def _locked(self, connection: sa.Connection, run: str, *, with_trash: bool = False) -> sa.Row[Any]:
        row = connection.execute(sa.select(_store.runs).where(_store.runs.c.id == run).with_for_update()).first()
        if row is None:
            raise _no_run(run)
        if row.deleted is not None and not with_trash:
            raise NotFound(f"Run '{run}' lies in the trash.", hint="Restore it first.", run=run)
        return row

    def _row(self, connection: sa.Connection, run: str) -> sa.Row[Any]:
        row = connection.execute(sa.select(_store.runs).where(_store.runs.c.id == run)).first()
        if row is None:
            raise _no_run(run)
        return row

    def _runs(self, connection: sa.Connection, *wanted: sa.ColumnElement[bool], limit: int = 1) -> list[Run]:
        table = _store.runs
        query = _store.select_runs().where(*wanted).order_by(table.c.started.desc(), table.c.number.desc())
        rows = connection.execute(query.limit(limit)).all()
        details = _store.details(connection, [row.number for row in rows]) if rows else {}
        return [_run_of(row, details[row.number]) for row in rows]

    def _set_deleted(self, connection: sa.Connection, run: str, at: datetime | None) -> None:
        connection.execute(sa.update(_store.runs).where(_store.runs.c.id == run).values(deleted=at))
        self._tell(connection, "run_deleted" if at else "run_restored", run)

    def _tell(self, connection: sa.Connection, what: str, run: str, **facts: Any) -> None:
        self._events.append(connection, f"tracking.{what}", Ref(kind="runs", name=run), **facts)


def _run_of(row: sa.Row[Any], details: dict[str, dict[str, Any]]) -> Run:
    values = {name: row._mapping[name] for name in Run.__dataclass_fields__ if name in row._mapping}
    values |= {"experiment": row.experiment_name, "heartbeat": _store.beat_time(row.heartbeat), **details}
    return Run(**values)


def _no_run(run: str) -> NotFound:
    return NotFound(f"There is no run '{run[:128]}'.", run=run[:128])


def _kept_error(error: str) -> str:
    # An error must be kept whatever it holds: the end of a run may not fail because of it.
    return error.replace("\0", "").encode("utf-8", "replace").decode()[:20_000]
