"""What a policy is: an answer to a situation, as a value; who acts on it stands above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from flyball.loops.loop import PolicySpec
from flyball.loops.restraints import Past, broken_source, keeps_failing, no_new_labels
from flyball.loops.triggers.base import Fire, LoopFacts
from flyball.plugins import PluginGroup

What = Literal["wait", "gather labels", "retrain", "retune", "roll back", "fall back", "ask"]
Kind = Literal["source", "labels", "failing", "fruitless", "bias", "drift", "decay", "schedule", "new_data"]

KINDS: tuple[Kind, ...] = (
    "source", "labels", "failing", "fruitless", "bias", "drift", "decay", "schedule", "new_data",
)  # fmt: skip
"""Kinds of causes: a broken source, no label to learn from, trainings that keep failing, trainings that bring nothing, groups
that are treated unequally; else what the trigger has found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a policy may look at.

    Attributes:
        kind: What kind of cause it is.
        because: What makes it that kind, in words; empty where the trigger's own reason says it all.
        trigger: The trigger that fired, and `fire` what it found.
        past: The loop's trainings, newest first.
        champions: Versions that were champion before the present one, the latest first.
    """

    kind: Kind
    because: str = ""
    trigger: str
    fire: Fire
    facts: LoopFacts
    past: Sequence[Past]
    champions: tuple[int, ...] = ()

    @property
    def champion_windows(self) -> int:
        """How many windows have been examined since the present champion took over."""
        return len(self.facts.windows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What is to be done.

    Attributes:
        reason: Why this, in words; empty where the cause says it all.
        consequence: What follows from it, in words.
        params: What the action works with: parameters of the pipeline, a version, a number of predictions.
    """

    what: What
    reason: str = ""
    consequence: str = ""
    params: dict[str, Any] = field(default_factory=dict)


class Policy(Protocol):
    """Says what is to be done in a situation, or leaves it to the next policy."""

    def decide(self, situation: Situation, params: dict[str, Any]) -> Action | None:
        """What is to be done; None if this policy has nothing to say."""
        ...


POLICIES: PluginGroup[Policy] = PluginGroup("policy", "flyball.loops.policies")

DEFAULTS: tuple[PolicySpec, ...] = (
    PolicySpec(policy="incident", on=("source", "failing", "bias")),
    PolicySpec(policy="gather_labels", on=("labels",)),
    PolicySpec(policy="wait", on=("fruitless",)),
    PolicySpec(policy="retrain", on=("drift", "decay", "schedule", "new_data")),
)
"""What is done about a cause that no declared policy answers."""


def choose(policies: Sequence[PolicySpec], situation: Situation) -> Action:
    """What the first policy that has an answer says; the declared ones are asked before the defaults."""
    for spec in (*policies, *DEFAULTS):
        if not spec.on or situation.kind in spec.on:
            action = POLICIES.get(spec.policy).decide(situation, spec.params)
            if action is not None:
                return action
    return Action(what="wait", reason="no policy answers this")


def classify(trigger: str, facts: LoopFacts, past: Sequence[Past]) -> tuple[Kind, str]:
    """What kind of cause the finding of a trigger is, and what makes it that kind, in words."""
    if keeps_failing(past):
        return "failing", "its last three trainings failed; look at them and trigger one by hand"
    if trigger in ("drift", "decay"):
        fault = broken_source(facts.windows)
        if fault is not None:
            why = f"the inputs are broken ({fault.column}: {fault.detail}), and learning from them cannot help"
            return "source", f"{why}; mend the source"
        missing = no_new_labels(facts) if trigger == "drift" else ""
        if missing:
            return "labels", missing
        fruitless = _fruitless(facts, past)
        if fruitless:
            return "fruitless", fruitless
    if trigger in ("code", "pipeline", "signal"):
        return "schedule", ""  # asked for from outside, as a schedule asks
    return next((kind for kind in KINDS if kind == trigger), "drift"), ""


def _fruitless(facts: LoopFacts, past: Sequence[Past]) -> str:
    """Why another training would be the one before again: hysteresis, with a pause that doubles."""
    champion = facts.champion.version if facts.champion is not None else 0
    vain = 0
    for each in past:
        if each.failed or each.version is None or each.version == champion or each.trigger not in ("drift", "decay"):
            break
        vain += 1
    if not vain:
        return ""
    since = sum(window.start >= past[0].created for window in facts.windows)
    pause = min(2 ** (vain - 1), 8)
    if since >= pause:
        return ""
    many = f"the last {vain} trainings" if vain > 1 else "the last training"
    return f"{many} for this brought nothing better; the next is tried {pause} window{'s' if pause > 1 else ''} later"
