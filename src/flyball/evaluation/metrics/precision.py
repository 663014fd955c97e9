"""Precision: the share of class 1 among the rows that were called so, between 0 and 1.

    P = TP / (TP + FP)

How far one may trust an alarm. No unit. Undefined (NaN) if no row was called class 1. Interval: Wilson's.

Source: van Rijsbergen, Information Retrieval, 1979, chapter 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.evaluation import intervals
from flyball.evaluation.metrics._counts import hits_of, share
from flyball.evaluation.metrics.base import Metric, Need, Task

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values


class Precision:
    """Share of the called rows that are right."""

    kind: Task = "classification"
    greater_is_better = True
    needs: Need = "label"
    multiclass = False

    def compute(self, truth: Values, prediction: Values) -> float:
        """The share of true positives among the predicted ones."""
        return share(hits_of(truth, prediction), float(prediction.sum()))

    def interval(self, truth: Values, prediction: Values, level: float) -> tuple[float, float] | None:
        """Wilson's interval of the share; `None` if no row was called."""
        called = float(prediction.sum())
        return intervals.wilson(hits_of(truth, prediction), called, level) if called else None


plugin: Metric = Precision()
