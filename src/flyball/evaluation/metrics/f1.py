"""F1: the harmonic mean of precision and recall, between 0 and 1.

    F1 = 2 P R / (P + R) = 2 TP / (2 TP + FP + FN)

Good only if both are; true negatives do not count. No unit. With more than two classes: of each class, and the plain
mean over those that occur in truth or prediction (macro). Undefined (NaN) if class 1 occurs in neither. Interval: F1
rises with J = TP / (TP + FP + FN), a proportion, so Wilson's interval of J is carried over by F1 = 2 J / (1 + J);
bootstrapped for more than two classes.

Source: van Rijsbergen, Information Retrieval, 1979, chapter 7; macro: Sokolova and Lapalme, Inf. Process. Manag. 45,
2009.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flyball.evaluation import intervals
from flyball.evaluation.metrics._counts import hits_actual_predicted
from flyball.evaluation.metrics.base import Metric, Need, Task

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values


class F1:
    """Harmonic mean of precision and recall."""

    kind: Task = "classification"
    greater_is_better = True
    needs: Need = "label"
    multiclass = True

    def compute(self, truth: Values, prediction: Values) -> float:
        """F1 of class 1, or the mean of all classes."""
        hits, actual, predicted = hits_actual_predicted(truth, prediction)
        occurring = actual + predicted > 0
        if not occurring.any():
            return math.nan
        return float((2 * hits[occurring] / (actual + predicted)[occurring]).mean())

    def interval(self, truth: Values, prediction: Values, level: float) -> tuple[float, float] | None:
        """Wilson's interval of J, carried over; `None` where class 1 does not occur, or with more than two classes."""
        hits, actual, predicted = hits_actual_predicted(truth, prediction)
        either = float((actual + predicted - hits)[0])
        if prediction.ndim > 1 or either == 0:
            return None
        low, high = intervals.wilson(float(hits[0]), either, level)
        return 2 * low / (1 + low), 2 * high / (1 + high)


plugin: Metric = F1()
