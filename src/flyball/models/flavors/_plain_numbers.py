"""Estimators of scikit-learn that give the same for a matrix of numbers as for a frame with the names they learned."""

from __future__ import annotations

import copy
from typing import Any

# Each of them reads its rows by scikit-learn's own check, which makes one matrix of a frame of numbers and looks no further. What
# stands for columns by name (ColumnTransformer) or wraps another is not among them.
_LINEAR = (
    "ElasticNet",
    "Lasso",
    "LinearRegression",
    "LogisticRegression",
    "LogisticRegressionCV",
    "Ridge",
    "RidgeClassifier",
)
_TREES = ("DecisionTree", "ExtraTrees", "GradientBoosting", "HistGradientBoosting", "RandomForest")
_OTHERS = (
    "GaussianNB",
    "HuberRegressor",
    "LinearSVC",
    "LinearSVR",
    "PoissonRegressor",
    "SGDClassifier",
    "SGDRegressor",
    "SVC",
    "SVR",
)
_STEPS = ("MaxAbsScaler", "MinMaxScaler", "PCA", "PolynomialFeatures", "RobustScaler", "StandardScaler")
_KNOWN = frozenset(
    {*_LINEAR, *_OTHERS, *_STEPS, *(f"{name}{kind}" for name in _TREES for kind in ("Classifier", "Regressor"))}
)


def takes_plain_numbers(model: Any) -> bool:
    """Whether the fitted estimator can be asked by position; False where it is not known for sure."""
    kind = type(model)
    if not kind.__module__.startswith("sklearn."):
        return False
    if kind.__name__ == "Pipeline":
        return all(step == "passthrough" or takes_plain_numbers(step) for _, step in model.steps) and not _gives_frames(
            model
        )
    # Columns that were named as categories are coded before the trees see them.
    return kind.__name__ in _KNOWN and getattr(model, "is_categorical_", None) is None and not _gives_frames(model)


def without_names(model: Any) -> Any:
    """A shallow copy that does not know the names of its columns, so that it does not warn that there are none."""
    bare = copy.copy(model)
    if type(model).__name__ == "Pipeline":
        bare.steps = [(name, step if step == "passthrough" else without_names(step)) for name, step in model.steps]
    elif "feature_names_in_" in vars(bare):
        del bare.feature_names_in_
    return bare


def _gives_frames(model: Any) -> bool:
    # `set_output(transform="pandas")` gives the next step names that it would miss.
    return bool(getattr(model, "_sklearn_output_config", None))
