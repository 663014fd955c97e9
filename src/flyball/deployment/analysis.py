"""Is the new version doing worse? An answer that may be asked for at any moment.

The champion's and the new version's bad outcomes (failed requests; wrong answers, where the truth is known) are compared batch
by batch by an always-valid sequential test, so that looking again and again does not raise the false alarms.
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
        failed: How many of them failed.
        labelled: For how many the truth is known.
        wrong: How many of those it got wrong.
    """

    predictions: int = 0
    failed: int = 0
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
    """Nothing says that the new version does worse."""

    evidence: Evidence


def analyse(batches: Sequence[Batch], *, alpha: float) -> Worse | NotWorse:
    """Compares the failures and the wrong answers of the two versions of a rollout.

    Args:
        batches: What they did since the rollout began, in order of time.
        alpha: Chance of calling an equally good version worse, over the whole rollout, both questions together.
    """
    evidence: Evidence = {
        "champion_predictions": sum(batch.champion.predictions for batch in batches),
        "challenger_predictions": sum(batch.challenger.predictions for batch in batches),
    }
    finding = ""
    for question, words in (("failed", "fails"), ("wrong", "is wrong")):
        test = SequentialTest()
        for batch in batches:
            test = test.after(
                champion=_outcomes(batch.champion, question), canary=_outcomes(batch.challenger, question)
            )
        evidence[f"champion_{question}"] = round(test.champion.rate, 5)
        evidence[f"challenger_{question}"] = round(test.canary.rate, 5)
        evidence[f"p_value_{question}"] = round(test.p_value, 5)
        # The two questions share the chance of a false alarm.
        if not finding and test.is_worse(alpha=alpha / 2):
            finding = (
                f"it {words} in {test.canary.rate:.1%} of {test.canary.n:,} cases, "
                f"the champion in {test.champion.rate:.1%} of {test.champion.n:,} (p = {test.p_value:.2g})"
            )
    return Worse(reason=finding, evidence=evidence) if finding else NotWorse(evidence=evidence)


def _outcomes(arm: ArmOutcomes, question: str) -> Outcomes:
    if question == "failed":
        return Outcomes(n=arm.predictions, bad=arm.failed)
    return Outcomes(n=arm.labelled, bad=arm.wrong)
