"""Chi-square effect size: Cramer's V of the table of two samples by cells, between 0 and 1.

    V = sqrt( chi2 / 2 ),   chi2 = sum_i (p_i - q_i)^2 / (p_i + q_i)

This is Pearson's statistic of the two-row table with both samples weighed alike, so that it does not depend on how many
rows either has; the p-value, which does, is the evidence's part.

Source: Cramer, Mathematical Methods of Statistics, 1946, chapter 21; Pearson, Phil. Mag. 50, 1900.
"""

from __future__ import annotations

from flyball.monitoring.drift.base import BOTH, Cells, ColumnKind, DriftMetric


class ChiSquare:
    """Cramer's V of two samples of equal weight."""

    kinds: frozenset[ColumnKind] = BOTH
    threshold = 0.1

    def distance(self, reference: Cells, current: Cells) -> float:
        """The effect size of the two samples."""
        import numpy as np

        p, q = reference.shares(), current.shares()
        terms = np.divide((p - q) ** 2, p + q, out=np.zeros_like(p), where=p + q > 0)
        return float(np.sqrt(terms.sum() / 2))


plugin: DriftMetric = ChiSquare()
