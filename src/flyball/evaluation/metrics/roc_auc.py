"""ROC AUC: the chance that a row of class 1 is scored above a row of class 0, between 0 and 1.

    AUC = 1/(P N) * sum over pairs of [s(positive) > s(negative)] + 1/2 [s(positive) = s(negative)]

One half is a coin, one is a perfect order; how well the probabilities are calibrated does not matter. No unit. With
more than two classes: each against the rest, and the plain mean over the classes that occur. Undefined (NaN) if the
truth holds one class only, for then there are no pairs. Interval: DeLong's variance, on the logit scale.

Source: Hanley and McNeil, Radiology 143, 1982; DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flyball.evaluation import intervals
from flyball.evaluation.metrics.base import Metric, Need, Task
from flyball.evaluation.ranking import RankedArea, ranked_area

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values


class RocAuc:
    """Share of pairs of a positive and a negative that are in the right order."""

    kind: Task = "classification"
    greater_is_better = True
    needs: Need = "score"
    multiclass = True

    def compute(self, truth: Values, prediction: Values) -> float:
        """The area under the ROC curve."""
        return _area(truth, prediction).area

    def interval(self, truth: Values, prediction: Values, level: float) -> tuple[float, float] | None:
        """By DeLong's variance; `None` if a class has a single row."""
        found = _area(truth, prediction)
        if found.rows < 2:
            return None
        return intervals.of_share(found.area, found.error, level, rows=found.rows)


def _area(truth: Values, prediction: Values) -> RankedArea:
    import numpy as np

    if prediction.ndim == 1:
        return ranked_area(truth, prediction)
    each = [ranked_area((truth == k).astype(float), prediction[:, k]) for k in range(prediction.shape[1])]
    known = [one for one in each if one.rows > 0]
    if not known:
        return RankedArea(area=math.nan, influence=np.zeros(len(truth)), rows=0)
    # The influence of a mean is the mean of the influences, so the classes' covariance is in it.
    influence = np.mean([one.influence for one in known], axis=0)
    return RankedArea(
        area=float(np.mean([one.area for one in known])), influence=influence, rows=min(one.rows for one in known)
    )


plugin: Metric = RocAuc()
