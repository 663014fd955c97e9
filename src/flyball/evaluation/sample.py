"""Truth and prediction of the same rows, checked, in the form that metrics take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.errors import InvalidInput, did_you_mean
from flyball.evaluation.metrics.base import Metric, Task

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from flyball.evaluation.metrics.base import Values

_TASKS: tuple[Task, ...] = ("classification", "regression")
# With so few rows, two distinct values may well be numbers.
_FEW_ROWS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows with their truth and what a model said of them.

    Attributes:
        truth: 0 or 1, the number of the class, or a value.
        prediction: Probability of class 1, or a value; with more than two classes a matrix with a column per class.
        rows: The inputs; None where they are not at hand.
    """

    task: Task
    truth: Values
    prediction: Values
    rows: pa.Table | None = None

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.truth)

    @property
    def is_multiclass(self) -> bool:
        """Whether there are more than two classes."""
        return self.prediction.ndim > 1

    def at(self, rows: npt.NDArray[np.intp]) -> Sample:
        """The rows at these places."""
        inputs = None
        if self.rows is not None:
            import pyarrow as pa

            inputs = self.rows.take(pa.array(rows))
        return Sample(task=self.task, truth=self.truth[rows], prediction=self.prediction[rows], rows=inputs)

    def predicted_for(self, metric: Metric, *, threshold: float) -> Values:
        """What the metric needs to be given."""
        import numpy as np

        if metric.needs != "label":
            return self.prediction
        if not self.is_multiclass:
            return (self.prediction >= threshold).astype(np.float64)
        one_hot = np.zeros_like(self.prediction)
        one_hot[np.arange(self.n), self.prediction.argmax(axis=1)] = 1
        return one_hot


def read_sample(
    truth: npt.ArrayLike, prediction: npt.ArrayLike, *, task: Task | None = None, rows: pa.Table | None = None
) -> Sample:
    """Truth and prediction as numbers.

    Args:
        truth: Booleans, 0 and 1, numbers of classes (beside a matrix), or values.
        prediction: Probabilities of class 1, an (n, k) matrix of probabilities, or values.
        task: Told from the truth by default: booleans, or nothing but 0 and 1, are classes.
        rows: The inputs, for metrics of one's own.

    Raises:
        InvalidInput: they cannot be compared; the hint says what to mend.
    """
    if task is not None and task not in _TASKS:
        raise InvalidInput(f"There is no task '{task}'.", hint=did_you_mean(task, _TASKS))
    known, said = _numbers(truth, "truth"), _numbers(prediction, "prediction")
    _check_shapes(known, said)
    if said.ndim == 2 and said.shape[1] <= 2:
        said = said[:, -1]
    task = task or _told(known, said)
    if task == "classification":
        _check_classes(known, said)
    elif said.ndim > 1:
        raise InvalidInput(
            f"A prediction of regression is one number a row; here it has {said.shape[1]}.",
            hint="Score each output by itself.",
        )
    return Sample(task=task, truth=known, prediction=said, rows=rows)


def _numbers(given: npt.ArrayLike, name: str) -> Values:
    import numpy as np

    try:
        found = np.asarray(given)
        missing = _count_missing(found)
        if not missing and found.dtype.kind == "O":
            # Rows that are lists themselves, as tables hold the probabilities of many classes, become a matrix.
            found = np.array(found.tolist())
    except ValueError as error:
        raise InvalidInput(f"The {name} has rows of different lengths.", hint="Give one number a row.") from error
    if missing:
        raise InvalidInput(
            f"The {name} is missing in {missing:,} of {len(found):,} rows.",
            hint="Leave out rows whose label is not known yet." if name == "truth" else "Predict every row.",
        )
    if found.dtype.kind not in "biuf":
        raise InvalidInput(
            f"The {name} holds {found.dtype.name}, not numbers.", hint="Turn labels into true and false, or 0 and 1."
        )
    if not np.isfinite(found).all():
        raise InvalidInput(f"The {name} holds infinite values.", hint="Leave out those rows, or clip them.")
    return found.astype(np.float64)


def _count_missing(found: npt.NDArray[np.generic]) -> int:
    import numpy as np

    if found.dtype.kind == "f":
        return int(np.isnan(found).sum())
    if found.dtype.kind == "O":
        return sum(is_missing(value) for value in found.ravel().tolist())
    return 0


def is_missing(value: object) -> bool:
    """Whether a value stands for none: None, NaN, or the missing value of pandas."""
    return (
        value is None or (isinstance(value, float) and value != value) or type(value).__name__ in {"NAType", "NaTType"}
    )


def _check_shapes(truth: Values, prediction: Values) -> None:
    if truth.ndim != 1 or prediction.ndim not in {1, 2} or 0 in prediction.shape[1:]:
        raise InvalidInput(
            f"Truth of shape {truth.shape} and prediction of shape {prediction.shape} cannot be compared.",
            hint="Truth is one value a row; a prediction one value, or one probability for each class.",
        )
    if len(truth) != len(prediction):
        raise InvalidInput(
            f"There are {len(truth):,} rows of truth and {len(prediction):,} of predictions.",
            hint="Give both for the same rows, in the same order.",
        )
    if len(truth) == 0:
        raise InvalidInput("There are no rows to score.", hint="Give at least one row.")


def _told(truth: Values, prediction: Values) -> Task:
    import numpy as np

    if prediction.ndim > 1 or ((truth == 0) | (truth == 1)).all():
        return "classification"
    values = np.unique(truth)
    if len(values) == 2 and len(truth) > _FEW_ROWS:
        raise InvalidInput(
            f"The truth holds only {values[0]:g} and {values[1]:g}: classes or values?",
            hint="Turn classes into 0 and 1, or say task='regression'.",
        )
    return "regression"


def _check_classes(truth: Values, prediction: Values) -> None:
    classes = prediction.shape[1] if prediction.ndim > 1 else 2
    wrong = truth[(truth < 0) | (truth >= classes) | (truth % 1 != 0)]
    if len(wrong):
        raise InvalidInput(
            f"The truth of {classes} classes holds {wrong[0]:g}.",
            hint="Classes are 0 and 1, or numbers from 0 beside a matrix with a column for each.",
        )
    outside = prediction[(prediction < 0) | (prediction > 1)]
    if outside.size:
        raise InvalidInput(
            f"A probability is {outside[0]:g}, outside 0 to 1.",
            hint="Give probabilities (predict_proba), or say task='regression'.",
        )
    if prediction.ndim > 1 and (abs(prediction.sum(axis=1) - 1) > 1e-3).any():
        raise InvalidInput("The probabilities of a row do not add up to 1.", hint="Divide each row by its sum.")
