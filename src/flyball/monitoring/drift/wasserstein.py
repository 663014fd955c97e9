"""Wasserstein distance: how far the rows would have to move on average, in standard deviations of the reference.

    W1 = integral |F(x) - G(x)| dx / sd(reference)

over the cells' places. For a pure shift it is the difference of the means. Values beyond the reference's range stand
halfway between its end and the farthest value seen. Missing values have no place on the line and are left out.

Source: Kantorovich, Management Science 6, 1960 (1939); Vallender, Theory Probab. Appl. 18, 1974.
"""

from __future__ import annotations

from flyball.monitoring.drift.base import NUMERIC, Cells, ColumnKind, DriftMetric, steps_between


class Wasserstein:
    """Area between the cumulative shares, in the reference's standard deviations."""

    kinds: frozenset[ColumnKind] = NUMERIC
    threshold = 0.2

    def distance(self, reference: Cells, current: Cells) -> float:
        """The distance of the two samples; zero where one of them has no value at all."""
        import numpy as np

        if not reference.placed_shares().any() or not current.placed_shares().any():
            return 0.0
        gaps, widths = steps_between(reference, current)
        return float(np.sum(np.abs(gaps) * widths))


plugin: DriftMetric = Wasserstein()
