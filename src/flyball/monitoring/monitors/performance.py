"""Performance: how good the predictions were, over those whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput
from flyball.evaluation.metrics.base import OfRows
from flyball.evaluation.scores import METRICS, MetricValue, evaluate
from flyball.monitoring.attribution import Attribution, attribute, measure
from flyball.monitoring.decay import LEAST_WINDOWS, losses
from flyball.monitoring.monitors.base import Contribution, Finding, Material, Monitor
from flyball.monitoring.outcomes import Outcomes, read_outcomes
from flyball.monitoring.windows import Window

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_LEAST_LABELS = 50  # of an unfinished window, and of one version


class Performance:
    """Scores the labelled predictions, all together and version by version."""

    def examine(self, material: Material, params: dict[str, Any]) -> Contribution:
        """Metrics; nothing while too few labels are known."""
        outcomes = read_outcomes(material.rows)
        if outcomes is None:
            return Contribution()
        labelled = outcomes.is_labelled
        count = int(labelled.sum())
        if not count or (not material.complete and count < _LEAST_LABELS):
            return Contribution()
        try:
            performance = _scored(material, outcomes, labelled, params)
            by_version = _by_version(material, outcomes, params, performance)
        except InvalidInput as error:
            return Contribution(notes=(f"performance could not be scored: {error.message}",))
        why = _attributed(material, outcomes)
        finding = _decay(performance, by_version, material, params.get("loss", 0.05), why)
        return Contribution(
            performance=performance, performance_by_version=by_version, findings=finding, attribution=why
        )


def _attributed(material: Material, outcomes: Outcomes) -> tuple[Attribution, ...]:
    """Which inputs account for what the champion does worse, or better, than on its held-out rows."""
    import numpy as np

    if material.reference is None or not material.reference.losses:
        return ()
    losses = outcomes.losses
    if material.champion is not None:
        losses = np.where(material.rows["model_version"].to_numpy() == material.champion, losses, np.nan)
    if np.isfinite(losses).sum() < _LEAST_LABELS:
        return ()
    now = measure(material.inputs, losses, material.reference)
    return attribute(material.reference, material.reference.losses, now)


def _scored(
    material: Material, outcomes: Outcomes, rows: npt.NDArray[np.bool_], params: dict[str, Any]
) -> tuple[MetricValue, ...]:
    import pyarrow as pa

    metrics = params.get("metrics") or None
    kinds = [found.kind for name in metrics or () if not isinstance(found := METRICS.get(name), OfRows)]
    task = kinds[0] if kinds else "classification" if outcomes.task == "classification" else "regression"
    of_rows = len(kinds) < len(metrics or ())
    inputs = material.inputs.filter(pa.array(rows)) if of_rows else None
    return evaluate(outcomes.truth[rows], outcomes.scores[rows], metrics=metrics, task=task, rows=inputs).metrics


def _by_version(
    material: Material, outcomes: Outcomes, params: dict[str, Any], whole: tuple[MetricValue, ...]
) -> dict[str, tuple[MetricValue, ...]]:
    import numpy as np

    versions = material.rows["model_version"].to_numpy()
    present = np.unique(versions).tolist()
    found = {}
    for version in present:
        rows = outcomes.is_labelled & (versions == version)
        if len(present) == 1:
            found[str(version)] = whole
        elif rows.sum() >= _LEAST_LABELS:
            found[str(version)] = _scored(material, outcomes, rows, params)
    return found


def _decay(
    performance: tuple[MetricValue, ...],
    by_version: dict[str, tuple[MetricValue, ...]],
    material: Material,
    loss: float,
    why: tuple[Attribution, ...],
) -> tuple[Finding, ...]:
    """Whether the version that answered most does worse than it used to."""
    if not material.complete or not performance or not by_version:
        return ()
    version, now = max(by_version.items(), key=lambda item: (item[1][0].n, item[0]))
    before = [window.performance_by_version[version] for window in _of_version(material.earlier(), version)]
    if len(before) < LEAST_WINDOWS:
        return ()
    sentences, facts = [], {}
    for lost in losses(now, before, share=loss):
        span = f" over {lost.windows} windows" if lost.windows > 1 else ""
        sentences.append(
            f"{lost.name.split()[0]} of version {version}: usually {lost.usual:.3f}, now {lost.now:.3f}{span}"
        )
        facts[lost.name] = {
            "usual": lost.usual, "now": lost.now, "low": lost.low, "high": lost.high, "windows": lost.windows,
            "p_value": lost.p_value,
        }  # fmt: skip
    if sentences and why and why[0].change > 0:
        sentences.append(why[0].sentence)
    return (
        Finding(
            kind="decay",
            cause="decay",
            title=f"Version {version} does worse than it used to",
            sentences=tuple(sentences),
            facts={
                "version": int(version),
                "metrics": facts,
                "why": [each.sentence for each in why if each.change > 0],
            },
            needs_truth=True,
        ),
    )


def _of_version(earlier: Sequence[Window], version: str) -> list[Window]:
    return [window for window in earlier if window.complete and version in window.performance_by_version]


plugin: Monitor = Performance()
