"""Calibration within groups: in every group, as many are of class 1 as the probabilities say.

    max_a gap_a - min_a gap_a,    gap_a = mean of the probabilities of group a - its share of class 1

Source: Kleinberg, Mullainathan and Raghavan, Inherent Trade-Offs in the Fair Determination of Risk Scores, ITCS 2017.
"""

from __future__ import annotations

from collections.abc import Mapping

from flyball.evaluation.fairness.base import FairnessMeasure, GroupCounts, Rate, Relation, known


class Calibration:
    """The gap between what is said and what is so."""

    needs_truth = True
    relation: Relation = "difference"
    threshold = 0.05

    def rates(self, counts: GroupCounts) -> Mapping[str, Rate]:
        """The gap between what is said and what is so."""
        return known({"calibration_gap": _gap(counts)})


def _gap(counts: GroupCounts) -> Rate | None:
    if not counts.labelled:
        return None
    n = counts.labelled
    # The variance of the truth around its own rate: where the probabilities are wrong, theirs would be too.
    middle = (counts.actual + 1) / (n + 2)
    variance = max(counts.score_variance / n, middle * (1 - middle) / 2) / n
    return Rate(value=(counts.score_sum - counts.actual) / n, variance=variance, n=n)


plugin: FairnessMeasure = Calibration()
