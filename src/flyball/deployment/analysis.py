"""Is the new version doing worse? An answer that may be asked for at any moment.

The champion's and the new version's bad outcomes (failed requests; slow ones; wrong answers, where the truth is known) are compared
batch by batch by an always-valid sequential test, so that looking again and again does not raise the false alarms. The same
test with the sides exchanged says that the new version is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flyball.evaluation.sequential import Outcomes, SequentialTest

Evidence = dict[str, float | int | str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmOutcomes:
    """What one version did in one batch.

    Attributes:
        predictions: How many it made (failed ones included).
        requests: In how many requests; rows of one request fail or take long together, so they count once.
        failed: How many of the requests failed.
        slow: How many took far longer than the champion usually does.
        labelled: For how many the truth is known.
        wrong: How many of those it got wrong.
    """

    predictions: int = 0
    requests: int = 0
    failed: int = 0
    slow: int = 0
    labelled: int = 0
    wrong: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What both versions did in one span of time. Batches are cut by time, never by outcome."""

    champion: ArmOutcomes
    challenger: ArmOutcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class Worse:
    """The new version does worse than the champion."""

    reason: str
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class NotWorse:
    """Nothing says that the new version does worse.

    Attributes:
        better: Why it is surely better, in words; empty where that is not sure.
    """

    evidence: Evidence
    better: str = ""


# The questions share the chance of a false alarm; what is asked most about has the larger part of it.
_QUESTIONS = (("failed", "fails", 0.25), ("slow", "is slow", 0.25), ("wrong", "is wrong", 0.5))


def analyse(batches: Sequence[Batch], *, alpha: float) -> Worse | NotWorse:
    """Compares the failures, the slow answers and the wrong ones of the two versions of a rollout.

    Args:
        batches: What they did since the rollout began, in order of time.
        alpha: Chance of calling an equally good version worse, over the whole rollout, all questions together; and likewise of
            calling it better.
    """
    evidence: Evidence = {
        "champion_predictions": sum(batch.champion.predictions for batch in batches),
        "challenger_predictions": sum(batch.challenger.predictions for batch in batches),
    }
    finding = ""
    for question, words, part in _QUESTIONS:
        test = SequentialTest()
        for batch in batches:
            test = test.after(
                champion=_outcomes(batch.champion, question), canary=_outcomes(batch.challenger, question)
            )
        evidence[f"champion_{question}"] = round(test.champion.rate, 5)
        evidence[f"challenger_{question}"] = round(test.canary.rate, 5)
        evidence[f"p_value_{question}"] = round(test.p_value, 5)
        if not finding and test.is_worse(alpha=alpha * part):
            finding = f"it {words} in {_compared(test.canary, test.champion, test)}"
    if finding:
        return Worse(reason=finding, evidence=evidence)
    return NotWorse(evidence=evidence, better=_better(batches, alpha))


def _better(batches: Sequence[Batch], alpha: float) -> str:
    test = SequentialTest()
    for batch in batches:
        test = test.after(champion=_outcomes(batch.challenger, "wrong"), canary=_outcomes(batch.champion, "wrong"))
    if not test.is_worse(alpha=alpha):
        return ""
    return f"it is wrong in {_compared(test.champion, test.canary, test)}"


def _compared(challenger: Outcomes, champion: Outcomes, test: SequentialTest) -> str:
    return (
        f"{challenger.rate:.1%} of {challenger.n:,} cases, "
        f"the champion in {champion.rate:.1%} of {champion.n:,} (p = {test.p_value:.2g})"
    )


def _outcomes(arm: ArmOutcomes, question: str) -> Outcomes:
    if question == "wrong":
        return Outcomes(n=arm.labelled, bad=arm.wrong)
    return Outcomes(n=arm.requests, bad=arm.failed if question == "failed" else arm.slow)
