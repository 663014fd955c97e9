"""Demographic parity: as large a share of every group is predicted to be of class 1.

    max_a P(yhat = 1 | A = a) - min_a P(yhat = 1 | A = a)

Needs no truth. It asks for equal outcomes even where the groups differ in what is true.

Source: Dwork et al., Fairness Through Awareness, ITCS 2012; Calders et al., 2009.
"""

from __future__ import annotations

from collections.abc import Mapping

from flyball.evaluation.fairness.base import FairnessMeasure, GroupCounts, Rate, Relation, known, share


class DemographicParity:
    """The selection rate."""

    needs_truth = False
    relation: Relation = "difference"
    threshold = 0.1

    def rates(self, counts: GroupCounts) -> Mapping[str, Rate]:
        """The selection rate."""
        return known({"selection_rate": share(counts.called, counts.n)})


plugin: FairnessMeasure = DemographicParity()
