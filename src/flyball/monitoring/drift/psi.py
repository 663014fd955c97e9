"""Population stability index: the symmetrised Kullback-Leibler divergence of the shares of cells.

    PSI = sum_i (q_i - p_i) * ln(q_i / p_i)

with `p` the reference's shares and `q` the window's. An empty cell would make it infinite, so half a row is added to
every cell of both. By custom 0.1 is a slight change and 0.2 a large one.

Source: Siddiqi, Credit Risk Scorecards, 2006; as a divergence: Jeffreys, Proc. R. Soc. A 186, 1946.
"""

from __future__ import annotations

from flyball.monitoring.drift.base import BOTH, Cells, ColumnKind, DriftMetric


class PopulationStabilityIndex:
    """Symmetrised Kullback-Leibler divergence, in nats."""

    kinds: frozenset[ColumnKind] = BOTH
    threshold = 0.2

    def distance(self, reference: Cells, current: Cells) -> float:
        """The index of the two samples."""
        import numpy as np

        p, q = (sample.counts + 0.5 for sample in (reference, current))
        p, q = p / p.sum(), q / q.sum()
        return float(np.sum((q - p) * np.log(q / p)))


plugin: DriftMetric = PopulationStabilityIndex()
