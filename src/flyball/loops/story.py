"""The story of a loop in sentences: what was found, how sure that is, what was done about it, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flyball.deployment.rollout import Rollout
from flyball.loops.loops import Decision, Training

_KINDS = {
    "source": "a broken source",
    "labels": "a drift whose labels are missing",
    "failing": "trainings that keep failing",
    "fruitless": "a cause that trainings do not mend",
    "bias": "groups that are treated unequally",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One decision, told.

    Attributes:
        because: What was found.
        sure: How sure that is; empty where nothing was measured.
        kind: What kind of cause it is, where that says more than the reason.
        so: What came of it.
    """

    at: datetime
    decision: str
    because: str
    sure: str = ""
    kind: str = ""
    so: str = ""


def tell(workspace: Any, name: str, *, limit: int = 50) -> list[Sentence]:
    """The latest decisions of a loop, oldest first, each with what came of it.

    Args:
        workspace: The workspace, here or on a server.
        limit: How many decisions.

    Raises:
        NotFound: there is no such loop.
    """
    workspace.loops.get(name)
    decisions: list[Decision] = workspace.loops.history(name, limit=limit)
    trainings = {each.cause: each for each in workspace.loops.list_trainings(name, limit=1000)}
    rollouts: list[Rollout] = workspace.deployments.list_rollouts(name, limit=200)
    return [_told(each, trainings, rollouts) for each in reversed(decisions)]


def _told(decision: Decision, trainings: dict[str, Training], rollouts: Sequence[Rollout]) -> Sentence:
    evidence = decision.evidence
    consequence = str(evidence.get("consequence", ""))
    training = trainings.get(decision.cause)
    if decision.decision in ("retrain", "retune") and training is not None:
        consequence = _and(consequence, _of_training(training, rollouts))
    elif decision.decision == "wait" and training is not None:
        consequence = f"the training for it was started {training.created:%Y-%m-%d %H:%M}"
    elif decision.decision == "roll out":
        version = decision.cause.partition(":")[2]
        consequence = _of_rollout(next((each for each in rollouts if str(each.to_version) == version), None))
    return Sentence(
        at=decision.at, decision=decision.decision, because=decision.reason, sure=str(evidence.get("confidence", "")),
        kind=_KINDS.get(str(evidence.get("kind", "")), ""), so=consequence,
    )  # fmt: skip


def _and(first: str, second: str) -> str:
    return "; ".join(part for part in (first, second) if part)


def _of_training(training: Training, rollouts: Sequence[Rollout]) -> str:
    if training.ended is None:
        return "the training is under way"
    if training.state != "succeeded":
        return (
            f"the training {training.state}: {training.error}" if training.error else f"the training {training.state}"
        )
    took = f"{training.core_seconds:,.1f} core-seconds" if training.core_seconds is not None else ""
    made = f"version {training.version} was made" + (f" in {took}" if took else "")
    rollout = next((each for each in rollouts if each.to_version == training.version), None)
    return made if rollout is None else f"{made}; {_of_rollout(rollout)}"


def _of_rollout(rollout: Rollout | None) -> str:
    if rollout is None:
        return ""
    if rollout.state == "promoted":
        return f"version {rollout.to_version} took over on {rollout.ended:%Y-%m-%d %H:%M}"
    if rollout.state == "rolled_back":
        return f"version {rollout.to_version} was rolled back on {rollout.ended:%Y-%m-%d %H:%M}: {rollout.reason}"
    return f"version {rollout.to_version} answers {rollout.percent} % and is {rollout.state}"
