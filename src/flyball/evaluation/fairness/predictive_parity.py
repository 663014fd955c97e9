"""Predictive parity: of those predicted to be of class 1, as large a share of every group truly is.

    max_a PPV_a - min_a PPV_a,    PPV_a = P(Y = 1 | yhat = 1, A = a)

With unequal base rates it cannot hold together with equalised odds, unless predictions are perfect.

Source: Chouldechova, Fair Prediction with Disparate Impact, Big Data 5, 2017.
"""

from __future__ import annotations

from collections.abc import Mapping

from flyball.evaluation.fairness.base import FairnessMeasure, GroupCounts, Rate, Relation, known, share


class PredictiveParity:
    """The precision."""

    needs_truth = True
    relation: Relation = "difference"
    threshold = 0.1

    def rates(self, counts: GroupCounts) -> Mapping[str, Rate]:
        """The precision."""
        return known({"precision": share(counts.hits, counts.labelled_called)})


plugin: FairnessMeasure = PredictiveParity()
