"""Mean absolute error: how far predictions lie from the truth on average, zero or more, in units of the truth.

    MAE = 1/n * sum_i |y_i - p_i|

Every unit of error counts the same; the best constant prediction is the median. Interval: of a mean.

Source: Willmott and Matsuura, Clim. Res. 30, 2005.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flyball.evaluation import intervals
from flyball.evaluation.metrics.base import Metric, Need, Task

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values


class Mae:
    """Mean absolute difference of truth and prediction."""

    kind: Task = "regression"
    greater_is_better = False
    needs: Need = "value"
    multiclass = False

    def compute(self, truth: Values, prediction: Values) -> float:
        """The mean absolute error; NaN without rows."""
        return float(abs(truth - prediction).mean()) if len(truth) else math.nan

    def interval(self, truth: Values, prediction: Values, level: float) -> tuple[float, float] | None:
        """That of the mean of the absolute errors."""
        return intervals.of_mean(abs(truth - prediction), level)


plugin: Metric = Mae()
