"""Equal opportunity: of those who are truly of class 1, as large a share of every group is found.

    max_a TPR_a - min_a TPR_a,    TPR_a = P(yhat = 1 | Y = 1, A = a)

Source: Hardt, Price and Srebro, Equality of Opportunity in Supervised Learning, NIPS 2016.
"""

from __future__ import annotations

from collections.abc import Mapping

from flyball.evaluation.fairness.base import FairnessMeasure, GroupCounts, Rate, Relation, known, share


class EqualOpportunity:
    """The true positive rate."""

    needs_truth = True
    relation: Relation = "difference"
    threshold = 0.1

    def rates(self, counts: GroupCounts) -> Mapping[str, Rate]:
        """The true positive rate."""
        return known({"true_positive_rate": share(counts.hits, counts.actual)})


plugin: FairnessMeasure = EqualOpportunity()
