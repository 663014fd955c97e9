"""Recall: the share of the rows of class 1 that were called so, between 0 and 1.

    R = TP / (TP + FN)

How much of what matters is found. No unit. Undefined (NaN) without a row of class 1. Interval: Wilson's.

Source: van Rijsbergen, Information Retrieval, 1979, chapter 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.evaluation import intervals
from flyball.evaluation.metrics._counts import hits_of, share
from flyball.evaluation.metrics.base import Metric, Need, Task

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values


class Recall:
    """Share of the positives that are found."""

    kind: Task = "classification"
    greater_is_better = True
    needs: Need = "label"
    multiclass = False

    def compute(self, truth: Values, prediction: Values) -> float:
        """The share of true positives among all positives."""
        return share(hits_of(truth, prediction), float(truth.sum()))

    def interval(self, truth: Values, prediction: Values, level: float) -> tuple[float, float] | None:
        """Wilson's interval of the share; `None` without a positive."""
        positives = float(truth.sum())
        return intervals.wilson(hits_of(truth, prediction), positives, level) if positives else None


plugin: Metric = Recall()
