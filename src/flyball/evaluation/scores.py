"""How good predictions are: each metric with its uncertainty, over all rows and slice by slice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.errors import InvalidInput, NotFound
from flyball.evaluation import intervals
from flyball.evaluation.fair import FairnessScore, assess
from flyball.evaluation.importance import Importance
from flyball.evaluation.metrics.base import HasInterval, Metric, OfRows, Task
from flyball.evaluation.sample import Sample, read_sample
from flyball.evaluation.slices import group_rows
from flyball.evaluation.weak_slices import WeakSlice
from flyball.plugins import PluginGroup

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa


class MetricGroup(PluginGroup[Metric]):
    """The metrics: those of the house, of plug-ins, and of one's own (see `row_metrics`)."""

    def add(self, name: str, metric: Metric) -> None:
        """Makes a metric known in this process."""
        self._loaded[name] = metric

    def is_own(self, name: str) -> bool:
        """Whether the house has a metric of that name."""
        return name in self._own_names()

    def _load(self, name: str) -> Metric:
        if " " in name:  # an expression, which stands for itself
            from flyball.evaluation.row_metrics import of_expression

            return of_expression(name)
        return super()._load(name)


METRICS = MetricGroup("metric", "flyball.evaluation.metrics")

_USUAL = {
    "classification": (
        "roc_auc", "average_precision", "log_loss", "brier", "accuracy", "f1", "precision", "recall",
        "expected_calibration_error",
    ),
    "regression": ("rmse", "mae", "r2"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricValue:
    """One metric of some rows, with its confidence interval.

    Attributes:
        value: The metric; `None` where it is not defined, such as ROC AUC of rows of one class.
        low: Lower end of the interval; `None` where none can be given. `high`: its upper end.
        n: How many rows it was computed from.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceScore:
    """The metrics of the rows that share a value of a column.

    Attributes:
        value: The value as text, a range such as `[10, 25)`, `(missing)`, or `(other)` for all small groups together.
        n: How many rows it has; those of all slices of a column add up to the rows of the evaluation.
        metrics: Empty if there are too few rows to score.
    """

    column: str
    value: str
    n: int
    metrics: tuple[MetricValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How good predictions were on held data.

    Attributes:
        task: `classification` or `regression`.
        n: How many rows were scored.
        positive_rate: The share of class 1; `None` unless there are two classes.
        metrics: Over all rows.
        slices: Slice by slice.
        primary: Name of the metric that stands for the whole: the first that was asked for.
        weak_slices: Subgroups that do worse than the rest, found without being named; empty where none was looked for.
        importance: What each column is worth to the model; None where it was not measured.
        fairness: How far groups lie apart, by column and measure; empty where it was not asked for.
    """

    task: Task
    n: int
    positive_rate: float | None
    metrics: tuple[MetricValue, ...]
    slices: tuple[SliceScore, ...]
    primary: str
    weak_slices: tuple[WeakSlice, ...] = ()
    importance: Importance | None = None
    fairness: tuple[FairnessScore, ...] = ()


def evaluate(
    truth: npt.ArrayLike,
    prediction: npt.ArrayLike,
    *,
    metrics: Sequence[str] | None = None,
    slices: Mapping[str, Sequence[object]] | None = None,
    fairness: Mapping[str, Sequence[object]] | None = None,
    fairness_groups: Sequence[str] = (),
    rows: pa.Table | None = None,
    task: Task | None = None,
    min_slice: int = 50,
    threshold: float = 0.5,
    level: float = 0.95,
    seed: int = 0,
) -> Evaluation:
    """Scores predictions against the truth.

    Args:
        truth: True and false, 0 and 1, numbers of classes (beside a matrix of probabilities), or values.
        prediction: Probabilities of class 1, an (n, k) matrix of probabilities, or predicted values.
        metrics: Names of metrics, the primary one first; those usual for the task by default.
        slices: Columns, by name, whose groups are scored one by one.
        fairness: Columns, by name, whose groups ought to be treated alike.
        fairness_groups: Of these, the ones to compare, or several joined by `*`; each by itself by default.
        rows: The inputs of the rows, for metrics of one's own.
        task: Told from the truth by default.
        min_slice: A group of fewer rows is not scored by itself.
        threshold: The probability from which a row counts as predicted to be of class 1.
        level: Level of the confidence intervals.
        seed: Of the draws for metrics whose interval has no closed form.

    Raises:
        InvalidInput: truth and prediction cannot be compared, or a metric is not known or not for this task.
    """
    _check_shares(threshold=threshold, level=level)
    sample = read_sample(truth, prediction, task=task, rows=rows)
    chosen = _chosen(metrics, sample)

    def score(part: Sample) -> tuple[MetricValue, ...]:
        return tuple(_score(name, part, threshold=threshold, level=level, seed=seed) for name in chosen)

    by_slice: list[SliceScore] = []
    for column, values in (slices or {}).items():
        _check_length(column, values, sample.n)
        for group in group_rows(values, min_size=min_slice):
            scored = score(sample.at(group.rows)) if len(group.rows) >= min_slice else ()
            by_slice.append(SliceScore(column=column, value=group.value, n=len(group.rows), metrics=scored))
    two_classes = sample.task == "classification" and not sample.is_multiclass
    return Evaluation(
        task=sample.task,
        n=sample.n,
        positive_rate=float(sample.truth.mean()) if two_classes else None,
        metrics=score(sample),
        slices=tuple(by_slice),
        primary=chosen[0],
        fairness=_fairness(sample, fairness or {}, fairness_groups, threshold),
    )


def _fairness(
    sample: Sample, columns: Mapping[str, Sequence[object]], groups: Sequence[str], threshold: float
) -> tuple[FairnessScore, ...]:
    if not columns:
        return ()
    if sample.task != "classification":
        raise InvalidInput("Fairness is measured of classes, and this is regression.", hint="Leave `fairness` out.")
    for column, values in columns.items():
        _check_length(column, values, sample.n)
    return assess(sample.truth, sample.prediction, columns, groups=groups, threshold=threshold)


def find_metric(name: str) -> Metric:
    """The metric of that name.

    Raises:
        InvalidInput: there is none; the hint names near ones.
    """
    try:
        return METRICS.get(name)
    except NotFound as error:
        raise InvalidInput(f"There is no metric '{name}'.", hint=error.hint, metric=name) from error


def ensure_fits(name: str, sample: Sample) -> None:
    """Sees to it that a metric can measure such rows.

    Raises:
        InvalidInput: it is for another task, or for two classes only.
    """
    metric = find_metric(name)
    if isinstance(metric, OfRows):
        return
    usual = f"Use one of: {', '.join(_usual(sample))}."
    if metric.kind != sample.task:
        raise InvalidInput(f"The metric '{name}' is for {metric.kind}, and this is {sample.task}.", hint=usual)
    if sample.is_multiclass and not metric.multiclass:
        classes = sample.prediction.shape[1]
        raise InvalidInput(f"The metric '{name}' is for two classes, and here are {classes}.", hint=usual)


def _chosen(names: Sequence[str] | None, sample: Sample) -> tuple[str, ...]:
    if names is not None and not names:
        raise InvalidInput("No metric was asked for.", hint="Name at least one, or leave `metrics` out.")
    chosen = _usual(sample) if names is None else tuple(dict.fromkeys(names))
    for name in chosen:
        ensure_fits(name, sample)
    return chosen


def _usual(sample: Sample) -> tuple[str, ...]:
    names = _USUAL[sample.task]
    return tuple(name for name in names if METRICS.get(name).multiclass) if sample.is_multiclass else names


def _score(name: str, sample: Sample, *, threshold: float, level: float, seed: int) -> MetricValue:
    metric = METRICS.get(name)
    if isinstance(metric, OfRows):
        return _score_rows(name, metric, sample, threshold=threshold, level=level, seed=seed)
    truth, prediction = sample.truth, sample.predicted_for(metric, threshold=threshold)
    value = metric.compute(truth, prediction)
    if not math.isfinite(value):
        return MetricValue(name=name, value=None, low=None, high=None, n=sample.n)
    limits = metric.interval(truth, prediction, level) if isinstance(metric, HasInterval) else None
    if limits is None:
        limits = intervals.bootstrapped(
            lambda rows: metric.compute(truth[rows], prediction[rows]), value, sample.n, level=level, seed=seed
        )
    low, high = limits or (None, None)
    return MetricValue(name=name, value=value, low=low, high=high, n=sample.n)


def _score_rows(name: str, metric: OfRows, sample: Sample, *, threshold: float, level: float, seed: int) -> MetricValue:
    import pyarrow as pa

    from flyball.evaluation.row_metrics import outcome_rows

    table = outcome_rows(sample.truth, sample.prediction, sample.rows, threshold=threshold)
    value = metric.of_rows(table)
    if not math.isfinite(value):
        return MetricValue(name=name, value=None, low=None, high=None, n=sample.n)
    limits = intervals.bootstrapped(
        lambda rows: metric.of_rows(table.take(pa.array(rows))), value, sample.n, level=level, seed=seed, most=100
    )
    low, high = limits or (None, None)
    return MetricValue(name=name, value=value, low=low, high=high, n=sample.n)


def _check_shares(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 < share < 1:
            raise InvalidInput(f"{name} is {share:g}.", hint=f"Give a {name} between 0 and 1.")


def _check_length(column: str, values: Sequence[object], n: int) -> None:
    if len(values) != n:
        raise InvalidInput(
            f"The slice column '{column}' has {len(values):,} rows, the truth {n:,}.",
            hint="Give a value for each scored row, in the same order.",
            column=column,
        )
