"""Estimated performance: how good the predictions probably were, before their truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.evaluation.scores import MetricValue
from flyball.monitoring.decay import LEAST_WINDOWS, losses
from flyball.monitoring.estimation import USUAL, estimate
from flyball.monitoring.monitors.base import Contribution, Finding, Material, Monitor
from flyball.monitoring.outcomes import read_outcomes
from flyball.monitoring.windows import Window

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_LEAST_ROWS = 50


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
    if len(before) < LEAST_WINDOWS:
        return ()
    sentences, facts = [], {}
    for lost in losses(found, [window.estimated for window in before], share=loss):
        sentences.append(
            f"{lost.name}: usually about {lost.usual:.3f}, now probably {lost.now:.3f} ({lost.low:.3f} to {lost.high:.3f})"
        )
        facts[lost.name] = {"usual": lost.usual, "now": lost.now, "low": lost.low, "high": lost.high}
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


plugin: Monitor = Estimate()
