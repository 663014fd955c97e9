"""The service that keeps loops: what was declared, which trainings they started, what was decided and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import Conflict, InvalidInput, NotFound, did_you_mean
from flyball.loops import _store
from flyball.loops.loop import Loop
from flyball.refs import Ref, check_name, new_id
from flyball.storage.database import Database, Lease
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.verbs import change, read

TrainingState = Literal["pending", "running", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training (or judging) that a loop started.

    Attributes:
        id: Also the id of the pipeline run.
        kind: `train`, or `judge` for a version that was registered by hand.
        cause: What called for it.
        attempt: How often it was started; a worker that died does not end it.
        job: The executor's name for the present attempt.
        version: The version that came of it.
        plan: How it is to learn, where that is not as ever: `how`, `params` of the pipeline, `tune`.
        core_seconds: Processor time that its workers used; None while that is not known.
    """

    id: str
    loop: str
    kind: Literal["train", "judge"]
    cause: str
    trigger: str
    reason: str
    evidence: dict[str, Any]
    state: TrainingState
    attempt: int
    job: str = ""
    version: int | None = None
    error: str = ""
    created: datetime
    ended: datetime | None = None
    plan: dict[str, Any] | None = None
    core_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided, and why."""

    id: int
    loop: str
    at: datetime
    decision: str
    cause: str
    reason: str
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopState:
    """A loop and where it stands."""

    loop: Loop
    applied: datetime
    state: Literal["waiting for a first version", "watching", "training", "rolling out", "paused"]
    training: Training | None = None
    last_decision: Decision | None = None


class Loops:
    """Keeps loops, their trainings and their decisions."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock

    @change(role="maintainer")
    def apply(self, loop: Loop) -> Loop:
        """Hands a loop over, or changes what was handed over under its name. A pause stays.

        Raises:
            PermissionDenied: a policy speaks against it.
        """
        self._database.ask("loops.applying", loop=loop.name, gates=[gate.gate for gate in loop.gates])
        now = self._clock.now()
        with self._database.transaction() as connection:
            row = connection.execute(sa.select(_store.loops).where(_store.loops.c.name == loop.name)).first()
            if row is None:
                connection.execute(
                    sa.insert(_store.loops), [{"name": loop.name, "spec": loop, "applied": now, "updated": now}]
                )
                self._tell(connection, "applied", loop.name, code=loop.code)
                return loop
            kept: Loop = replace(loop, paused=loop.paused or row.spec.paused)
            if kept != row.spec:
                changed = sa.update(_store.loops).where(_store.loops.c.name == loop.name)
                connection.execute(changed.values(spec=kept, updated=now))
                self._tell(connection, "applied", loop.name, code=loop.code)
            return kept

    @read
    def get(self, name: str) -> LoopState:
        """The loop of that name and where it stands.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as connection:
            return self._state(connection, name)

    @change(role="maintainer")
    def remove(self, name: str) -> None:
        """Takes a loop back with its trainings and decisions; model, deployment and runs stay."""
        with self._database.transaction() as connection:
            self._state(connection, name)
            for table in (_store.decisions, _store.trainings):
                connection.execute(sa.delete(table).where(table.c.loop == name))
            connection.execute(sa.delete(_store.loops).where(_store.loops.c.name == name))
            self._tell(connection, "removed", name)

    @change(role="maintainer")
    def pause(self, name: str, reason: str = "paused by hand") -> Loop:
        """Keeps the loop from starting trainings and rollouts; what is under way goes on, windows are examined."""
        return self._set_paused(name, reason or "paused by hand")

    @change(role="maintainer")
    def resume(self, name: str) -> Loop:
        """Lets the loop act by itself again."""
        return self._set_paused(name, "")

    @change
    def trigger(self, name: str, reason: str = "asked for by hand") -> Training:
        """Asks for a training now, whatever cool-down and budget say.

        Raises:
            Conflict: one is under way.
        """
        return self.start_training(name, cause=f"manual:{new_id()}", trigger="manual", reason=reason, evidence={})

    @change
    def signal(self, name: str, id: str, source: str = "webhook", reason: str = "") -> None:
        """Says from outside that something has happened, such as a git push; a loop with `fb.on.signal` trains then.

        Args:
            id: What happened, such as the digest of a commit: one is answered once, however often it is told.
            source: Who says so.
            reason: The same in a sentence.

        Raises:
            NotFound: there is no such loop.
            InvalidInput: the id or the source cannot be used.
        """
        if not id or len(id) > 200 or len(reason) > 1000:
            raise InvalidInput("A signal has an id of 1 to 200 characters, and a reason of at most 1000.")
        check_name(source, "source")
        self.get(name)
        with self._database.transaction() as connection:
            self._tell(connection, "signalled", name, id=id, source=source, reason=reason)

    @read
    def list_trainings(self, name: str, limit: int = 100, before: str = "") -> list[Training]:
        """Trainings of a loop, newest first."""
        table = _store.trainings
        query = sa.select(table).where(table.c.loop == name)
        query = query.where(table.c.id < before) if before else query
        rows = self._database.rows(query.order_by(table.c.id.desc()).limit(max(1, min(limit, 10_000))))
        return [Training(**row._mapping) for row in rows]

    @read
    def get_training(self, training: str) -> Training:
        """One training.

        Raises:
            NotFound: there is none of that id.
        """
        row = self._database.row(sa.select(_store.trainings).where(_store.trainings.c.id == training))
        if row is None:
            raise NotFound(f"There is no training '{training}'.")
        return Training(**row._mapping)

    @read
    def history(self, name: str, limit: int = 100, before: int = 0, newest_first: bool = True) -> list[Decision]:
        """What was decided for a loop, and why.

        Args:
            before: Only decisions with a smaller id than this; 0 for all.
        """
        table = _store.decisions
        query = sa.select(table).where(table.c.loop == name)
        query = query.where(table.c.id < before) if before else query
        order = table.c.id.desc() if newest_first else table.c.id
        rows = self._database.rows(query.order_by(order).limit(max(1, min(limit, 10_000))))
        return [Decision(**row._mapping) for row in rows]

    def start_training(
        self, name: str, *, cause: str, trigger: str, reason: str, evidence: dict[str, Any],
        kind: Literal["train", "judge"] = "train", version: int | None = None, lease: Lease | None = None,
        plan: dict[str, Any] | None = None, decision: str = "retrain",
    ) -> Training:  # fmt: skip
        """Notes that a training is to be done; a cause that had one gets it again.

        Args:
            plan: How it is to learn, where that is not as ever.
            decision: What was decided, in a word or two.

        Raises:
            Conflict: another one of this loop is under way.
            LeaseLost: the caller no longer holds the lease.
        """
        with self._database.transaction() as connection:
            if lease is not None:
                self._database.fence(connection, lease)
            self._state(connection, name)
            table = _store.trainings
            row = connection.execute(sa.select(table).where(table.c.loop == name, table.c.cause == cause)).first()
            if row is not None:
                return Training(**row._mapping)
            active = _active_training(connection, name)
            if active is not None:
                raise Conflict(f"A training of '{name}' is under way already ({active.reason}).", training=active.id)
            training = Training(
                id=new_id(), loop=name, kind=kind, cause=cause, trigger=trigger, reason=reason, evidence=evidence,
                state="pending", attempt=0, version=version, created=self._clock.now(), plan=plan,
            )  # fmt: skip
            connection.execute(
                sa.insert(table), [{field: getattr(training, field) for field in training.__dataclass_fields__}]
            )
            if kind == "train":
                self._decide(connection, name, decision, cause, reason, evidence)
            self._tell(connection, "training_started", name, training=training.id, cause=cause, reason=reason)
            return training

    def save_training(self, training: Training, lease: Lease | None = None) -> None:
        """Writes a training's state back; ends are told as events."""
        values = {name: getattr(training, name) for name in ("state", "attempt", "job", "version", "error", "ended")}
        with self._database.transaction() as connection:
            if lease is not None:
                self._database.fence(connection, lease)
            connection.execute(sa.update(_store.trainings).where(_store.trainings.c.id == training.id).values(**values))
            if training.state in ("succeeded", "failed", "cancelled"):
                facts = {
                    "training": training.id,
                    "state": training.state,
                    "version": training.version,
                    "error": training.error,
                }
                self._tell(connection, "training_ended", training.loop, **facts)

    def record_cost(self, training: str, core_seconds: float) -> None:
        """Adds processor time to what a training has used."""
        table = _store.trainings
        total = sa.func.coalesce(table.c.core_seconds, 0.0) + core_seconds
        self._database.execute(sa.update(table).where(table.c.id == training).values(core_seconds=total))

    def has_decided(self, name: str, decision: str, cause: str) -> bool:
        """Whether this was decided on this cause before."""
        table = _store.decisions
        same = sa.and_(table.c.loop == name, table.c.decision == decision, table.c.cause == cause)
        return self._database.row(sa.select(table.c.id).where(same)) is not None

    def decide(self, name: str, decision: str, cause: str, reason: str, evidence: dict[str, Any]) -> bool:
        """Notes a decision; whether it is the first on this cause."""
        with self._database.transaction() as connection:
            return self._decide(connection, name, decision, cause, reason, evidence)

    def _decide(
        self, connection: sa.Connection, name: str, decision: str, cause: str, reason: str, evidence: dict[str, Any]
    ) -> bool:
        row = {
            "loop": name,
            "at": self._clock.now(),
            "decision": decision,
            "cause": cause,
            "reason": reason,
            "evidence": evidence,
        }
        insert = self._database.insert(_store.decisions).values(row).on_conflict_do_nothing()
        is_new = connection.execute(insert.returning(_store.decisions.c.id)).first() is not None
        if is_new:
            self._tell(connection, "decided", name, decision=decision, cause=cause, reason=reason, evidence=evidence)
        return is_new

    def _state(self, connection: sa.Connection, name: str) -> LoopState:
        row = connection.execute(sa.select(_store.loops).where(_store.loops.c.name == name)).first()
        if row is None:
            known = connection.execute(sa.select(_store.loops.c.name)).scalars().all()
            raise NotFound(f"There is no loop '{name}'.", hint=did_you_mean(name, known))
        training = _active_training(connection, name)
        latest = (
            sa.select(_store.decisions).where(_store.decisions.c.loop == name).order_by(_store.decisions.c.id.desc())
        )
        decision = connection.execute(latest.limit(1)).first()
        return LoopState(
            loop=row.spec,
            applied=row.applied,
            state="paused" if row.spec.paused else "training" if training else "watching",
            training=training,
            last_decision=None if decision is None else Decision(**decision._mapping),
        )

    def _set_paused(self, name: str, reason: str) -> Loop:
        with self._database.transaction() as connection:
            loop: Loop = replace(self._state(connection, name).loop, paused=reason)
            connection.execute(sa.update(_store.loops).where(_store.loops.c.name == name).values(spec=loop))
            self._tell(connection, "paused" if reason else "resumed", name, reason=reason)
            return loop

    def _tell(self, connection: sa.Connection, what: str, name: str, **facts: Any) -> None:
        self._events.append(connection, f"loops.{what}", Ref(kind="loops", name=name), **facts)

    @read
    def list(self, limit: int = 100, after: str = "") -> list[LoopState]:
        """Loops by name."""
        query = sa.select(_store.loops.c.name).where(_store.loops.c.name > after).order_by(_store.loops.c.name)
        with self._database.reading() as connection:
            names = connection.execute(query.limit(max(1, min(limit, 1000)))).scalars().all()
            return [self._state(connection, name) for name in names]


def _active_training(connection: sa.Connection, name: str) -> Training | None:
    table = _store.trainings
    query = sa.select(table).where(table.c.loop == name, table.c.state.in_(("pending", "running")))
    row = connection.execute(query.order_by(table.c.id)).first()
    return None if row is None else Training(**row._mapping)
