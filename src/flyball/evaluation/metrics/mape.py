"""Mean absolute percentage error: the average error as a share of the truth, zero or more.

    MAPE = 1/n * sum_i |y_i - p_i| / |y_i|

A share, not a percentage: 0.1 is ten per cent. Errors above the truth can cost more than 1, those below it (of a
positive truth) cannot, so it favours predictions that are too low. Undefined (NaN) if any truth is zero. Interval: of a
mean.

Source: Hyndman and Koehler, Int. J. Forecast. 22, 2006.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flyball.evaluation import intervals
from flyball.evaluation.metrics.base import Metric, Need, Task

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values


class Mape:
    """Mean absolute difference as a share of the truth."""

    kind: Task = "regression"
    greater_is_better = False
    needs: Need = "value"
    multiclass = False

    def compute(self, truth: Values, prediction: Values) -> float:
        """The mean relative error."""
        return float(abs((truth - prediction) / truth).mean()) if len(truth) and truth.all() else math.nan

    def interval(self, truth: Values, prediction: Values, level: float) -> tuple[float, float] | None:
        """That of the mean of the relative errors."""
        return intervals.of_mean(abs((truth - prediction) / truth), level) if truth.all() else None


plugin: Metric = Mape()
