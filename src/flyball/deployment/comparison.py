"""How the two versions of a rollout compare, as the last look at them found: for people."""

from __future__ import annotations

from dataclasses import dataclass

from flyball.deployment.rollout import Rollout

_QUESTIONS = (
    ("failed", "requests failed"),
    ("slow", "requests took far longer than usual"),
    ("wrong", "answers were wrong"),
)
_ENDED = {"promoted": "The new version took over", "rolled_back": "The champion stayed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One way in which a version may be worse.

    Attributes:
        champion: Its share of bad outcomes; `challenger`: that of the new version.
        p_value: Of the always-valid test that the new version is worse; it may be looked at at any time.
        says: What follows, in words.
    """

    question: str
    champion: float
    challenger: float
    p_value: float
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How two versions compare.

    Attributes:
        champion: The version that answered before; `challenger`: the new one.
        predictions: How many both have made until the last look.
        says: What follows, in a sentence.
    """

    deployment: str
    champion: int
    challenger: int
    percent: int
    state: str
    predictions: tuple[int, int]
    questions: tuple[Question, ...]
    says: str


def compare_arms(rollout: Rollout) -> Comparison:
    """How the two versions of a rollout compare, by its evidence."""
    evidence = rollout.evidence
    made = tuple(int(evidence.get(f"{arm}_predictions") or 0) for arm in ("champion", "challenger"))
    questions = [
        Question(
            question=words, champion=_number(rollout, f"champion_{name}"), challenger=_number(rollout, f"challenger_{name}"),
            p_value=_number(rollout, f"p_value_{name}", 1.0), says=_says(rollout, name),
        )
        for name, words in _QUESTIONS
        if f"p_value_{name}" in evidence
    ]  # fmt: skip
    return Comparison(
        deployment=rollout.deployment, champion=rollout.from_version, challenger=rollout.to_version, percent=rollout.percent,
        state=rollout.state, predictions=(made[0], made[1]), questions=tuple(questions), says=_verdict(rollout, made),
    )  # fmt: skip


def _says(rollout: Rollout, name: str) -> str:
    if _number(rollout, f"p_value_{name}", 1.0) <= rollout.spec.alpha:
        return "the new version is worse"
    return "not worse, as far as can be told"


def _verdict(rollout: Rollout, made: tuple[int, ...]) -> str:
    if rollout.state in _ENDED:
        return f"{_ENDED[rollout.state]}: {rollout.reason}." if rollout.reason else f"{_ENDED[rollout.state]}."
    if made[1] < rollout.spec.min_predictions:
        return f"The new version has made {made[1]:,} predictions; {rollout.spec.min_predictions:,} are waited for."
    ends = (
        "it takes over as soon as it is surely better" if rollout.spec.early else "it takes over when its time has come"
    )
    return f"It goes on: {ends}, and is rolled back as soon as it is surely worse."


def _number(rollout: Rollout, name: str, default: float = 0.0) -> float:
    value = rollout.evidence.get(name)
    return float(value) if isinstance(value, int | float) else default
