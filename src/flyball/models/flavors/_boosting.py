"""Boosters of XGBoost and LightGBM as predictors: both give one number, or one for each class, a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flyball.models.flavors.base import Scores, answer_table, label_array
from flyball.models.frames import to_pandas
from flyball.models.signature import Label, Task

if TYPE_CHECKING:
    import pyarrow as pa


class BoosterPredictor:
    """A booster that predicts on Arrow tables.

    Args:
        booster: The booster itself, which explanations look into.
        columns: Names of its inputs.
        classes: Labels in the order of its probabilities; empty for a regressor, or where only it is known that it has two.
        ask: Gives what the booster says of a pandas frame: shape (rows,), or (rows, classes).
    """

    def __init__(
        self, booster: object, columns: Sequence[str], task: Task, classes: Sequence[Label], ask: Callable[[Any], Any]
    ) -> None:
        self.estimator = booster
        self.columns = tuple(columns)
        self.task: Task = task
        self.classes = tuple(classes)
        self._ask = ask

    def frame(self, table: pa.Table) -> Any:
        """The table as the booster takes it."""
        return to_pandas(table)

    def predict(self, table: pa.Table) -> pa.Table:
        """Predictions, and probabilities of a classifier."""
        import numpy as np

        said = np.asarray(self._ask(self.frame(table)), dtype=np.float64)
        if self.task != "classification":
            return answer_table(Scores(prediction=said))
        chances = said if said.ndim == 2 else np.column_stack([1 - said, said])
        names = label_array(self.classes or tuple(range(chances.shape[1])))
        return answer_table(Scores(prediction=names[chances.argmax(axis=1)], chances=chances))


def labels_of(model: object) -> tuple[Label, ...]:
    """The labels that a fitted classifier of scikit-learn's manners knows; empty if it is none."""
    found = getattr(model, "classes_", None)
    values: list[Any] = [] if found is None else [each.item() if hasattr(each, "item") else each for each in found]
    whole = all(isinstance(value, float) and value.is_integer() for value in values)
    return tuple(int(value) for value in values) if whole else tuple(values)


def write_labels(labels: Sequence[Label]) -> str:
    """Labels as text for the settings of a flavor; `read_labels` reads them."""
    return json.dumps(list(labels))


def read_labels(text: str) -> tuple[Label, ...]:
    """The labels of `write_labels`."""
    return tuple(json.loads(text or "[]"))
