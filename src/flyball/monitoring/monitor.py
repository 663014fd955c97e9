"""What is watched, as a user writes it: `fb.monitor.drift()`, `fb.monitor.performance("roc_auc")`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from flyball.clock import parse_duration
from flyball.errors import InvalidInput, did_you_mean
from flyball.evaluation.fairness.base import FAIRNESS
from flyball.evaluation.metrics.base import OfRows
from flyball.evaluation.scores import find_metric
from flyball.monitoring.alarms import AlarmRule
from flyball.monitoring.drift.base import DRIFT_METRICS
from flyball.monitoring.loss_model import USUAL as LOSSES
from flyball.monitoring.multivariate.base import MULTIVARIATE
from flyball.monitoring.windows import GroupMetric

MOST_WINDOWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSpec:
    """The kind of a monitor and its parameters."""

    monitor: str
    params: dict[str, Any] = field(default_factory=dict)


def drift(
    *,
    columns: Sequence[str] = (),
    metric: str = "jensen_shannon",
    threshold: float | None = None,
    alpha: float = 0.01,
) -> MonitorSpec:
    """Whether the inputs of a window are those that the champion was trained on.

    Args:
        columns: Only these; all that the reference has by default.
        metric: Name of the drift metric that measures the size.
        threshold: The size that matters; the metric's own by default.
        alpha: Share of quiet windows that may alarm.

    Raises:
        InvalidInput: there is no such metric, or a number is out of range.
    """
    if isinstance(columns, str):
        raise InvalidInput(f"columns is the text '{columns}'.", hint=f"Give a list: columns=['{columns}'].")
    if metric not in DRIFT_METRICS.names():
        raise InvalidInput(f"There is no drift metric '{metric}'.", hint=did_you_mean(metric, DRIFT_METRICS.names()))
    if threshold is not None and not 0 < threshold < math.inf:
        raise InvalidInput(f"threshold is {threshold}.", hint="Give a number above 0, or leave it out.")
    if not 0 < alpha < 1:
        raise InvalidInput(f"alpha is {alpha}.", hint="Give a share between 0 and 1, such as 0.01.")
    params = {"columns": list(columns), "metric": metric, "threshold": threshold, "alpha": alpha}
    return MonitorSpec(monitor="drift", params=params)


def multivariate(*metrics: str, alpha: float = 0.001) -> MonitorSpec:
    """Whether rows as wholes, embeddings, texts and images are those that the champion was trained on.

    Args:
        metrics: Names of multivariate metrics that the reference was fitted with; all of them by default.
        alpha: Share of quiet windows that may alarm.

    Raises:
        InvalidInput: there is no such metric, or the share is none.
    """
    for name in metrics:
        if name not in MULTIVARIATE.names():
            known = MULTIVARIATE.names()
            raise InvalidInput(f"There is no multivariate metric '{name}'.", hint=did_you_mean(name, known))
    if not 0 < alpha < 1:
        raise InvalidInput(f"alpha is {alpha}.", hint="Give a share between 0 and 1, such as 0.001.")
    return MonitorSpec(monitor="multivariate", params={"metrics": list(dict.fromkeys(metrics)), "alpha": alpha})


def alarms(*, after: int = 1, quiet: int = 2, cooldown: str = "0s") -> AlarmRule:
    """When findings become alerts: for `fb.loop(alarms=...)`.

    Args:
        after: In how many windows in a row something must be found before it is told.
        quiet: How many quiet windows in a row end an alert.
        cooldown: How long after its end an alert of the same cause is not opened again, such as `6h`.

    Raises:
        InvalidInput: a number is below 1 or above 20, or the time is none.
    """
    if not (1 <= after <= MOST_WINDOWS and 1 <= quiet <= MOST_WINDOWS):
        raise InvalidInput(f"after is {after}, quiet is {quiet}.", hint=f"Give 1 to {MOST_WINDOWS} windows.")
    return AlarmRule(after=after, quiet=quiet, cooldown_seconds=parse_duration(cooldown).total_seconds())


def prediction_drift(*, threshold: float | None = None, alpha: float = 0.002) -> MonitorSpec:
    """Whether the champion still says what it said on held-out rows.

    Args:
        threshold: The Jensen-Shannon distance that matters; 0.1 by default.
        alpha: Share of quiet windows that may alarm.

    Raises:
        InvalidInput: a number is out of range.
    """
    return MonitorSpec(monitor="prediction_drift", params=_outcome_params(threshold, alpha))


def target_drift(*, threshold: float | None = None, alpha: float = 0.002) -> MonitorSpec:
    """Whether the truth is spread as it was on held-out rows: classes as frequent, values as large.

    Args:
        threshold: The Jensen-Shannon distance that matters; 0.1 by default.
        alpha: Share of quiet windows that may alarm.

    Raises:
        InvalidInput: a number is out of range.
    """
    return MonitorSpec(monitor="target_drift", params=_outcome_params(threshold, alpha))


def _outcome_params(threshold: float | None, alpha: float) -> dict[str, Any]:
    if threshold is not None and not 0 < threshold < math.inf:
        raise InvalidInput(f"threshold is {threshold}.", hint="Give a number above 0, or leave it out.")
    if not 0 < alpha < 1:
        raise InvalidInput(f"alpha is {alpha}.", hint="Give a share between 0 and 1, such as 0.002.")
    return {"threshold": threshold, "alpha": alpha}


def quality(*, floor: float = 0.005) -> MonitorSpec:
    """Faults of the data: missing, misspelt, out of range, stuck, too few.

    Args:
        floor: Share of the rows by which a fault must have grown.

    Raises:
        InvalidInput: the share is none.
    """
    if not 0 <= floor < 1:
        raise InvalidInput(f"floor is {floor}.", hint="Give a share from 0 to below 1, such as 0.005.")
    return MonitorSpec(monitor="quality", params={"floor": floor})


def freshness(column: str, *, max_age: str, share: float = 0.01) -> MonitorSpec:
    """Whether rows, or values joined to them, are older than they may be.

    Args:
        column: An input that holds the time at which a row or its values were true.
        max_age: The age that is still fresh, such as `2h`: up to the time of the prediction, or to the window's end.
        share: Share of the rows that may be older.

    Raises:
        InvalidInput: the age or the share is none.
    """
    if not isinstance(column, str) or not column:
        raise InvalidInput(f"{column!r} is no column.", hint="Give the name of an input.")
    if parse_duration(max_age).total_seconds() <= 0:
        raise InvalidInput(f"max_age is '{max_age}'.", hint="Give a time above 0, such as '2h'.")
    if not 0 <= share < 1:
        raise InvalidInput(f"share is {share}.", hint="Give a share from 0 to below 1, such as 0.01.")
    return MonitorSpec(monitor="freshness", params={"column": column, "max_age": max_age, "share": share})


def performance(*metrics: str, loss: float = 0.05) -> MonitorSpec:
    """How good the predictions were, once their truth is known.

    Args:
        metrics: Names of metrics; those usual for the task by default.
        loss: Share of a metric's usual value that a version must lose, beyond chance, to be told.

    Raises:
        InvalidInput: there is no such metric, or they are of different tasks.
    """
    kinds = {found.kind for name in metrics if not isinstance(found := find_metric(name), OfRows)}
    if len(kinds) > 1:
        raise InvalidInput(
            f"The metrics {', '.join(metrics)} are of different tasks.",
            hint="Name metrics of classification or of regression.",
        )
    if not 0 < loss < math.inf:
        raise InvalidInput(f"loss is {loss}.", hint="Give a share above 0, such as 0.05.")
    return MonitorSpec(monitor="performance", params={"metrics": list(dict.fromkeys(metrics)), "loss": loss})


def estimate(*metrics: str, loss: float = 0.05) -> MonitorSpec:
    """How good the champion's predictions probably were, before their truth is known.

    For classifiers that give probabilities, and for regressions. It sees what a change of the inputs does to the performance,
    and not a change of what the inputs mean.

    Args:
        metrics: Names of metrics of classification, or `mae` and `rmse`; by default those usual for the task.
        loss: Share of a metric's usual value that must be lost, beyond chance, to be told.

    Raises:
        InvalidInput: there is no such metric, or it cannot be estimated.
    """
    for name in metrics:
        if find_metric(name).kind != "classification" and name not in LOSSES:
            raise InvalidInput(
                f"The metric '{name}' cannot be estimated.", hint="Name metrics of classification, or mae and rmse."
            )
    if not 0 < loss < math.inf:
        raise InvalidInput(f"loss is {loss}.", hint="Give a share above 0, such as 0.05.")
    return MonitorSpec(monitor="estimate", params={"metrics": list(dict.fromkeys(metrics)), "loss": loss})


def bias(
    column: str,
    *,
    metric: str = "positive_rate",
    threshold: float | None = None,
    min_group: int = 50,
    windows: int = 1,
) -> MonitorSpec:
    """Whether the groups of a column are treated alike.

    Args:
        column: An input whose values, or ranges, are the groups; several joined by `*` for their combinations (with a measure
            of fairness).
        metric: A measure of fairness (`demographic_parity`, `disparate_impact`, `equal_opportunity`, `equalised_odds`,
            `predictive_parity`, `calibration`), or a rate that each group is compared with the best group by:
            `positive_rate`, `accuracy`, `true_positive_rate`, `false_positive_rate`.
        threshold: Of a rate the least ratio to the best group's, by default four fifths, the usual rule of disparate impact;
            of a measure the largest difference or the least ratio, by default its own.
        min_group: Groups of fewer rows are put together, and rates of fewer rows are not judged.
        windows: Over how many windows together a measure of fairness is taken, this one and those before it.

    Raises:
        InvalidInput: there is no such metric, or a number is out of range.
    """
    if not isinstance(column, str) or not column:
        raise InvalidInput(f"{column!r} is no column.", hint="Give the name of an input.")
    measures = FAIRNESS.names()
    known = (*get_args(GroupMetric), *measures)
    if metric not in known:
        raise InvalidInput(f"Groups cannot be compared by '{metric}'.", hint=did_you_mean(metric, known))
    if threshold is not None and not 0 < threshold <= 1:
        raise InvalidInput(f"threshold is {threshold}.", hint="Give a number from 0 to 1, such as 0.8.")
    if min_group < 1 or windows < 1:
        raise InvalidInput(f"min_group is {min_group}, windows is {windows}.", hint="Give at least 1.")
    params: dict[str, Any] = {"column": column, "metric": metric, "min_group": min_group}
    if metric in measures:
        return MonitorSpec(monitor="bias", params={**params, "threshold": threshold, "windows": windows})
    return MonitorSpec(monitor="bias", params={**params, "threshold": 0.8 if threshold is None else threshold})
