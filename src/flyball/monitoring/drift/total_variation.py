"""Total variation: the share of rows that would have to move to another cell, between 0 and 1.

    TV = 1/2 * sum_i |p_i - q_i|

The easiest one to explain to a person: 0.1 means that one row in ten is somewhere else.

Source: Levin, Peres and Wilmer, Markov Chains and Mixing Times, chapter 4, 2009.
"""

from __future__ import annotations

from flyball.monitoring.drift.base import BOTH, Cells, ColumnKind, DriftMetric


class TotalVariation:
    """Half the sum of the absolute differences of the shares."""

    kinds: frozenset[ColumnKind] = BOTH
    threshold = 0.1

    def distance(self, reference: Cells, current: Cells) -> float:
        """The distance of the two samples."""
        import numpy as np

        return float(0.5 * np.abs(reference.shares() - current.shares()).sum())


plugin: DriftMetric = TotalVariation()
