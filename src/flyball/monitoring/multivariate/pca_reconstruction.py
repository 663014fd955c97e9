"""PCA reconstruction: whether rows still lie in the plane that the reference's rows lie in.

    error(x) = || x - V V' x ||

V: the principal components that hold 65 % of the reference's variance. Its distance is the change of the mean error, in
standard deviations of the reference's errors. It sees that columns no longer go together, not that they all move along.

Source: Jolliffe, Principal Component Analysis, 2002; as a monitor: NannyML's data reconstruction.
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

_VARIANCE = 0.65


class PcaReconstruction:
    """The change of the mean reconstruction error."""

    threshold = 0.2

    def fit(self, matrix: Floats, features: Sequence[str]) -> dict[str, Any] | None:
        """Mean and components."""
        import numpy as np

        if matrix.shape[1] < 3 or len(matrix) < 20:
            return None
        mean = matrix.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(matrix - mean, rowvar=False))
        shares = np.cumsum(values[::-1].clip(min=0)) / max(values.clip(min=0).sum(), 1e-300)
        count = min(int(np.searchsorted(shares, _VARIANCE)) + 1, matrix.shape[1] - 1)
        components = vectors[:, ::-1][:, :count]
        return {"mean": mean.tolist(), "components": components.T.tolist()}

    def summarise(self, state: dict[str, Any], matrix: Floats) -> Summary:
        """Sum of the errors and of their squares."""
        import numpy as np

        if not len(matrix):
            return Summary(n=0, values=(0.0, 0.0))
        components = np.array(state["components"])
        centred = matrix - np.array(state["mean"])
        left = centred - (centred @ components.T) @ components
        errors = np.sqrt((left**2).sum(axis=1))
        return Summary(n=len(matrix), values=(float(errors.sum()), float((errors**2).sum())))

    def compare(self, state: dict[str, Any], reference: Summary, current: Summary) -> Comparison:
        """A z-test of the mean error."""
        before, after = reference.values[0] / reference.n, current.values[0] / current.n
        spread = math.sqrt(max(reference.values[1] / reference.n - before**2, 1e-12))
        own = math.sqrt(max(current.values[1] / current.n - after**2, 1e-12))
        error = math.sqrt(spread**2 / reference.n + max(spread, own) ** 2 / current.n)
        z = (after - before) / error
        distance = math.sqrt(max(0.0, (after - before) ** 2 - error**2)) / spread
        return Comparison(
            distance=distance,
            statistic=z * z,
            degrees=1,
            overall=(z * z, 1.0),
            cause=f"reconstruction error {before:.3f} -> {after:.3f}",
        )


plugin: MultivariateMetric = PcaReconstruction()
