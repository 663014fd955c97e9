"""Estimated performance: how good the predictions probably were, before their truth is known."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from flyball.evaluation.scores import METRICS, MetricValue
from flyball.monitoring.estimation import USUAL, estimate
from flyball.monitoring.monitors.base import Contribution, Finding, Material, Monitor
from flyball.monitoring.outcomes import read_outcomes
from flyball.monitoring.windows import Window

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_LEAST_ROWS = 50
_LEAST_WINDOWS = 2


class Estimate:
    """Estimates metrics of the champion's predictions from what its scores were worth on held-out rows."""

    def examine(self, material: Material, params: dict[str, Any]) -> Contribution:
        """Estimated metrics; nothing without a calibration or enough predictions."""
        if material.reference is None or material.reference.calibration is None:
            return Contribution()
        scores = _scores(material)
        if len(scores) < _LEAST_ROWS:
            return Contribution()
        found = estimate(material.reference.calibration, scores, metrics=tuple(params.get("metrics") or USUAL))
        return Contribution(estimated=found, findings=_decay(found, material, params.get("loss", 0.05)))


def _scores(material: Material) -> npt.NDArray[np.float64]:
    import numpy as np

    outcomes = read_outcomes(material.rows)
    if outcomes is None or outcomes.task != "classification" or outcomes.scores.ndim != 1:
        return np.empty(0)
    mine = outcomes.is_scored
    if material.champion is not None:  # the calibration is that of the champion's scores alone
        mine = mine & (material.rows["model_version"].to_numpy() == material.champion)
    scores: npt.NDArray[np.float64] = outcomes.scores[mine]
    return scores


def _decay(found: tuple[MetricValue, ...], material: Material, loss: float) -> tuple[Finding, ...]:
    """Whether the champion probably does worse than it used to."""
    before = [window for window in material.earlier() if window.estimated and _is_of(window, material.champion)]
    if len(before) < _LEAST_WINDOWS:
        return ()
    sentences, facts = [], {}
    for metric in found:
        usual = _usual(before, metric.name)
        if usual is not None and _is_worse(metric, usual, loss):
            sentences.append(
                f"{metric.name}: usually about {usual:.3f}, now probably {metric.value:.3f} "
                f"({metric.low:.3f} to {metric.high:.3f})"
            )
            facts[metric.name] = {"usual": usual, "now": metric.value, "low": metric.low, "high": metric.high}
    return (
        Finding(
            kind="decay",
            cause="estimated-decay",
            title="The champion probably does worse than it used to; the truth is not known yet",
            sentences=tuple(sentences),
            facts={"version": material.champion, "metrics": facts},
        ),
    )


def _is_of(window: Window, champion: int | None) -> bool:
    return champion is None or window.versions.get(str(champion), 0) * 2 > window.predictions


def _usual(before: list[Window], name: str) -> float | None:
    values = [
        metric.value
        for window in before
        for metric in window.estimated
        if metric.name == name and metric.value is not None
    ]
    return statistics.median(values) if values else None


def _is_worse(now: MetricValue, usual: float, loss: float) -> bool:
    if now.value is None or now.low is None or now.high is None:
        return False
    sign = 1.0 if METRICS.get(now.name).greater_is_better else -1.0
    nearest = now.high if sign > 0 else now.low
    # Large enough to matter, and the interval leaves out what is usual.
    return sign * (usual - now.value) >= loss * abs(usual) and sign * (usual - nearest) > 0


plugin: Monitor = Estimate()
