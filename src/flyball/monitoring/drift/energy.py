"""Energy distance: the squared gap between the two cumulative distributions, added up over the line.

    E = sqrt( 2 * integral (F(x) - G(x))^2 dx / sd(reference) )

over the cells' places; zero only for equal distributions. It weighs the middle more than the Wasserstein distance does.
Missing values have no place on the line and are left out.

Source: Szekely and Rizzo, J. Stat. Plan. Inference 143, 2013; Cramer, Skand. Aktuarietidskr. 11, 1928.
"""

from __future__ import annotations

from flyball.monitoring.drift.base import NUMERIC, Cells, ColumnKind, DriftMetric, steps_between


class Energy:
    """Root of twice the area under the squared gap of the cumulative shares."""

    kinds: frozenset[ColumnKind] = NUMERIC
    threshold = 0.2

    def distance(self, reference: Cells, current: Cells) -> float:
        """The distance of the two samples; zero where one of them has no value at all."""
        import numpy as np

        if not reference.placed_shares().any() or not current.placed_shares().any():
            return 0.0
        gaps, widths = steps_between(reference, current)
        return float(np.sqrt(2 * np.sum(gaps**2 * widths)))


plugin: DriftMetric = Energy()
