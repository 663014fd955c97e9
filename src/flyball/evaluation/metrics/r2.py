"""R squared: the share of the variance of the truth that the predictions explain, at most 1.

    R2 = 1 - sum_i (y_i - p_i)^2 / sum_i (y_i - mean y)^2

One is perfect, zero is as good as always predicting the mean, below zero is worse than that. No unit. Undefined (NaN)
if the truth does not vary. Interval: 1 - R2 is a ratio of two means, whose logarithm has the variance
sum_i (a_i/A - b_i/B)^2 with the terms a_i, b_i of the two sums A, B.

Source: Draper and Smith, Applied Regression Analysis, 1998; ratio: Cochran, Sampling Techniques, 1977, 6.4.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flyball.evaluation import intervals
from flyball.evaluation.metrics.base import Metric, Need, Task

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values


class R2:
    """Share of the variance that is explained."""

    kind: Task = "regression"
    greater_is_better = True
    needs: Need = "value"
    multiclass = False

    def compute(self, truth: Values, prediction: Values) -> float:
        """One minus the ratio of the squared errors to the squared deviations from the mean."""
        if not _varies(truth):
            return math.nan
        missed, varied = _squares(truth, prediction)
        return 1 - float(missed.sum() / varied.sum())

    def interval(self, truth: Values, prediction: Values, level: float) -> tuple[float, float] | None:
        """By the variance of the logarithm of 1 - R2; `None` if the truth does not vary."""
        if not _varies(truth):
            return None
        missed, varied = _squares(truth, prediction)
        if not missed.any():
            return 1.0, 1.0
        terms = missed / missed.sum() - varied / varied.sum()
        ratio = float(missed.sum() / varied.sum())
        factor = math.exp(min(700.0, intervals.quantile(level) * math.sqrt(float((terms**2).sum()))))
        return 1 - ratio * factor, 1 - ratio / factor


def _squares(truth: Values, prediction: Values) -> tuple[Values, Values]:
    return (truth - prediction) ** 2, (truth - truth.mean()) ** 2


def _varies(truth: Values) -> bool:
    # Asked of the values: the squares of a constant column need not be zero, as its mean is rounded.
    return bool(len(truth)) and bool((truth != truth[0]).any())


plugin: Metric = R2()
