"""Expected calibration error: how far predicted probabilities lie from observed shares, on average, between 0 and 1.

    ECE = sum_b n_b/n * | mean y in b - mean p in b |     over 15 bins of equal width on [0, 1]

Zero if of the rows with probability 0.3 three in ten are of class 1, and so on. Says nothing about order: always
predicting the base rate scores zero. Chance alone lifts it by about 1/sqrt(n_b) in each bin, so compare only samples
of like size. No unit. Interval: the bins' differences drawn again from normal distributions of their own variance.

Source: Naeini, Cooper and Hauskrecht, AAAI 2015; Guo, Pleiss, Sun and Weinberger, ICML 2017.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flyball.evaluation.metrics.base import Metric, Need, Task

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from flyball.evaluation.metrics.base import Values

_BINS = 15
_REPLICATES = 2_000


class ExpectedCalibrationError:
    """Mean distance of confidence from frequency."""

    kind: Task = "classification"
    greater_is_better = False
    needs: Need = "score"
    multiclass = False

    def compute(self, truth: Values, prediction: Values) -> float:
        """The error over 15 bins; NaN without rows."""
        import numpy as np

        if not len(truth):
            return math.nan
        gaps = np.bincount(_bins(prediction), weights=truth - prediction, minlength=_BINS)
        return float(np.abs(gaps).sum()) / len(truth)

    def interval(self, truth: Values, prediction: Values, level: float) -> tuple[float, float] | None:
        """From the bins' differences drawn again, centred on the value."""
        import numpy as np

        if len(truth) < 2:
            return None
        bins, gap = _bins(prediction), truth - prediction
        gaps = np.bincount(bins, weights=gap, minlength=_BINS)
        errors = np.sqrt(np.bincount(bins, weights=gap**2, minlength=_BINS))
        drawn = gaps + errors * np.random.default_rng(0).standard_normal((_REPLICATES, _BINS))
        found = np.abs(drawn).sum(axis=1) / len(truth)
        value = float(np.abs(gaps).sum()) / len(truth)
        low, high = value + np.quantile(found - found.mean(), [(1 - level) / 2, (1 + level) / 2])
        return max(0.0, float(low)), min(1.0, float(high))


def _bins(probability: Values) -> npt.NDArray[np.intp]:
    import numpy as np

    return np.minimum((probability * _BINS).astype(np.intp), _BINS - 1)


plugin: Metric = ExpectedCalibrationError()
