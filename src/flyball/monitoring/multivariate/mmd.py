"""Maximum mean discrepancy: the distance of two samples' mean embeddings under a Gaussian kernel.

    MMD^2 = || mean phi(x) - mean phi(y) ||^2,    phi(x) = sqrt(2/D) cos(W x + b),   W ~ N(0, 1/s^2),   b ~ U(0, 2 pi)

D random features stand for the kernel, so a sample is summed up by D sums, whatever its rows; s is the median distance of
two rows. Without a change MMD^2 is about a weighted sum of chi-squares, whose first two moments come from the covariance of
phi. The distance is the square root of what is left of MMD^2 over the trace of that covariance: 0 for equal samples.

Source: Gretton et al., A Kernel Two-Sample Test, JMLR 13, 2012; random features: Rahimi and Recht, NIPS 2007; the two moments:
Satterthwaite, Biometrics Bull. 2, 1946.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flyball.monitoring.multivariate.base import Comparison, MultivariateMetric, Summary

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_FEATURES = 256
_MEDIAN_ROWS = 500
_COVARIANCE_ROWS = 4_000
_BLOCK = 4_096


class Mmd:
    """The distance of the mean embeddings."""

    threshold = 0.1

    def fit(self, matrix: Floats, features: Sequence[str]) -> dict[str, Any] | None:
        """The width of the kernel, and how the embedding varies."""
        import numpy as np

        if len(matrix) < 20 or not matrix.shape[1]:
            return None
        some = matrix[np.random.default_rng(0).permutation(len(matrix))[:_MEDIAN_ROWS]]
        squares = ((some[:, None, :] - some[None, :, :]) ** 2).sum(axis=2)
        width = math.sqrt(float(np.median(squares[np.triu_indices(len(some), 1)]))) or 1.0
        state = {"width": width, "size": matrix.shape[1]}
        embedded = _embedded(state, matrix[:_COVARIANCE_ROWS])
        covariance = np.cov(embedded, rowvar=False)
        return {**state, "trace": float(np.trace(covariance)), "squared": float((covariance**2).sum())}

    def summarise(self, state: dict[str, Any], matrix: Floats) -> Summary:
        """Sums of the embeddings."""
        import numpy as np

        total = np.zeros(_FEATURES)
        for start in range(0, len(matrix), _BLOCK):
            total += _embedded(state, matrix[start : start + _BLOCK]).sum(axis=0)
        return Summary(n=len(matrix), values=tuple(total.tolist()))

    def compare(self, state: dict[str, Any], reference: Summary, current: Summary) -> Comparison:
        """A test of the squared distance by its first two moments."""
        import numpy as np

        gap = np.array(current.values) / current.n - np.array(reference.values) / reference.n
        squared = float(gap @ gap)
        noise = 1 / reference.n + 1 / current.n
        degrees = state["trace"] ** 2 / state["squared"]
        statistic = squared / (noise * state["squared"] / state["trace"])
        distance = math.sqrt(max(0.0, squared - noise * state["trace"]) / state["trace"])
        return Comparison(
            distance=distance,
            statistic=statistic,
            degrees=degrees,
            overall=(statistic, degrees),
            cause=f"rows as a whole lie {distance:.2f} apart",
        )


def _embedded(state: dict[str, Any], matrix: Floats) -> Floats:
    import numpy as np

    random = np.random.default_rng(0)
    directions = random.standard_normal((state["size"], _FEATURES)) / state["width"]
    phases = random.uniform(0, 2 * math.pi, _FEATURES)
    found: Floats = math.sqrt(2 / _FEATURES) * np.cos(matrix @ directions + phases)
    return found


plugin: MultivariateMetric = Mmd()
