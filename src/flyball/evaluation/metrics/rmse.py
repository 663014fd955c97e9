"""Root mean squared error: the typical size of an error, zero or more, in units of the truth.

    RMSE = sqrt( 1/n * sum_i (y_i - p_i)^2 )

Large errors weigh more than in the mean absolute error; the best constant prediction is the mean. Interval: the root of
that of the mean of the squares.

Source: Willmott and Matsuura, Clim. Res. 30, 2005; Gauss, Theoria combinationis, 1821.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flyball.evaluation import intervals
from flyball.evaluation.metrics.base import Metric, Need, Task

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values


class Rmse:
    """Root of the mean squared difference of truth and prediction."""

    kind: Task = "regression"
    greater_is_better = False
    needs: Need = "value"
    multiclass = False

    def compute(self, truth: Values, prediction: Values) -> float:
        """The root mean squared error; NaN without rows."""
        return math.sqrt(float(((truth - prediction) ** 2).mean())) if len(truth) else math.nan

    def interval(self, truth: Values, prediction: Values, level: float) -> tuple[float, float] | None:
        """The root of the interval of the mean square."""
        limits = intervals.of_mean((truth - prediction) ** 2, level)
        return None if limits is None else (math.sqrt(limits[0]), math.sqrt(limits[1]))


plugin: Metric = Rmse()
