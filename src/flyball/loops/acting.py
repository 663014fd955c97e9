"""Acts on what a policy has decided: each action tells first why, and is the same however often it is begun."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flyball.deployment.deployments import Deployment
from flyball.loops.gathering import lay_out, least_sure
from flyball.loops.loops import LoopState, Training
from flyball.loops.policies.base import Action, Situation
from flyball.loops.restraints import restraint
from flyball.loops.services import Services
from flyball.refs import Ref
from flyball.storage.database import Lease


class Acting:
    """Does what was decided for one cause of one loop."""

    def __init__(self, workspace: Services) -> None:
        self._workspace = workspace

    def act(
        self,
        state: LoopState,
        deployment: Deployment,
        situation: Situation,
        action: Action,
        now: datetime,
        lease: Lease,
    ) -> bool:
        """Does it, or says why it must wait; whether something was done."""
        if action.what == "wait":
            return self._wait(state, situation, action, action.reason)
        if action.what == "ask":
            return self._ask(state, situation, action)
        if action.what == "gather labels" and not state.loop.dry_run:
            return self._gather(state, situation, action)
        starts = action.what in ("retrain", "retune")
        against = restraint(state.loop, situation.past, now) if starts else self._against_turning(state, action)
        if against:
            return self._wait(state, situation, action, against)
        if state.loop.dry_run:
            would = f"would {action.what}"
            self._decide(state, would, situation.fire.cause, _reason(situation, action), situation, action)
            return False
        if starts:
            return self._train(state, situation, action, lease)
        return self._turn(state, deployment, situation, action)

    def _wait(self, state: LoopState, situation: Situation, action: Action, against: str) -> bool:
        reason = f"{situation.fire.reason}, but {against}"
        self._decide(state, "wait", situation.fire.cause, reason, situation, action)
        return False

    def _train(self, state: LoopState, situation: Situation, action: Action, lease: Lease) -> bool:
        how = action.params.get("how", "full")
        plan: dict[str, Any] = {"how": action.what if action.what == "retune" else how}
        if action.what == "retune":
            plan["tune"] = action.params
        elif action.params.get("params"):
            plan["params"] = action.params["params"]
        training: Training = self._workspace.loops.start_training(
            state.loop.name, cause=situation.fire.cause, trigger=situation.trigger, reason=_reason(situation, action),
            evidence=_evidence(situation, action), lease=lease, plan=plan, decision=action.what,
        )  # fmt: skip
        return training.ended is None

    def _turn(self, state: LoopState, deployment: Deployment, situation: Situation, action: Action) -> bool:
        """Lets another version answer; for good until someone resumes the loop, where it is the baseline."""
        loops, deployments, name = self._workspace.loops, self._workspace.deployments, state.loop.name
        version, reason = int(action.params["version"]), _reason(situation, action)
        if deployment.champion == version:
            return False
        self._decide(state, action.what, situation.fire.cause, reason, situation, action)
        self._workspace.alerts.open(
            severity="critical" if action.what == "fall back" else "warning", kind="rollback", subject=_ref(state),
            cause=f"{action.what}:{situation.fire.cause}"[:300], title=f"Version {version} answers again",
            detail=reason, facts=_told(situation, action, f"let version {version} answer", "Look at why, and resume the loop."),
        )  # fmt: skip
        if action.what == "fall back":
            # Paused before it turns: a controller killed in between finds what is still to be done, and starts nothing else.
            loops.pause(name, _FALLEN_BACK + reason)
        deployments.roll_back(name, reason, version)
        return True

    def _against_turning(self, state: LoopState, action: Action) -> str:
        ours = action.what == "fall back" and state.loop.paused.startswith(_FALLEN_BACK)
        return f"the loop is paused ({state.loop.paused})" if state.loop.paused and not ours else ""

    def _ask(self, state: LoopState, situation: Situation, action: Action) -> bool:
        cause, loops = situation.fire.cause, self._workspace.loops
        if loops.has_decided(state.loop.name, "ask", cause):
            return False
        kind, past = situation.kind, situation.past
        # While trainings fail, or a source is broken, that is one cause, however many windows show it.
        about = f"loop:failing:{past[0].created.isoformat()}" if kind == "failing" else f"incident:{kind}"
        about = cause if kind == "bias" else about
        title = _TITLES.get(kind, situation.fire.reason)
        reason = f"{situation.fire.reason}, but {action.reason}" if action.reason else situation.fire.reason
        self._workspace.alerts.open(
            severity="critical", kind="loop" if kind == "failing" else "incident", subject=_ref(state), cause=about[:300],
            title=title, detail=reason, facts=_told(situation, action, "started nothing by itself", action.params["decide"]),
        )  # fmt: skip
        self._decide(state, "ask", cause, reason, situation, action)
        return False

    def _gather(self, state: LoopState, situation: Situation, action: Action) -> bool:
        version = situation.facts.champion.version if situation.facts.champion is not None else 0
        cause = f"labels:{version}:{situation.trigger}"
        if not self._workspace.loops.has_decided(state.loop.name, "gather labels", cause) and situation.facts.windows:
            window, model = situation.facts.windows[0], situation.facts.champion
            found = least_sure(self._workspace, state.loop.name, window, action.params)
            # Laid out before it is told: a controller killed in between does it again, and nothing is asked twice.
            queue = lay_out(self._workspace, state.loop.name, model, window, action.params) if found and model else ""
            reason = f"{situation.fire.reason}, but {action.reason}" if action.reason else situation.fire.reason
            loops = self._workspace.loops
            loops.decide(
                state.loop.name, "gather labels", cause, f"{reason}; {len(found)} predictions are laid before people",
                {**_evidence(situation, action), "predictions": found, "queue": queue},
            )  # fmt: skip
        return self._wait(state, situation, action, action.reason)

    def _decide(
        self, state: LoopState, decision: str, cause: str, reason: str, situation: Situation, action: Action
    ) -> None:
        if not self._workspace.loops.has_decided(state.loop.name, decision, cause):
            self._workspace.loops.decide(state.loop.name, decision, cause, reason, _evidence(situation, action))


_FALLEN_BACK = "fallen back to the baseline: "
_TITLES = {
    "failing": "The last three trainings failed; the loop starts no other by itself",
    "source": "The inputs are broken, and learning from them cannot help",
}


def _reason(situation: Situation, action: Action) -> str:
    return f"{situation.fire.reason}; {action.reason}" if action.reason else situation.fire.reason


def _evidence(situation: Situation, action: Action) -> dict[str, Any]:
    told = {"kind": situation.kind, "confidence": situation.fire.confidence, "consequence": action.consequence}
    return {**situation.fire.evidence, **{name: words for name, words in told.items() if words}}


def _told(situation: Situation, action: Action, done: str, decide: str) -> dict[str, Any]:
    return {**_evidence(situation, action), "done": done, "decide": decide}


def _ref(state: LoopState) -> str:
    return str(Ref(kind="loops", name=state.loop.name))
