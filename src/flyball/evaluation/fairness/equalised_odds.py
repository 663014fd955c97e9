"""Equalised odds: of the truly positive and of the truly negative, as large a share of every group is called positive.

    max( max_a TPR_a - min_a TPR_a,  max_a FPR_a - min_a FPR_a )

Source: Hardt, Price and Srebro, Equality of Opportunity in Supervised Learning, NIPS 2016.
"""

from __future__ import annotations

from collections.abc import Mapping

from flyball.evaluation.fairness.base import FairnessMeasure, GroupCounts, Rate, Relation, known, share


class EqualisedOdds:
    """The true and the false positive rate."""

    needs_truth = True
    relation: Relation = "difference"
    threshold = 0.1

    def rates(self, counts: GroupCounts) -> Mapping[str, Rate]:
        """The true and the false positive rate."""
        return known(
            {
                "true_positive_rate": share(counts.hits, counts.actual),
                "false_positive_rate": share(counts.labelled_called - counts.hits, counts.labelled - counts.actual),
            }
        )


plugin: FairnessMeasure = EqualisedOdds()
