"""Correlation: whether two columns still go together as they did. Its distance is the largest change of a correlation.

    z_ij = (atanh r'_ij - atanh r_ij) / sqrt(1/(n - 3) + 1/(m - 3))

Over the columns' normal scores, so that a monotone change of a column alone leaves it as it is; the largest z of all pairs
counts, corrected for their number. Pairs of one column's own categories are left out.

Source: Fisher, Biometrika 10, 1915; normal scores: van der Waerden, 1952.
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

_MOST_FEATURES = 64
_LEAST_EXPECTED = 10


class Correlation:
    """The largest change of a correlation between two features."""

    threshold = 0.15

    def fit(self, matrix: Floats, features: Sequence[str]) -> dict[str, Any] | None:
        """The pairs that are looked at."""
        import numpy as np

        if not 2 <= matrix.shape[1] <= _MOST_FEATURES or len(matrix) < 10:
            return None
        columns = [name.split("=")[0] for name in features]
        # The share of rows that a category's feature is there in; numbers are in all.
        shares = [1.0 if len(np.unique(part)) > 2 else float(np.mean(part > 0)) for part in matrix.T]
        pairs = [(i, j) for i in range(len(features)) for j in range(i + 1, len(features)) if columns[i] != columns[j]]
        return {"features": list(features), "pairs": pairs, "shares": shares} if pairs else None

    def summarise(self, state: dict[str, Any], matrix: Floats) -> Summary:
        """Sums of the features and of their products."""
        import numpy as np

        size = len(state["features"])
        products = (matrix.T @ matrix)[np.triu_indices(size)] if len(matrix) else np.zeros(size * (size + 1) // 2)
        sums = matrix.sum(axis=0) if len(matrix) else np.zeros(size)
        return Summary(n=len(matrix), values=(*sums.tolist(), *products.tolist()))

    def compare(self, state: dict[str, Any], reference: Summary, current: Summary) -> Comparison:
        """The pair that has changed most, beyond chance."""
        import numpy as np

        size = len(state["features"])
        before, after = _correlations(reference, size), _correlations(current, size)
        rows, columns = np.array(state["pairs"]).T
        was, now = before[rows, columns], after[rows, columns]
        # Of categories so rare that a handful of rows decide, a correlation would cry wolf.
        shares = np.array(state["shares"])
        enough = min(current.n, reference.n) * shares[rows] * shares[columns] >= _LEAST_EXPECTED
        known = np.isfinite(was) & np.isfinite(now) & enough
        if not known.any():
            return Comparison(distance=0.0, statistic=0.0, degrees=1, overall=(0.0, 1.0))
        error = math.sqrt(1 / max(1, reference.n - 3) + 1 / max(1, current.n - 3))
        z = np.where(known, (np.arctanh(_kept(now)) - np.arctanh(_kept(was))) / error, 0.0)
        worst = int(np.argmax(np.abs(z)))
        names = state["features"][rows[worst]], state["features"][columns[worst]]
        chance = error * (1 - float(was[worst]) ** 2)
        gap = abs(float(now[worst] - was[worst]))
        return Comparison(
            distance=math.sqrt(max(0.0, gap**2 - chance**2)),
            statistic=float(z[worst] ** 2),
            degrees=1,
            overall=(float((z**2).sum()), float(known.sum())),
            tests=int(known.sum()),
            cause=f"correlation of {names[0]} and {names[1]} {was[worst]:.2f} -> {now[worst]:.2f}",
            columns=names,
        )


def _correlations(summary: Summary, size: int) -> Floats:
    import numpy as np

    values = np.array(summary.values)
    means = values[:size] / summary.n
    products = np.zeros((size, size))
    products[np.triu_indices(size)] = values[size:] / summary.n
    covariance = products - np.outer(means, means)
    spread = np.sqrt(np.diag(covariance).clip(min=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = covariance / np.outer(spread, spread)
    found[~np.isfinite(found)] = np.nan
    return found


def _kept(values: Floats) -> Floats:
    import numpy as np

    kept: Floats = np.clip(np.nan_to_num(values), -0.999, 0.999)
    return kept


plugin: MultivariateMetric = Correlation()
