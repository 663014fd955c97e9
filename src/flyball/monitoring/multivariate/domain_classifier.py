"""Domain classifier: how well a booster tells the window's rows from the reference's. It needs scikit-learn.

    distance = 2 AUC - 1         AUC: of five folds' predictions, each of rows that were not learned from

0 if they cannot be told apart, 1 if always. Without a change the AUC is 1/2 with the variance (n + m + 1) / (12 n m) of
Mann and Whitney; only a larger one counts. At most 1,000 rows of each side are kept, so it is the slowest of these metrics.

Source: Lopez-Paz and Oquab, Revisiting Classifier Two-Sample Tests, ICLR 2017.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flyball.errors import MissingExtra
from flyball.monitoring.multivariate.base import Comparison, MultivariateMetric, Summary

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_MOST_ROWS = 1_000
_FOLDS = 5


class DomainClassifier:
    """How well the two samples can be told apart."""

    threshold = 0.2

    def fit(self, matrix: Floats, features: Sequence[str]) -> dict[str, Any] | None:
        """Names and number of the features."""
        return {"features": list(features)} if len(matrix) >= 10 * _FOLDS and matrix.shape[1] else None

    def summarise(self, state: dict[str, Any], matrix: Floats) -> Summary:
        """At most 1,000 of the rows, drawn evenly."""
        import numpy as np

        if len(matrix) > _MOST_ROWS:
            matrix = matrix[np.sort(np.random.default_rng(0).choice(len(matrix), _MOST_ROWS, replace=False))]
        return Summary(n=len(matrix), values=tuple(np.round(matrix, 6).ravel().tolist()), kind="rows")

    def compare(self, state: dict[str, Any], reference: Summary, current: Summary) -> Comparison:
        """The area under the ROC curve of rows that were not learned from."""
        import numpy as np

        size = len(state["features"])
        sides = [_drawn(np.array(side.values).reshape(-1, size)) for side in (reference, current)]
        rows = np.concatenate(sides)
        is_new = np.concatenate([np.zeros(len(sides[0])), np.ones(len(sides[1]))])
        n, m = len(sides[0]), len(sides[1])
        if min(n, m) < 2 * _FOLDS:
            return Comparison(distance=0.0, statistic=0.0, degrees=1, overall=(0.0, 1.0))
        area = _area(rows, is_new)
        # A fold's centre is that of the rows it was not given: by chance the pooled area lies a little below one half.
        z = max(0.0, (area - 0.5) / math.sqrt((n + m + 1) / (12 * n * m)))
        return Comparison(
            distance=max(0.0, 2 * area - 1),
            statistic=z * z,
            degrees=1,
            overall=(z * z, 1.0),
            cause=f"a classifier tells these rows from the reference's with an ROC AUC of {area:.2f}",
        )


def _drawn(rows: Floats) -> Floats:
    import numpy as np

    if len(rows) <= _MOST_ROWS:
        return rows
    kept: Floats = rows[np.sort(np.random.default_rng(0).choice(len(rows), _MOST_ROWS, replace=False))]
    return kept


def _area(rows: Floats, is_new: Floats) -> float:
    import numpy as np

    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.model_selection import StratifiedKFold
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingExtra(
            "The domain classifier needs scikit-learn.", hint="pip install 'flyball[sklearn]'"
        ) from error
    from flyball.evaluation.ranking import ranked_area

    scores = np.empty(len(rows))
    for learn, told in StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(rows, is_new):
        model = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=8, random_state=0, early_stopping=False)
        weights = np.where(
            is_new[learn] == 1, 1 / max(1.0, is_new[learn].sum()), 1 / max(1.0, (1 - is_new[learn]).sum())
        )
        # So few rows gain nothing by threads, which on a busy machine spin for a hundred times as long.
        with threadpool_limits(1):
            model.fit(rows[learn], is_new[learn], sample_weight=weights * len(learn) / 2)
            scores[told] = model.predict_proba(rows[told])[:, 1]
    return ranked_area(is_new, scores).area


plugin: MultivariateMetric = DomainClassifier()
