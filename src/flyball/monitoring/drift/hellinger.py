"""Hellinger distance: the Euclidean distance of the square roots of the shares, between 0 and 1.

    H = sqrt( 1/2 * sum_i (sqrt(p_i) - sqrt(q_i))^2 )

Weighs rare cells more than total variation does and needs no care for empty ones.

Source: Hellinger, J. reine angew. Math. 136, 1909.
"""

from __future__ import annotations

from flyball.monitoring.drift.base import BOTH, Cells, ColumnKind, DriftMetric


class Hellinger:
    """Distance of the square roots of the shares."""

    kinds: frozenset[ColumnKind] = BOTH
    threshold = 0.1

    def distance(self, reference: Cells, current: Cells) -> float:
        """The distance of the two samples."""
        import numpy as np

        gap = np.sqrt(reference.shares()) - np.sqrt(current.shares())
        return float(np.sqrt(0.5 * np.sum(gap**2)))


plugin: DriftMetric = Hellinger()
