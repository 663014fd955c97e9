"""A classifier with a threshold for each group: what scikit-learn makes of it is an estimator like others."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class GroupThresholdClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Says what another classifier says, bent so that each group's threshold comes to lie at 1/2.

    Within a group the order of the probabilities is kept, so its ROC curve is too; a group that is not known keeps 1/2.

    Args:
        estimator: The fitted classifier of two classes.
        column: Input that holds the group.
        thresholds: Threshold by group.
    """

    def __init__(self, estimator: Any, column: str, thresholds: dict[str, float]) -> None:
        self.estimator = estimator
        self.column = column
        self.thresholds = thresholds

    @property
    def classes_(self) -> Any:
        """Those of the classifier."""
        return self.estimator.classes_

    @property
    def feature_names_in_(self) -> Any:
        """The columns of the classifier, and that of the group."""
        names = list(self.estimator.feature_names_in_)
        return np.array([*names, *([] if self.column in names else [self.column])], dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, rows: Any) -> Any:
        """The bent probabilities, shape (n, 2)."""
        known = rows[list(self.estimator.feature_names_in_)]
        said = self.estimator.predict_proba(known)[:, 1]
        limits = np.array([self.thresholds.get(str(group), 0.5) for group in rows[self.column].tolist()])
        low, high = np.maximum(limits, 1e-9), np.maximum(1 - limits, 1e-9)
        bent = np.where(said < limits, 0.5 * said / low, 0.5 + 0.5 * np.minimum(1.0, (said - limits) / high))
        return np.stack([1 - bent, bent], axis=1)

    def predict(self, rows: Any) -> Any:
        """The class of each row."""
        return self.classes_[(self.predict_proba(rows)[:, 1] >= 0.5).astype(int)]
