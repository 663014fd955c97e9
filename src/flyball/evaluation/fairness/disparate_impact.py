"""Disparate impact: the least selected group is selected at least four fifths as often as the most selected one.

    min_a P(yhat = 1 | A = a) / max_a P(yhat = 1 | A = a)

Needs no truth.

Source: Uniform Guidelines on Employee Selection Procedures, 29 CFR 1607.4 (D), 1978; Feldman et al., KDD 2015.
"""

from __future__ import annotations

from collections.abc import Mapping

from flyball.evaluation.fairness.base import FairnessMeasure, GroupCounts, Rate, Relation, known, share


class DisparateImpact:
    """The selection rate."""

    needs_truth = False
    relation: Relation = "ratio"
    threshold = 0.8

    def rates(self, counts: GroupCounts) -> Mapping[str, Rate]:
        """The selection rate."""
        return known({"selection_rate": share(counts.called, counts.n)})


plugin: FairnessMeasure = DisparateImpact()
