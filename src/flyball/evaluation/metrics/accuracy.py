"""Accuracy: the share of rows whose predicted class is the true one, between 0 and 1.

    ACC = 1/n * sum_i [predicted_i = y_i]

Always naming the larger class already gives that class's share, so read it beside the base rate. No unit. Interval:
Wilson's.

Source: Sokolova and Lapalme, Inf. Process. Manag. 45, 2009.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.evaluation import intervals
from flyball.evaluation.metrics._counts import share
from flyball.evaluation.metrics.base import Metric, Need, Task

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values


class Accuracy:
    """Share of right answers."""

    kind: Task = "classification"
    greater_is_better = True
    needs: Need = "label"
    multiclass = True

    def compute(self, truth: Values, prediction: Values) -> float:
        """The share; NaN without rows."""
        return share(_right(truth, prediction), len(truth))

    def interval(self, truth: Values, prediction: Values, level: float) -> tuple[float, float] | None:
        """Wilson's interval of the share."""
        return intervals.wilson(_right(truth, prediction), len(truth), level)


def _right(truth: Values, prediction: Values) -> float:
    import numpy as np

    if prediction.ndim == 1:
        return float((truth == prediction).sum())
    return float(prediction[np.arange(len(truth)), truth.astype(np.intp)].sum())


plugin: Metric = Accuracy()
