"""Brier score: the mean squared error of the predicted probabilities, between 0 and 1.

    BS = 1/n * sum_i (p_i - y_i)^2

Zero is certainty that was right, one certainty that was wrong; always saying the base rate r gives r (1 - r). A proper
score that, unlike log loss, forgives a certain mistake. No unit. Interval: of a mean.

Source: Brier, Mon. Weather Rev. 78, 1950.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flyball.evaluation import intervals
from flyball.evaluation.metrics.base import Metric, Need, Task

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values


class Brier:
    """Mean squared difference of probability and outcome."""

    kind: Task = "classification"
    greater_is_better = False
    needs: Need = "score"
    multiclass = False

    def compute(self, truth: Values, prediction: Values) -> float:
        """The mean squared error; NaN without rows."""
        return float(((prediction - truth) ** 2).mean()) if len(truth) else math.nan

    def interval(self, truth: Values, prediction: Values, level: float) -> tuple[float, float] | None:
        """That of the mean of the squared errors."""
        limits = intervals.of_mean((prediction - truth) ** 2, level)
        return None if limits is None else (limits[0], min(1.0, limits[1]))


plugin: Metric = Brier()
