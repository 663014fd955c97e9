"""Estimated performance: how good the predictions probably were, before their truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.evaluation.scores import MetricValue
from flyball.monitoring.decay import LEAST_WINDOWS, losses
from flyball.monitoring.estimation import OF_CLASSES, USUAL, estimate, estimate_classes
from flyball.monitoring.loss_model import USUAL as LOSSES
from flyball.monitoring.loss_model import LossModels, estimate_losses
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
        """Estimated metrics; nothing where nothing was learned of the champion's errors, or of too few predictions."""
        reference = material.reference
        if reference is None:
            return Contribution()
        wanted = tuple(params.get("metrics") or ())
        if reference.loss_models is not None:
            found = _of_regression(reference.loss_models, material, wanted)
        elif reference.calibration is not None:
            scores = _scores(material)
            found = () if len(scores) < _LEAST_ROWS else estimate(
                reference.calibration, scores, metrics=tuple(each for each in wanted if each not in LOSSES) or USUAL
            )  # fmt: skip
        else:
            found = _of_classes(material, wanted)
        if not found:
            return Contribution()
        return Contribution(estimated=found, findings=_decay(found, material, params.get("loss", 0.05)))


def _of_regression(models: LossModels, material: Material, wanted: tuple[str, ...]) -> tuple[MetricValue, ...]:
    import pyarrow as pa

    outcomes = read_outcomes(material.rows)
    if outcomes is None or outcomes.task != "regression":
        return ()
    mine = _of_champion(material, outcomes.is_scored)
    if mine.sum() < _LEAST_ROWS:
        return ()
    inputs = material.inputs.filter(pa.array(mine))
    return estimate_losses(models, inputs, outcomes.scores[mine], metrics=[each for each in wanted if each in LOSSES])


def _of_classes(material: Material, wanted: tuple[str, ...]) -> tuple[MetricValue, ...]:
    calibration = None if material.reference is None else material.reference.class_calibrations
    outcomes = read_outcomes(material.rows)
    if not calibration or outcomes is None or outcomes.scores.ndim != 2:
        return ()
    mine = _of_champion(material, outcomes.is_scored)
    if mine.sum() < _LEAST_ROWS or outcomes.scores.shape[1] != len(calibration):
        return ()
    return estimate_classes(calibration, outcomes.scores[mine], metrics=wanted or OF_CLASSES)


def _of_champion(material: Material, rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    # What was learned is of the champion's predictions alone.
    if material.champion is None:
        return rows
    mine: npt.NDArray[np.bool_] = rows & (material.rows["model_version"].to_numpy() == material.champion)
    return mine


def _scores(material: Material) -> npt.NDArray[np.float64]:
    import numpy as np

    outcomes = read_outcomes(material.rows)
    if outcomes is None or outcomes.task != "classification" or outcomes.scores.ndim != 1:
        return np.empty(0)
    scores: npt.NDArray[np.float64] = outcomes.scores[_of_champion(material, outcomes.is_scored)]
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
