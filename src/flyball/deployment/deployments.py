"""Deployments: which version answers under a name, and the rollout that is changing it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.deployment import _store
from flyball.deployment.rollout import Rollout, RolloutSpec
from flyball.errors import Conflict, NotFound, did_you_mean
from flyball.refs import Ref, check_name, new_id
from flyball.registry.holds import let_go, take_hold
from flyball.serving.log_rules import LogRules, Mask, check_rules
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.verbs import change, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What is served under a name.

    Attributes:
        model: The registered model whose versions are served.
        champion: The version that answers.
        generation: Grows with every change; model servers follow it.
        sticky_key: Column whose value keeps a caller on one version; by default the prediction's id.
        rollout: The rollout that is under way, if there is one.
        logging: What of its predictions is logged, and what of that is hidden.
    """

    name: str
    model: str
    champion: int
    generation: int
    sticky_key: str = ""
    created: datetime
    updated: datetime
    rollout: Rollout | None = None
    logging: LogRules = field(default_factory=LogRules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One configuration that a deployment has had."""

    deployment: str
    generation: int
    champion: int
    challenger: int | None
    percent: int
    reason: str
    at: datetime


class Deployments:
    """Keeps deployments and their rollouts."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock

    @read
    def get(self, name: str) -> Deployment:
        """The deployment of that name.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as connection:
            return self._get(connection, name)

    @read
    def history(self, name: str, limit: int = 50, before: int = 0) -> list[Revision]:
        """Configurations that a deployment has had, newest first.

        Args:
            before: Only those of an earlier generation than this; 0 for all.
        """
        self.get(name)
        table = _store.revisions
        query = sa.select(table).where(table.c.deployment == name)
        query = query.where(table.c.generation < before) if before else query
        rows = self._database.rows(query.order_by(table.c.generation.desc()).limit(max(1, min(limit, 1000))))
        return [Revision(**row._mapping) for row in rows]

    @read
    def list_rollouts(self, name: str = "", limit: int = 50, before: str = "") -> list[Rollout]:
        """Rollouts, newest first.

        Args:
            name: Only those of this deployment.
            before: Only those older than the rollout of this id.
        """
        table = _store.rollouts
        query = sa.select(table)
        query = query.where(table.c.deployment == name) if name else query
        query = query.where(table.c.id < before) if before else query
        rows = self._database.rows(query.order_by(table.c.id.desc()).limit(max(1, min(limit, 1000))))
        return [_store.rollout_of(row) for row in rows]

    @change(role="maintainer")
    def deploy(self, name: str, model: str, version: int, reason: str = "", sticky_key: str = "") -> Deployment:
        """Lets a version answer at once; makes the deployment if there is none. A rollout under way is ended.

        Raises:
            Conflict: the deployment serves another model, or the version is retired.
        """
        check_name(name, "deployment")
        self._database.ask("deployment.deploying", deployment=name, model=model, version=version)
        now = self._clock.now()
        with self._database.transaction() as connection:
            self._hold(connection, name, model, version)
            row = connection.execute(sa.select(_store.deployments).where(_store.deployments.c.name == name)).first()
            if row is None:
                first = {"name": name, "model": model, "champion": version, "generation": 0, "sticky_key": sticky_key}
                connection.execute(
                    sa.insert(_store.deployments), [{**first, "removed": False, "created": now, "updated": now}]
                )
            elif row.model != model:
                raise Conflict(f"Deployment '{name}' serves the model '{row.model}'.", hint="Choose another name.")
            elif row.champion == version and not row.removed and _store.active_rollout(connection, name) is None:
                return self._get(connection, name)
            self._end_rollout(connection, name, "rolled_back", f"version {version} was deployed by hand")
            self._turn(connection, name, champion=version, reason=reason or f"version {version} deployed")
            return self._get(connection, name)

    @change(role="maintainer")
    def start_rollout(self, name: str, version: int, spec: RolloutSpec, reason: str = "") -> Rollout:
        """Begins to bring a version in by the steps of the plan.

        Raises:
            Conflict: another rollout is under way, the version answers already, or is retired.
        """
        self._database.ask("deployment.deploying", deployment=name, model=self.get(name).model, version=version)
        now = self._clock.now()
        with self._database.transaction() as connection:
            deployment = self._get(connection, name)
            if deployment.rollout is not None:
                raise Conflict(
                    f"A rollout of version {deployment.rollout.to_version} is under way on '{name}'.",
                    hint=f"Wait for it, or run `flyball deployments abort {name}`.",
                )
            if deployment.champion == version:
                raise Conflict(f"Version {version} is the champion of '{name}' already.")
            self._hold(connection, name, deployment.model, version)
            rollout = Rollout(
                id=new_id(), deployment=name, model=deployment.model, from_version=deployment.champion, to_version=version,
                spec=spec, step=0, percent=spec.steps[0], state="running", started=now, step_started=now, evidence={},
            )  # fmt: skip
            values = {field: getattr(rollout, field) for field in rollout.__dataclass_fields__}
            connection.execute(sa.insert(_store.rollouts), [values])
            self._tell(
                connection, "rollout_started", name, rollout=rollout.id, version=version, percent=rollout.percent
            )
            if len(spec.steps) == 1:
                return self._promote(connection, rollout, reason or "rolled out at once")
            self._turn(
                connection, name, reason=reason or f"{spec.strategy} of version {version} at {rollout.percent} %"
            )
            return rollout

    @change(role="maintainer")
    def advance(self, name: str, step: int, evidence: dict[str, Any] | None = None) -> Rollout:
        """Takes the rollout to the step after the given one; after the last it is promoted.

        Args:
            step: The step the caller saw it at; nothing happens if it has gone on since.
            evidence: Figures that speak for it.
        """
        now = self._clock.now()
        with self._database.transaction() as connection:
            rollout = self._running(connection, name)
            if rollout.step != step or rollout.state != "running":
                return rollout
            rollout = replace(rollout, evidence=evidence or rollout.evidence)
            if step + 1 >= len(rollout.spec.steps) or rollout.spec.steps[step + 1] == 100:
                return self._promote(connection, rollout, "every step was passed")
            moved = replace(rollout, step=step + 1, percent=rollout.spec.steps[step + 1], step_started=now)
            _store.update_rollout(connection, moved)
            words = f"{moved.spec.strategy} of version {moved.to_version} at {moved.percent} %"
            self._turn(connection, name, reason=words)
            self._tell(
                connection, "rollout_advanced", name, rollout=moved.id, version=moved.to_version, percent=moved.percent
            )
            return moved

    @change(role="maintainer")
    def promote(self, name: str, reason: str = "") -> Rollout:
        """Ends the rollout under way by letting the new version answer all.

        Raises:
            NotFound: no rollout is under way.
        """
        with self._database.transaction() as connection:
            return self._promote(connection, self._running(connection, name), reason or "promoted by hand")

    @change(role="maintainer")
    def abort(self, name: str, reason: str = "", evidence: dict[str, Any] | None = None) -> Rollout:
        """Ends the rollout under way by letting the champion answer all again.

        Raises:
            NotFound: no rollout is under way.
        """
        with self._database.transaction() as connection:
            rollout = self._running(connection, name)
            if evidence:
                _store.update_rollout(connection, replace(rollout, evidence=evidence))
            self._end_rollout(connection, name, "rolled_back", reason or "aborted by hand")
            self._turn(
                connection, name, reason=f"version {rollout.to_version} rolled back: {reason or 'aborted by hand'}"
            )
            return self._rollout(connection, rollout.id)

    @change(role="maintainer")
    def roll_back(self, name: str, reason: str = "", version: int = 0) -> Deployment:
        """Goes back: aborts the rollout under way, or else lets an earlier champion answer again.

        Args:
            version: The version to go back to; by default the champion before the present one.

        Raises:
            Conflict: there is nothing to go back to, or that version is retired.
        """
        with self._database.transaction() as connection:
            deployment = self._get(connection, name)
            target: int | None = None
            if deployment.rollout is None or version:
                target = version or _store.latest_replaced(connection, name, deployment.champion)
                if target is None:
                    raise Conflict(f"'{name}' has had no champion but version {deployment.champion}.")
                self._hold(connection, name, deployment.model, target)
            if deployment.rollout is not None:
                self._end_rollout(connection, name, "rolled_back", reason or "rolled back by hand")
            if target is not None:
                self._turn(connection, name, champion=target, reason=reason or f"rolled back to version {target}")
            elif deployment.rollout is not None:
                self._turn(connection, name, reason=reason or f"version {deployment.rollout.to_version} rolled back")
            self._tell(connection, "rolled_back", name, reason=reason)
            return self._get(connection, name)

    @change(role="maintainer")
    def pause(self, name: str, reason: str = "") -> Rollout:
        """Keeps the rollout at its present step until it is resumed."""
        return self._set_state(name, "paused", reason)

    @change(role="maintainer")
    def resume(self, name: str) -> Rollout:
        """Lets a paused rollout go on."""
        return self._set_state(name, "running", "")

    @change(role="maintainer")
    def remove(self, name: str) -> None:
        """Takes the deployment down; its history stays."""
        with self._database.transaction() as connection:
            self._get(connection, name)
            self._end_rollout(connection, name, "rolled_back", "the deployment was removed")
            table = _store.deployments
            removed = sa.update(table).where(table.c.name == name)
            connection.execute(
                removed.values(removed=True, generation=table.c.generation + 1, updated=self._clock.now())
            )
            let_go(connection, _ref(name))
            self._tell(connection, "removed", name)

    @change(role="maintainer")
    def set_logging(
        self, name: str, sample: float = 1.0, inputs: bool = True, mask: dict[str, Mask] | None = None
    ) -> Deployment:
        """Says what of a deployment's predictions is logged; it holds from the next answer on.

        Args:
            sample: Share of the predictions that are logged.
            inputs: Whether their inputs are.
            mask: What is hidden: column to `drop`, `hash` or `text`, before anything is written.

        Raises:
            InvalidInput: the share is none.
            NotFound: there is no such deployment.
        """
        with self._database.transaction() as connection:
            # The salt stays, or one person would have another name after each change.
            salt = self._get(connection, name).logging.salt or new_id()
            rules = check_rules(LogRules(sample=sample, inputs=inputs, mask=mask or {}, salt=salt))
            table = _store.deployments
            connection.execute(sa.update(table).where(table.c.name == name).values(logging=rules))
            self._turn(connection, name, reason="what is logged was changed")
            return self._get(connection, name)

    def _hold(self, connection: sa.Connection, name: str, model: str, version: int) -> None:
        """Sees to it that the version stays for as long as the deployment names it."""
        take_hold(self._database, connection, _ref(name), model, version, now=self._clock.now())

    def _get(self, connection: sa.Connection, name: str) -> Deployment:
        table = _store.deployments
        row = connection.execute(sa.select(table).where(table.c.name == name, table.c.removed.is_(False))).first()
        if row is None:
            known = connection.execute(sa.select(table.c.name).where(table.c.removed.is_(False))).scalars().all()
            raise NotFound(f"There is no deployment '{name}'.", hint=did_you_mean(name, known))
        values = {key: value for key, value in row._mapping.items() if key != "removed"}
        values["logging"] = values["logging"] or LogRules()
        return Deployment(**values, rollout=_store.active_rollout(connection, name))

    def _running(self, connection: sa.Connection, name: str) -> Rollout:
        rollout = self._get(connection, name).rollout
        if rollout is None:
            raise NotFound(f"No rollout is under way on '{name}'.")
        return rollout

    def _rollout(self, connection: sa.Connection, rollout_id: str) -> Rollout:
        return _store.rollout_of(
            connection.execute(sa.select(_store.rollouts).where(_store.rollouts.c.id == rollout_id)).one()
        )

    def _set_state(self, name: str, state: Any, reason: str) -> Rollout:
        with self._database.transaction() as connection:
            rollout = replace(self._running(connection, name), state=state, reason=reason)
            _store.update_rollout(connection, rollout)
            self._tell(connection, f"rollout_{'paused' if state == 'paused' else 'resumed'}", name, rollout=rollout.id)
            return rollout

    def _promote(self, connection: sa.Connection, rollout: Rollout, reason: str) -> Rollout:
        done = replace(rollout, state="promoted", percent=100, ended=self._clock.now(), reason=reason)
        _store.update_rollout(connection, done)
        self._turn(
            connection, rollout.deployment, champion=rollout.to_version, reason=f"version {rollout.to_version} promoted"
        )
        facts = {
            "rollout": rollout.id,
            "version": rollout.to_version,
            "from_version": rollout.from_version,
            "reason": reason,
        }
        self._tell(connection, "promoted", rollout.deployment, **facts)
        return done

    def _end_rollout(self, connection: sa.Connection, name: str, state: Any, reason: str) -> None:
        rollout = _store.active_rollout(connection, name)
        if rollout is None:
            return
        ended = replace(rollout, state=state, percent=0, ended=self._clock.now(), reason=reason)
        _store.update_rollout(connection, ended)
        self._tell(
            connection,
            "rollout_ended",
            name,
            rollout=rollout.id,
            version=rollout.to_version,
            state=state,
            reason=reason,
        )

    def _turn(self, connection: sa.Connection, name: str, *, reason: str, champion: int | None = None) -> None:
        """Makes the next generation: what the model servers will follow."""
        table, now = _store.deployments, self._clock.now()
        values: dict[str, Any] = {"generation": table.c.generation + 1, "updated": now, "removed": False}
        if champion is not None:
            values["champion"] = champion
        connection.execute(sa.update(table).where(table.c.name == name).values(**values))
        state = self._get(connection, name)
        let_go(connection, _ref(name), but={state.champion, *([state.rollout.to_version] if state.rollout else [])})
        row = {
            "deployment": name, "generation": state.generation, "champion": state.champion, "reason": reason, "at": now,
            "challenger": state.rollout.to_version if state.rollout else None,
            "percent": state.rollout.percent if state.rollout else 0,
        }  # fmt: skip
        connection.execute(sa.insert(_store.revisions), [row])
        self._tell(connection, "changed", name, generation=state.generation, champion=state.champion, reason=reason)

    def _tell(self, connection: sa.Connection, what: str, name: str, **facts: Any) -> None:
        self._events.append(connection, f"deployment.{what}", _ref(name), **facts)

    @read
    def list(self, limit: int = 100, after: str = "") -> list[Deployment]:
        """Deployments by name."""
        table = _store.deployments
        query = sa.select(table.c.name).where(table.c.removed.is_(False), table.c.name > after).order_by(table.c.name)
        with self._database.reading() as connection:
            names = connection.execute(query.limit(max(1, min(limit, 1000)))).scalars().all()
            return [self._get(connection, name) for name in names]


def _ref(name: str) -> str:
    return str(Ref(kind="deployments", name=name))
