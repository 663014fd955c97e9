"""Performance of a regression estimated before the truth is known, by a model of its errors.

On held-out rows a booster learns from the inputs and the prediction how wrong the model was; on new rows it says how wrong it
probably is. It sees what a change of the inputs does, and not a change of what they mean. The rows are cut into folds, and
one booster is grown without each: every row's error is also told by one that has not seen it, so that the leftover bias is
known and taken off, and how much the boosters differ is how uncertain they are.

    E[loss of the window] = mean over rows and boosters of g_k(x, prediction) + bias
    se^2 = var(loss - told) / n + var over k of the boosters' means + se(bias)^2

Source: NannyML, Direct Loss Estimation, 2022; Guillory et al., Predicting with Confidence on Unseen Distributions, ICCV 2021.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.errors import InvalidInput, did_you_mean
from flyball.evaluation.intervals import quantile
from flyball.evaluation.scores import MetricValue
from flyball.monitoring import joint
from flyball.monitoring.boosting import Booster, grow, tell
from flyball.monitoring.multivariate.base import Encoding

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]

USUAL = ("mae", "rmse")
"""The metrics of regression that can be estimated."""

LEAST_ROWS = 200
_MOST_ROWS = 20_000
_FOLDS = 5
_PREDICTION = "prediction"


@dataclass(frozen=True, slots=True, kw_only=True)
class LossModel:
    """What was learned of a regression's errors.

    Attributes:
        metric: `mae` or `rmse`; of the latter the mean square is modelled.
        scale: The unit of the losses in the boosters.
        bias: What the boosters tell too little on rows that they have not seen; `bias_error`: how uncertain that is.
        spread: Standard deviation of a row's loss around what is told.
    """

    metric: str
    boosters: tuple[Booster, ...]
    scale: float
    bias: float
    bias_error: float
    spread: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LossModels:
    """Models of the errors of one regression, with how its inputs become numbers."""

    encodings: tuple[Encoding, ...]
    models: tuple[LossModel, ...]


def fit_losses(
    inputs: pa.Table, prediction: npt.ArrayLike, truth: npt.ArrayLike, *, metrics: Sequence[str] = USUAL
) -> LossModels:
    """Learns how wrong predictions are, from rows that the model itself has not learned from.

    Raises:
        InvalidInput: there are fewer than 200 rows, not as many of each, or a metric that cannot be estimated.
    """
    import numpy as np
    import pyarrow as pa

    said, known = np.asarray(prediction, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    for name in metrics:
        if name not in USUAL:
            raise InvalidInput(
                f"The metric '{name}' of a regression cannot be estimated.", hint=did_you_mean(name, USUAL)
            )
    if not len(said) == len(known) == inputs.num_rows >= LEAST_ROWS or said.ndim != 1:
        raise InvalidInput(
            f"Learning errors needs inputs, predictions and truth of at least {LEAST_ROWS} rows; there are "
            f"{inputs.num_rows}, {len(said)} and {len(known)}."
        )
    order = np.random.default_rng(0).permutation(len(said))[:_MOST_ROWS]
    table = with_prediction(inputs, said).take(pa.array(order))
    encodings = joint.encodings_of(table)
    matrix = joint.encode(encodings, table)
    errors = np.abs(said - known)[order]
    models = tuple(_fit(name, matrix, errors if name == "mae" else errors**2) for name in metrics)
    return LossModels(encodings=encodings, models=models)


def estimate_losses(
    losses: LossModels, inputs: pa.Table, prediction: npt.ArrayLike, *, level: float = 0.95, metrics: Sequence[str] = ()
) -> tuple[MetricValue, ...]:
    """The metrics that the truth of these rows will probably show, each with its interval."""
    import numpy as np

    said = np.asarray(prediction, dtype=np.float64)
    if not len(said):
        return ()
    matrix = joint.encode(losses.encodings, joint.with_columns(with_prediction(inputs, said), losses.encodings))
    wanted = [model for model in losses.models if not metrics or model.metric in metrics]
    return tuple(_estimated(model, matrix, level) for model in wanted)


def with_prediction(inputs: pa.Table, prediction: Floats) -> pa.Table:
    """The inputs and the prediction, which tells by itself much of how wrong it may be."""
    import pyarrow as pa

    kept = inputs.drop_columns([_PREDICTION]) if _PREDICTION in inputs.column_names else inputs
    return kept.append_column(_PREDICTION, pa.array(prediction))


def _fit(metric: str, matrix: Floats, losses: Floats) -> LossModel:
    import numpy as np

    scale = float(losses.mean()) or 1.0
    target = losses / scale
    folds = np.arange(len(target)) % _FOLDS  # the rows are in random order
    told = np.empty(len(target))
    boosters = []
    for fold in range(_FOLDS):
        made = grow(matrix[folds != fold], target[folds != fold], seed=fold)
        told[folds == fold] = tell(made, matrix[folds == fold])
        boosters.append(made)
    rest = target - told
    return LossModel(
        metric=metric,
        boosters=tuple(boosters),
        scale=scale,
        bias=float(rest.mean()),
        bias_error=float(rest.std() / math.sqrt(len(rest))),
        spread=float(rest.std()),
    )


def _estimated(model: LossModel, matrix: Floats, level: float) -> MetricValue:
    import numpy as np

    means = [float(tell(booster, matrix).mean()) for booster in model.boosters]
    mean = max(0.0, float(np.mean(means)) + model.bias)
    # A row twice as hard varies about twice as much.
    spread = model.spread * max(1.0, mean)
    error = math.sqrt(spread**2 / len(matrix) + float(np.var(means, ddof=1)) + model.bias_error**2)
    reach = quantile(level) * error
    ends = [model.scale * value for value in (mean, max(0.0, mean - reach), mean + reach)]
    if model.metric == "rmse":
        ends = [math.sqrt(value) for value in ends]
    return MetricValue(name=model.metric, value=ends[0], low=ends[1], high=ends[2], n=len(matrix))
