from __future__ import annotations

from typing import Any

from flyball.monitoring.evidence import drift
from flyball.monitoring.monitors.base import Contribution, Finding, Material
from flyball.monitoring.outcome_reference import only, outcome_profile
from flyball.monitoring.outcomes import read_outcomes

_LEAST_ROWS = 30


def outcome_drift(
    material: Material, params: dict[str, Any], columns: tuple[str, ...], *, cause: str, needs_truth: bool
) -> Contribution:
    """Whether these columns of the outcomes have drifted: of the champion's rows, and of those with truth if it is needed."""
    reference = None if material.reference is None else material.reference.outcomes
    outcomes = read_outcomes(material.rows)
    if reference is None or outcomes is None or (needs_truth and not material.complete):
        return Contribution()
    reference = only(reference, columns)
    rows = outcomes.is_labelled if needs_truth else outcomes.is_scored
    if material.champion is not None:
        rows = rows & (material.rows["model_version"].to_numpy() == material.champion)
    if rows.sum() < _LEAST_ROWS or not reference.columns:
        return Contribution()
    is_classifier = outcomes.task == "classification"
    window = outcome_profile(reference, outcomes.scores[rows], outcomes.truth[rows], is_classifier=is_classifier)
    report = drift(reference, window, threshold=params.get("threshold"), alpha=params.get("alpha", 0.002))
    drifted = [column for column in report.columns if column.drifted]
    finding = Finding(
        kind="drift",
        cause=cause,
        title=f"{'The truth is' if needs_truth else 'Predictions are'} spread otherwise than on held-out rows",
        sentences=tuple(f"{column.column} drifted: {column.cause}" for column in drifted),
        facts={
            "columns": [column.column for column in drifted],
            "distances": {c.column: c.distance for c in report.columns},
        },
        needs_truth=needs_truth,
    )
    return Contribution(outcomes=report, findings=(finding,))
