"""Keeps one loop going: attends its training, its rollout and its windows, and decides whether to train again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flyball.data.snapshot import Snapshot
from flyball.deployment.analysis import Worse, analyse
from flyball.deployment.deployments import Deployment
from flyball.deployment.rollout import Rollout
from flyball.errors import FlyballError, NotFound
from flyball.events import Event
from flyball.executors.base import Executor
from flyball.loops.acting import Acting
from flyball.loops.deadlines import Deadlines
from flyball.loops.evidence import gather
from flyball.loops.finished import finished_run
from flyball.loops.gathering import LabelsBack
from flyball.loops.loops import LoopState, Training
from flyball.loops.policies.base import Situation, choose, classify
from flyball.loops.restraints import Past
from flyball.loops.retraining import Retraining
from flyball.loops.services import Services
from flyball.loops.triggers import base as triggers
from flyball.loops.watch import Watch
from flyball.plugins import PluginGroup
from flyball.refs import Ref
from flyball.registry.versions import ModelVersion
from flyball.storage.database import Lease

_JUDGE_ATTEMPTS = 4
_MOST_SIGNALS = 50
_JUDGE_AGAIN = timedelta(minutes=2)

TRIGGERS = PluginGroup[triggers.Trigger]("trigger", "flyball.loops.triggers")


class LoopKeeper:
    """Takes the next step of one loop, from the facts alone."""

    def __init__(self, workspace: Services, executor: Executor) -> None:
        self._workspace = workspace
        self._retraining = Retraining(workspace, executor)
        self._watch = Watch(workspace)
        self._acting = Acting(workspace)
        self._labels = LabelsBack(workspace)
        self._deadlines = Deadlines(workspace)
        self._is_new = True

    def act(self, state: LoopState, now: datetime, lease: Lease) -> bool:
        """Takes the next step; whether something was done or is under way."""
        self._deadlines.attend(state, now)
        if self._is_new:
            self._retraining.prepare(state.loop)
            self._is_new = False
        if state.training is not None:
            return self._retraining.attend(state.loop, state.training, lease)
        deployment = self._deployment(state)
        versions = self._workspace.registry.list_versions(state.loop.name, limit=20)
        busy = self._take_in(state, deployment, versions, lease)
        if busy or deployment is None:
            return busy
        busy = self._labels.take(state.loop.name) | self._watch.examine(state.loop, deployment, now)
        if busy:
            self._retraining.prepare(state.loop)
        if deployment.rollout is not None:
            busy |= self._attend_rollout(state, deployment.rollout, now)
            if busy or not deployment.rollout.spec.only_if_better:
                return busy
        else:
            busy |= self._follow_champion(deployment, versions)
        return self._decide(state, deployment, now, lease) or busy

    def complain(self, state: LoopState, error: FlyballError) -> bool:
        """Tells people that the loop cannot go on by itself."""
        self._workspace.alerts.open(
            severity="critical",
            kind="loop",
            subject=_ref(state),
            cause=f"loop:{error.code}",
            title=error.message,
            detail=error.hint,
        )
        return False

    def _deployment(self, state: LoopState) -> Deployment | None:
        try:
            return self._workspace.deployments.get(state.loop.name)
        except NotFound:
            return None

    def _take_in(
        self, state: LoopState, deployment: Deployment | None, versions: list[ModelVersion], lease: Lease
    ) -> bool:
        """Judges versions that were not, and rolls out the newest that passed."""
        loops, loop = self._workspace.loops, state.loop
        fresh = [version for version in versions if version.stage == "candidate"]
        if not fresh:
            if not versions and not loops.list_trainings(loop.name, limit=1) and not loop.paused:
                if loop.dry_run:
                    loops.decide(loop.name, "would retrain", "first", "the model has no version yet", {})
                    return False
                loops.start_training(
                    loop.name,
                    cause="first",
                    trigger="first",
                    reason="the model has no version yet",
                    evidence={},
                    lease=lease,
                )
                return True
            return False
        newest = fresh[0]
        if newest.verdict is None:
            cause = self._cause_to_judge(newest)
            return cause is not None and self._judge(loop.name, newest, cause, lease)
        return self._act_on_verdict(state, deployment, newest)

    def _judge(self, name: str, version: ModelVersion, cause: str, lease: Lease) -> bool:
        training = self._workspace.loops.start_training(
            name, cause=cause, trigger="registered", kind="judge", version=version.version,
            reason=f"version {version.version} is to be judged", evidence={}, lease=lease,
        )  # fmt: skip
        return training.state in ("pending", "running")

    def _cause_to_judge(self, version: ModelVersion) -> str | None:
        """One judging for one version, another when people have approved it since, and again after one that failed.

        None while the pause after one that failed is not over.
        """
        ref = str(Ref(kind="models", name=version.model, version=str(version.version)))
        approved = self._workspace.approvals.list(ref, state="approved", limit=1)
        cause = ":".join(["judge", str(version.version), *(found.id for found in approved)])
        tried = self._workspace.loops.list_trainings(version.model, limit=200)
        failed = [each for each in tried if each.cause.startswith(cause) and each.state == "failed" and each.ended]
        if not failed:
            return cause
        over = (failed[0].ended or failed[0].created) + _JUDGE_AGAIN * 4 ** (len(failed) - 1)
        if len(failed) >= _JUDGE_ATTEMPTS or self._workspace.time.now() < over:
            return None
        return f"{cause}:again{len(failed)}"

    def _act_on_verdict(self, state: LoopState, deployment: Deployment | None, version: ModelVersion) -> bool:
        workspace, loop = self._workspace, state.loop
        verdict = version.verdict
        assert verdict is not None
        evidence = {decision.gate: decision.reason for decision in verdict.decisions}
        cause = f"version:{version.version}"
        if not verdict.passed:
            held = next(decision for decision in verdict.decisions if not decision.passed)
            reason = f"version {version.version} was held back by {held.gate}: {held.reason}"
            workspace.loops.decide(loop.name, "refuse", cause, reason, evidence)
            workspace.registry.set_stage(loop.name, version.version, "archived", held.reason)
            return True
        # The deployment turns before the registry: a controller killed in between finds what is still to be told.
        if deployment is not None and deployment.rollout is not None:
            if deployment.rollout.to_version != version.version:
                if not deployment.rollout.spec.only_if_better:
                    return False
                return self._end_challenge(
                    loop.name, deployment.rollout, f"version {version.version} challenges now", {}
                )
            workspace.registry.set_stage(loop.name, version.version, "challenger", "its rollout began")
            return True
        if loop.paused:
            return False
        if loop.dry_run and (deployment is None or deployment.champion != version.version):
            what = "would deploy" if deployment is None else "would roll out"
            workspace.loops.decide(loop.name, what, cause, f"version {version.version} passed its gates", evidence)
            return False
        if deployment is None:
            workspace.loops.decide(
                loop.name, "deploy", cause, f"version {version.version} is the first to pass", evidence
            )
            workspace.deployments.deploy(loop.name, loop.name, version.version, "first version", loop.sticky_key)
            workspace.registry.promote(loop.name, version.version, "first version")
            return True
        if deployment.champion == version.version:
            workspace.registry.promote(loop.name, version.version, "it answers already")
            return True
        reason = f"version {version.version} passed its gates"
        workspace.loops.decide(loop.name, "roll out", cause, reason, evidence)
        workspace.deployments.start_rollout(loop.name, version.version, loop.rollout, reason)
        workspace.registry.set_stage(loop.name, version.version, "challenger", reason)
        return True

    def _attend_rollout(self, state: LoopState, rollout: Rollout, now: datetime) -> bool:
        if rollout.state == "paused":
            return False
        workspace, loop = self._workspace, state.loop
        with_latency = workspace.settings.clock != "virtual"
        batches = gather(workspace.store, workspace.monitoring, rollout, now, with_latency=with_latency)
        finding = analyse(batches, alpha=rollout.spec.alpha)
        cause = f"rollout:{rollout.id}"
        if isinstance(finding, Worse):
            workspace.loops.decide(loop.name, "roll back", cause, finding.reason, finding.evidence)
            workspace.alerts.open(
                severity="warning", kind="rollback", subject=_ref(state), cause=cause,
                title=f"Version {rollout.to_version} was rolled back", detail=finding.reason,
                facts={
                    **finding.evidence, "confidence": f"false for at most {rollout.spec.alpha:.0%} of versions that are as good",
                    "done": f"version {rollout.from_version} answers all again",
                    "decide": "Look at where the new version fails, before the next training makes another like it.",
                },
            )  # fmt: skip
            workspace.deployments.abort(loop.name, finding.reason, finding.evidence)
            return True
        held = now - rollout.step_started >= rollout.spec.hold
        seen = sum(batch.challenger.predictions for batch in batches)
        if rollout.spec.early and finding.better and seen >= rollout.spec.min_predictions:
            reason = f"version {rollout.to_version} is surely better: {finding.better}"
            workspace.loops.decide(loop.name, "promote", cause, reason, finding.evidence)
            workspace.deployments.promote(loop.name, reason)
            return True
        if not held or (seen < rollout.spec.min_predictions and not rollout.spec.only_if_better):
            return False
        if rollout.spec.only_if_better:
            return self._end_challenge(
                loop.name, rollout, "its time is over and it is not surely better", finding.evidence
            )
        # Told before it is done, like every decision: once it is done, no pass comes by here again.
        if rollout.spec.steps[rollout.step + 1 :] in ((), (100,)):
            reason = f"version {rollout.to_version} passed every step of its {rollout.spec.strategy}"
            workspace.loops.decide(loop.name, "promote", cause, reason, finding.evidence)
        workspace.deployments.advance(loop.name, rollout.step, finding.evidence)
        return True

    def _end_challenge(self, name: str, rollout: Rollout, why: str, evidence: dict[str, Any]) -> bool:
        reason = f"the challenge of version {rollout.to_version} ended: {why}"
        self._workspace.loops.decide(name, "keep", f"rollout:{rollout.id}", reason, evidence)
        self._workspace.deployments.abort(name, reason, evidence)
        return True

    def _follow_champion(self, deployment: Deployment, versions: list[ModelVersion]) -> bool:
        """Lets the registry say what the deployment does: who is champion, and whose challenge has ended."""
        registry, changed = self._workspace.registry, False
        champion = registry.get_version(f"models:/{deployment.model}/{deployment.champion}")
        if champion.stage != "champion":
            registry.promote(deployment.model, champion.version, f"answers in '{deployment.name}'")
            changed = True
        for version in versions:
            if version.stage == "challenger" and version.version != deployment.champion:
                registry.set_stage(deployment.model, version.version, "archived", "its rollout ended")
                changed = True
        return changed

    def _decide(self, state: LoopState, deployment: Deployment, now: datetime, lease: Lease) -> bool:
        """Has the policies answer what the triggers find, and acts on it; one cause is acted on once."""
        loop, loops = state.loop, self._workspace.loops
        trainings = [training for training in loops.list_trainings(loop.name, limit=50) if training.kind == "train"]
        facts = self._facts(state, deployment, trainings, now)
        past = [_past(each) for each in trainings]
        for spec in loop.retrain:
            fire = TRIGGERS.get(spec.trigger).fires(facts, spec.params)
            if fire is None or any(training.cause == fire.cause for training in trainings):
                continue
            kind, because = classify(spec.trigger, facts, past)
            situation = Situation(
                kind=kind, because=because, trigger=spec.trigger, fire=fire, facts=facts, past=past,
                champions=self._champions(deployment),
            )  # fmt: skip
            if self._acting.act(state, deployment, situation, choose(loop.policies, situation), now, lease):
                return True
        return False

    def _champions(self, deployment: Deployment) -> tuple[int, ...]:
        """Versions that were champion before the present one, the latest first."""
        history = self._workspace.deployments.history(deployment.name, limit=200)
        return tuple(dict.fromkeys(each.champion for each in history if each.champion != deployment.champion))

    def _facts(
        self, state: LoopState, deployment: Deployment, trainings: list[Training], now: datetime
    ) -> triggers.LoopFacts:
        workspace, loop = self._workspace, state.loop
        champion = workspace.registry.get_version(f"models:/{loop.name}/{deployment.champion}")
        since = self._watch.champion_since(deployment)
        windows = workspace.monitoring.list_windows(loop.name, limit=20)
        names = {spec.params["dataset"] for spec in loop.retrain if "dataset" in spec.params}
        waited = {spec.params["pipeline"] for spec in loop.retrain if spec.trigger == "pipeline"}
        return triggers.LoopFacts(
            now=now,
            champion=champion,
            windows=tuple(window for window in windows if window.start >= since),
            last_training=trainings[0].created if trainings else None,
            applied=state.applied,
            snapshots={name: found for name in names if (found := self._latest(name)) is not None},
            labels_come=any(window.labelled for window in windows),
            code=loop.code,
            finished={name: run for name in waited if (run := finished_run(workspace, name)) is not None},
            signals=self._signals(state),
        )

    def _signals(self, state: LoopState) -> tuple[Event, ...]:
        if not any(spec.trigger == "signal" for spec in state.loop.retrain):
            return ()
        found = self._workspace.events.list(
            kinds=["loops.signalled"], subject=_ref(state), limit=_MOST_SIGNALS, newest_first=True
        )
        return tuple(found)

    def _latest(self, dataset: str) -> Snapshot | None:
        try:
            return self._workspace.data.get_snapshot(dataset)
        except NotFound:
            return None


def _past(training: Training) -> Past:
    return Past(
        created=training.created, failed=training.state == "failed", trigger=training.trigger, version=training.version,
        core_seconds=training.core_seconds or 0.0,
    )  # fmt: skip


def _ref(state: LoopState) -> str:
    return str(Ref(kind="loops", name=state.loop.name))
