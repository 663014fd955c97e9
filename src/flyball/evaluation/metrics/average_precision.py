"""Average precision: the precision at each row of class 1 that is found, averaged, between 0 and 1.

    AP = sum_g (R_g - R_{g-1}) P_g     over the distinct scores g, from the highest down

with precision P and recall R of all rows scored at least g: the area under the precision-recall curve, by steps. A
random order gives the share of class 1. Says more than ROC AUC where class 1 is rare. No unit. Undefined (NaN) without
a row of class 1. Interval: variance by the infinitesimal jackknife, on the logit scale.

Source: Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008, 8.4; Jaeckel, Bell Labs memo 1972
(jackknife); Boyd, Eng and Page, ECML 2013 (logit scale).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flyball.evaluation import intervals
from flyball.evaluation.metrics.base import Metric, Need, Task
from flyball.evaluation.ranking import tied_groups

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values


class AveragePrecision:
    """Area under the precision-recall curve."""

    kind: Task = "classification"
    greater_is_better = True
    needs: Need = "score"
    multiclass = False

    def compute(self, truth: Values, prediction: Values) -> float:
        """The mean of the precision over the rows of class 1."""
        if not truth.any():
            return math.nan
        hits, precision, _ = _curve(truth, prediction)
        return float((hits * precision).sum() / hits.sum())

    def interval(self, truth: Values, prediction: Values, level: float) -> tuple[float, float] | None:
        """By what each row's weight adds to the average; `None` with fewer than two rows of class 1."""
        import numpy as np

        positives = int(truth.sum())
        if positives < 2:
            return None
        hits, precision, sizes = _curve(truth, prediction)
        value = float((hits * precision).sum() / positives)
        found = np.cumsum(sizes)
        # One more row in group h changes the precision of h and of every group after it.
        if_hit = _from_here(hits * (1 - precision) / found) + precision - value
        if_miss = -_from_here(hits * precision / found)
        squares = (hits * if_hit**2 + (sizes - hits) * if_miss**2).sum()
        return intervals.of_share(value, math.sqrt(float(squares)) / positives, level, rows=positives)


def _curve(truth: Values, score: Values) -> tuple[Values, Values, Values]:
    """Of each distinct score, from the highest down: its rows of class 1, the precision there, all its rows."""
    import numpy as np

    order = np.argsort(-score)
    starts, sizes = tied_groups(score[order])
    hits = np.add.reduceat(truth[order], starts)
    return hits, np.cumsum(hits) / np.cumsum(sizes), sizes.astype(np.float64)


def _from_here(values: Values) -> Values:
    import numpy as np

    return np.cumsum(values[::-1])[::-1]


plugin: Metric = AveragePrecision()
