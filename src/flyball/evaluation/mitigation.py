"""Making a model fairer: weights for the rows it learns from, or a threshold for each group of what it says.

    reweighing    w(a, y) = P(A = a) P(Y = y) / P(A = a, Y = y)

With these weights group and label are independent in what the model learns from.

Source: Kamiran and Calders, Knowl. Inf. Syst. 33, 2012; thresholds by group: Hardt, Price and Srebro, NIPS 2016, as found by
Fairlearn's ThresholdOptimizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from flyball.errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

Constraint = Literal["demographic_parity", "equal_opportunity"]
_CONSTRAINTS = {"demographic_parity": "demographic_parity", "equal_opportunity": "true_positive_rate_parity"}


def reweighing(values: Sequence[object], labels: Sequence[object]) -> Floats:
    """The weight of each row, mean 1, that makes group and label independent.

    Args:
        values: The group of each row.
        labels: Its label.

    Raises:
        InvalidInput: there are no rows, or not as many of both.
    """
    import numpy as np

    if not len(values) or len(values) != len(labels):
        raise InvalidInput(
            f"There are {len(values):,} groups and {len(labels):,} labels.", hint="Give one of each a row."
        )
    group, label = _codes(values), _codes(labels)
    n = len(group)
    both = group * (int(label.max()) + 1) + label
    shares = [np.bincount(codes) / n for codes in (group, label, both)]
    found: Floats = shares[0][group] * shares[1][label] / shares[2][both]
    return found


def group_thresholds(
    scores: npt.ArrayLike,
    truth: npt.ArrayLike,
    values: Sequence[object],
    *,
    constraint: Constraint = "demographic_parity",
) -> dict[str, float]:
    """A threshold for each group, so that groups are treated alike at the least cost of accuracy.

    Fairlearn's optimum draws lots between two thresholds; here each group has the one threshold that selects as many of it
    (of its truly positive rows for `equal_opportunity`) as that draw would on average, so that a prediction is no lottery.

    Raises:
        InvalidInput: there is no such constraint, or a group has rows of one class only.
        MissingExtra: Fairlearn is not installed.
    """
    import numpy as np

    if constraint not in _CONSTRAINTS:
        raise InvalidInput(f"There is no constraint '{constraint}'.", hint=f"Use one of: {', '.join(_CONSTRAINTS)}.")
    try:
        from fairlearn.postprocessing import ThresholdOptimizer
        from sklearn.base import BaseEstimator, ClassifierMixin
    except ImportError as error:
        raise MissingExtra("Thresholds by group need Fairlearn.", hint="pip install 'flyball[fairness]'") from error

    class Told(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        """Says the scores that it is given."""

        def fit(self, rows: Any, labels: Any) -> Any:
            self.classes_ = np.array([0, 1])
            return self

        def predict_proba(self, rows: Any) -> Any:
            said = np.asarray(rows)[:, 0]
            return np.stack([1 - said, said], axis=1)

        def predict(self, rows: Any) -> Any:
            return (np.asarray(rows)[:, 0] >= 0.5).astype(int)

    said, known = np.asarray(scores, dtype=np.float64), np.asarray(truth, dtype=np.int64)
    texts = np.array([str(value) for value in values])
    optimiser = ThresholdOptimizer(
        estimator=Told().fit(None, None),
        constraints=_CONSTRAINTS[constraint],
        prefit=True,
        predict_method="predict_proba",
    )
    try:
        optimiser.fit(said[:, None], known, sensitive_features=texts)
    except ValueError as error:
        raise InvalidInput(
            f"No thresholds can be found: {error}.", hint="Every group needs rows of both classes."
        ) from error
    rules = optimiser.interpolated_thresholder_.interpolation_dict
    found = {}
    for group, rule in rules.items():
        rows = texts == str(group)
        counted = rows & (known == 1) if constraint == "equal_opportunity" else rows
        found[str(group)] = _threshold(said[counted], rule)
    return found


def _threshold(said: Floats, rule: Any) -> float:
    """The threshold that selects as many as the draw between two does on average."""
    import numpy as np

    chosen = rule["p0"] * rule["operation0"](said) + rule["p1"] * rule["operation1"](said)
    if "p_ignore" in rule:
        chosen = rule["p_ignore"] * rule["prediction_constant"] + (1 - rule["p_ignore"]) * chosen
    count = round(float(np.sum(chosen)))
    ordered = np.sort(said)[::-1]
    if count <= 0:
        return float(np.nextafter(ordered[0], 2.0))
    if count >= len(ordered):
        return float(ordered[-1])
    return float((ordered[count - 1] + ordered[count]) / 2)


def _codes(values: Sequence[object]) -> npt.NDArray[np.int64]:
    import numpy as np

    places: dict[object, int] = {}
    return np.array([places.setdefault(value, len(places)) for value in values], dtype=np.int64)
