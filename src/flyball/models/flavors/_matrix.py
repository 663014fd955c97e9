"""Networks as predictors: they take all columns as one matrix of 32-bit floats, and give a number or one for each class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput
from flyball.models.flavors.base import Scores, answer_table, label_array
from flyball.models.signature import Label, Task

if TYPE_CHECKING:
    import pyarrow as pa


class MatrixPredictor:
    """A function of a matrix that predicts on Arrow tables.

    Args:
        ask: Gives what the network says of a matrix, shape (rows, columns): shape (rows,) or (rows, outputs).
        columns: Names of its inputs, in their order; those of the table if it knows none.
        classes: Labels in the order of its outputs; empty for values. With one output, that of the last of two classes.
        squash: What makes probabilities of outputs: `softmax`, `sigmoid`, or empty where they are such already.
    """

    def __init__(
        self,
        ask: Callable[[Any], Any],
        *,
        columns: Sequence[str] = (),
        classes: Sequence[Label] = (),
        squash: str = "",
    ) -> None:
        self._ask = ask
        self._squash = squash
        self.columns = tuple(columns)
        self.classes = tuple(classes)
        self.task: Task = "classification" if self.classes else "regression"

    def predict(self, table: pa.Table) -> pa.Table:
        """Predictions, and probabilities of a classifier."""
        import numpy as np

        said = np.asarray(self._ask(_matrix(table)), dtype=np.float64)
        said = said[:, 0] if said.ndim == 2 and said.shape[1] == 1 else said
        if not self.classes:
            if said.ndim != 1:
                raise InvalidInput(
                    f"The network gives {said.shape[1]} numbers a row, and it is not said what they are.",
                    hint="Name the classes: model.classes = ['no', 'yes'].",
                )
            return answer_table(Scores(prediction=said))
        chances = _squashed(said, self._squash)
        if chances.ndim == 1:
            chances = np.column_stack([1 - chances, chances])
        if chances.shape[1] != len(self.classes):
            raise InvalidInput(f"The network gives {chances.shape[1]} chances for {len(self.classes)} classes.")
        return answer_table(Scores(prediction=label_array(self.classes)[chances.argmax(axis=1)], chances=chances))


def _matrix(table: pa.Table) -> Any:
    import numpy as np
    import pyarrow.types as t

    for name, column in zip(table.column_names, table.columns, strict=True):
        if not (t.is_floating(column.type) or t.is_integer(column.type) or t.is_boolean(column.type)):
            raise InvalidInput(
                f"Column '{name}' is {column.type}, and the network takes numbers.",
                hint="Give it numbers, or let it have a `predict` that takes the table.",
            )
    columns = [column.cast("float32", safe=False).to_numpy(zero_copy_only=False) for column in table.columns]
    return np.ascontiguousarray(np.column_stack(columns), dtype=np.float32)


def _squashed(said: Any, how: str) -> Any:
    import numpy as np

    if how == "softmax" and said.ndim == 2:
        grown = np.exp(said - said.max(axis=1, keepdims=True))
        return grown / grown.sum(axis=1, keepdims=True)
    if how in ("softmax", "sigmoid"):
        return 1 / (1 + np.exp(-said))
    return said
