"""The area under the ROC curve with the influence of every row on it, from one sort.

    AUC  = mean over positives of V(x),  V(x) = share of negatives ranked below x, ties by half
    V(y) = share of positives ranked above y, for a negative y
    influence = (V - AUC) / sqrt(P (P - 1)) for the P positives, likewise for the N negatives
    variance of the AUC = sum of the squared influences

Influences of two models on the same rows subtract, so the variance of the difference of their AUCs is the sum of the
squared differences: DeLong's covariance without ever writing down the P x N comparisons.

Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988; by ranks: Sun and Xu, IEEE Signal Process. Lett. 21,
2014.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from flyball.evaluation.metrics.base import Values


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedArea:
    """An area under the ROC curve.

    Attributes:
        area: The area; NaN if the truth holds one class only.
        influence: What each row adds to the error of the area.
        rows: Rows of the rarer class, whose number bounds what can be known.
    """

    area: float
    influence: Values
    rows: int

    @property
    def error(self) -> float:
        """The standard error of the area."""
        return math.sqrt(float((self.influence**2).sum()))


def ranked_area(truth: Values, score: Values) -> RankedArea:
    """The area under the ROC curve of scores against a truth of 0 and 1."""
    import numpy as np

    positives = int(truth.sum())
    negatives = len(truth) - positives
    rarer = min(positives, negatives)
    if rarer == 0:
        return RankedArea(area=math.nan, influence=np.zeros(len(truth)), rows=0)
    placement = _placements(truth, score, positives, negatives)
    area = float((placement * truth).sum()) / positives
    of_positive, of_negative = (math.sqrt(n * max(1, n - 1)) for n in (positives, negatives))
    influence = (placement - area) / np.where(truth == 1, of_positive, of_negative)
    return RankedArea(area=area, influence=influence, rows=rarer)


def tied_groups(ordered: Values) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Where each run of equal values of a sorted vector begins, and how long it is."""
    import numpy as np

    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    return starts, np.diff(starts, append=len(ordered))


def _placements(truth: Values, score: Values, positives: int, negatives: int) -> Values:
    import numpy as np

    order = np.argsort(score)
    starts, sizes = tied_groups(score[order])
    hits = np.add.reduceat(truth[order], starts)
    misses = sizes - hits
    below = (np.cumsum(misses) - misses / 2) / negatives
    above = (positives - np.cumsum(hits) + hits / 2) / positives
    placement = np.empty(len(score))
    placement[order] = np.where(truth[order] == 1, np.repeat(below, sizes), np.repeat(above, sizes))
    return placement
