"""Log loss: the mean surprise of the predicted probabilities at the truth, zero or more, in nats.

    LL = -1/n * sum_i log p_i(y_i)

Zero is certainty that was right; ln 2 = 0.693 is a coin. A proper score: only the true probabilities make it smallest.
Probabilities are kept at least 2.2e-16 away from 0 and 1, so one certain mistake costs 36 nats and not infinity.
Interval: of a mean.

Source: Good, J. R. Stat. Soc. B 14, 1952.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flyball.evaluation import intervals
from flyball.evaluation.metrics.base import Metric, Need, Task

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values


class LogLoss:
    """Mean negative logarithm of the probability given to what happened."""

    kind: Task = "classification"
    greater_is_better = False
    needs: Need = "score"
    multiclass = True

    def compute(self, truth: Values, prediction: Values) -> float:
        """The mean loss of a row; NaN without rows."""
        return float(_losses(truth, prediction).mean()) if len(truth) else math.nan

    def interval(self, truth: Values, prediction: Values, level: float) -> tuple[float, float] | None:
        """That of the mean of the rows' losses."""
        return intervals.of_mean(_losses(truth, prediction), level)


def _losses(truth: Values, prediction: Values) -> Values:
    import numpy as np

    if prediction.ndim == 1:
        happened = np.where(truth == 1, prediction, 1 - prediction)
    else:
        happened = prediction[np.arange(len(truth)), truth.astype(np.intp)]
    smallest = np.finfo(np.float64).eps
    losses: Values = -np.log(np.clip(happened, smallest, 1 - smallest))
    return losses


plugin: Metric = LogLoss()
