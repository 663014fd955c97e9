"""Whether a metric has become worse than it used to be: beyond chance, and by enough to matter.

What is usual is the median of the earlier windows. The gap to it is compared with everything that makes a quiet window
differ from it: the window's own uncertainty, that of the median, and how much quiet windows vary beyond chance,

    z = (usual - now) / sqrt( se_now^2 + se_usual^2 + between^2 )

Several metrics tell of one loss, so their p-values are corrected by Holm's way. A slow loss shows in no single window, so
the mean of the last three is looked at as well; both questions share `ALPHA`, which is how often a quiet window is told.

Source: DerSimonian and Laird, Control. Clin. Trials 7, 1986 (the variance between windows); Holm, Scand. J. Stat. 6, 1979.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from flyball.evaluation.scores import METRICS, MetricValue

ALPHA = 0.002
LEAST_WINDOWS = 2
_TOGETHER = 3
_LEVEL_95 = 3.92  # standard errors that an interval of 95 % is wide


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A metric that is worse than usual.

    Attributes:
        usual: What it was; `now`: what it is, with its interval from `low` to `high`.
        windows: Over how many windows together it is seen.
        p_value: The chance of such a gap if nothing has changed, corrected for the number of metrics.
    """

    name: str
    usual: float
    now: float
    low: float
    high: float
    windows: int
    p_value: float


def losses(now: Sequence[MetricValue], earlier: Sequence[Sequence[MetricValue]], *, share: float) -> tuple[Loss, ...]:
    """The metrics that are worse than usual, in the order they were given.

    Args:
        earlier: Those of the windows before, newest first.
        share: Share of its usual value that a metric must lose to be told.
    """
    single = _tested(now, earlier, 1, share)
    together = _tested(_mean(now, earlier[: _TOGETHER - 1]), earlier[_TOGETHER - 1 :], _TOGETHER, share)
    found = {loss.name: loss for loss in (*together, *single)}
    return tuple(found[metric.name] for metric in now if metric.name in found)


def _tested(
    now: Sequence[MetricValue], earlier: Sequence[Sequence[MetricValue]], windows: int, share: float
) -> list[Loss]:
    compared = [found for metric in now if (found := _compare(metric, earlier, windows, share)) is not None]
    order = sorted(compared, key=lambda pair: pair[0].p_value)
    worse, highest = [], 0.0
    for place, (loss, matters) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - place) * loss.p_value))
        if matters and highest <= ALPHA / 2:
            worse.append(loss)
    return worse


def _compare(
    now: MetricValue, earlier: Sequence[Sequence[MetricValue]], windows: int, share: float
) -> tuple[Loss, bool] | None:
    past = [m for window in earlier for m in window if m.name == now.name and m.value is not None]
    if len(past) < max(LEAST_WINDOWS, windows) or now.value is None or now.low is None or now.high is None:
        return None
    values = [metric.value for metric in past if metric.value is not None]
    usual = statistics.median(values)
    chance = statistics.fmean(_error(metric) ** 2 for metric in past)
    between = max(0.0, (statistics.variance(values) - chance) if len(values) > 2 else 0.0)
    # A median is as uncertain as the mean of two thirds as many (Laplace): pi/2 times its variance.
    variance = _error(now) ** 2 + between / windows + (chance + between) * math.pi / 2 / len(values)
    gap = (usual - now.value) * (1.0 if METRICS.get(now.name).greater_is_better else -1.0)
    p_value = NormalDist().cdf(-gap / math.sqrt(variance)) if variance > 0 else float(gap <= 0)
    loss = Loss(name=now.name, usual=usual, now=now.value, low=now.low, high=now.high, windows=windows, p_value=p_value)
    return loss, gap >= share * abs(usual) and gap > 0


def _mean(now: Sequence[MetricValue], before: Sequence[Sequence[MetricValue]]) -> list[MetricValue]:
    """Each metric as the mean of this window and those; none if there are too few."""
    if len(before) < _TOGETHER - 1:
        return []
    found = []
    for metric in now:
        group = [metric, *(m for window in before for m in window if m.name == metric.name)]
        values = [m.value for m in group if m.value is not None]
        if len(values) < _TOGETHER:
            continue
        mean, error = statistics.fmean(values), math.sqrt(sum(_error(m) ** 2 for m in group)) / len(values)
        half = error * _LEVEL_95 / 2
        found.append(
            MetricValue(name=metric.name, value=mean, low=mean - half, high=mean + half, n=sum(m.n for m in group))
        )
    return found


def _error(metric: MetricValue) -> float:
    if metric.low is None or metric.high is None:
        return 0.0
    return (metric.high - metric.low) / _LEVEL_95
