"""Kolmogorov-Smirnov distance: the largest gap between the two cumulative distributions, between 0 and 1.

    D = max_x |F(x) - G(x)|

taken at the edges of the cells, so it is a lower bound of the distance of the single values, and at most one cell's
share below it. Missing values have no place on the line and are left out.

Source: Kolmogorov, Giornale dell'Istituto Italiano degli Attuari 4, 1933; Smirnov, Ann. Math. Stat. 19, 1948.
"""

from __future__ import annotations

from flyball.monitoring.drift.base import NUMERIC, Cells, ColumnKind, DriftMetric


class KolmogorovSmirnov:
    """Largest gap between the cumulative shares."""

    kinds: frozenset[ColumnKind] = NUMERIC
    threshold = 0.1

    def distance(self, reference: Cells, current: Cells) -> float:
        """The distance of the two samples."""
        import numpy as np

        gaps = np.cumsum(reference.placed_shares() - current.placed_shares())
        return float(np.abs(gaps).max(initial=0.0))


plugin: DriftMetric = KolmogorovSmirnov()
