"""What each column is worth to a model: how much worse its predictions get when the column's values change places.

    worth of column c = mean over rows of (loss with c of another row - loss)
    loss: log loss of the truth for classes, absolute error for values
    interval = mean ± z s / sqrt(n), over the rows

It is measured on rows that the model has not learned from, so a column that was only learned by heart is worth nothing. Two
columns that say the same are worth little each, for the other one stands in; and rows that could not be may arise. Each round
of drawing moves every row's values somewhere else, in a cycle, so no row keeps its own.

Source: Breiman, Random forests, Mach. Learn. 45, 2001; of the loss: Fisher, Rudin and Dominici, J. Mach. Learn. Res. 20, 2019.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from flyball.errors import InvalidInput
from flyball.evaluation import intervals
from flyball.evaluation.sample import Sample, read_sample

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from flyball.evaluation.metrics.base import Values


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnImportance:
    """What a column is worth.

    Attributes:
        value: How much the mean loss grows when the column's values change places.
        low: Lower end of its interval. `high`: its upper end.
    """

    column: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """What the columns are worth to a model.

    Attributes:
        metric: The loss: `log_loss` in nats, or `mae` in the units of the predicted value.
        n: How many rows it was measured on.
        loss: The mean loss with all columns as they are.
        columns: The one that is worth most first.
    """

    metric: Literal["log_loss", "mae"]
    n: int
    loss: float
    columns: tuple[ColumnImportance, ...]


def permutation_importance(
    score: Callable[[pa.Table], npt.ArrayLike],
    rows: pa.Table,
    truth: npt.ArrayLike,
    *,
    repeats: int = 1,
    level: float = 0.95,
    seed: int = 0,
) -> Importance:
    """What each column of some rows is worth to a model.

    Args:
        score: The model's probabilities or values for a table, as in `evaluate`.
        rows: The held-out rows, with the columns that the model takes.
        truth: As in `evaluate`.
        repeats: How often the values of each column change places.
        level: Level of the intervals.
        seed: Of the draws.

    Raises:
        InvalidInput: truth and predictions cannot be compared, there are fewer than two rows, or a number is out of range.
    """
    import numpy as np

    if repeats < 1 or not 0 < level < 1 or seed < 0:
        raise InvalidInput("Importance needs repeats >= 1, a level between 0 and 1 and a seed >= 0.")
    if rows.num_rows < 2:
        raise InvalidInput("What columns are worth cannot be seen on fewer than two rows.", hint="Give more rows.")
    sample = read_sample(truth, score(rows))
    losses = _losses(sample, sample.prediction)
    random = np.random.default_rng(seed)
    moves = [_moved(random, rows.num_rows) for _ in range(repeats)]
    reach = intervals.quantile(level) / math.sqrt(len(losses))
    found = []
    for place, name in enumerate(rows.column_names):
        more = np.zeros(len(losses))
        for move in moves:
            changed = rows.set_column(place, rows.schema.field(place), rows.column(place).take(move))
            more += _losses(sample, read_sample(truth, score(changed), task=sample.task).prediction) - losses
        more /= repeats
        value, margin = float(more.mean()), reach * float(more.std(ddof=1))
        found.append(ColumnImportance(column=name, value=value, low=value - margin, high=value + margin))
    return Importance(
        metric="log_loss" if sample.task == "classification" else "mae",
        n=sample.n,
        loss=float(losses.mean()),
        columns=tuple(sorted(found, key=lambda one: -one.value)),
    )


def _moved(random: np.random.Generator, rows: int) -> npt.NDArray[np.intp]:
    """For each row another one, each once."""
    import numpy as np

    order = random.permutation(rows)
    found = np.empty(rows, dtype=np.intp)
    found[order] = np.roll(order, 1)
    return found


def _losses(sample: Sample, prediction: Values) -> Values:
    import numpy as np

    if sample.task == "regression":
        errors: Values = np.abs(prediction - sample.truth)
        return errors
    if prediction.ndim == 1:
        happened = np.where(sample.truth == 1, prediction, 1 - prediction)
    else:
        happened = prediction[np.arange(sample.n), sample.truth.astype(np.intp)]
    smallest = np.finfo(np.float64).eps
    losses: Values = -np.log(np.clip(happened, smallest, 1.0))
    return losses
