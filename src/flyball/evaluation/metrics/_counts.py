from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values


def hits_actual_predicted(truth: Values, prediction: Values) -> tuple[Values, Values, Values]:
    """Rows of each class that were found, that there are, that were predicted; of class 1 alone if there are two."""
    import numpy as np

    if prediction.ndim == 1:
        return np.array([hits_of(truth, prediction)]), np.array([truth.sum()]), np.array([prediction.sum()])
    classes = prediction.shape[1]
    numbers = truth.astype(np.intp)
    found = prediction[np.arange(len(truth)), numbers]
    hits = np.bincount(numbers, weights=found, minlength=classes).astype(np.float64)
    actual = np.bincount(numbers, minlength=classes).astype(np.float64)
    predicted: Values = prediction.sum(axis=0)
    return hits, actual, predicted


def hits_of(truth: Values, prediction: Values) -> float:
    """How many rows of class 1 were called so."""
    # Not `@`: for one product the threads of BLAS burn a hundred times what they save.
    return float((truth * prediction).sum())


def share(part: float, whole: float) -> float:
    """A part of a whole; NaN of an empty whole."""
    return float(part / whole) if whole else math.nan
