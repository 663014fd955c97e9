"""Windows: what is known about the predictions of one span of time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from flyball.evaluation.fair import FairnessScore
from flyball.evaluation.fairness.base import GroupCounts
from flyball.evaluation.scores import MetricValue
from flyball.monitoring.attribution import Attribution
from flyball.monitoring.evidence import ColumnDrift, DriftReport
from flyball.monitoring.joint import JointDrift
from flyball.monitoring.profile import Profile
from flyball.monitoring.quality import QualityFinding

GroupMetric = Literal["positive_rate", "accuracy", "true_positive_rate", "false_positive_rate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRates:
    """How a model treats one group of a column, beside the group it treats best.

    Attributes:
        group: The value as text, a range, `(missing)`, or `(other)` for all small groups together.
        n: Predictions; `labelled`: those whose truth is known.
        positive_rate: Share that is predicted to be of the positive class; None where there is none.
        accuracy: Share of the labelled ones that is right.
        true_positive_rate: Share of the truly positive ones that is found; `false_positive_rate`: of the truly
            negative ones that is called positive.
        metric: The rate that the groups are compared by.
        ratio: That rate over the best group's, at most 1 (for `false_positive_rate` the best group's over this one's);
            None where it is not known or the group is too small.
        is_apart: Whether the ratio is below the threshold, beyond chance.
    """

    column: str
    group: str
    n: int
    labelled: int
    positive_rate: float | None
    accuracy: float | None
    true_positive_rate: float | None
    false_positive_rate: float | None
    metric: GroupMetric
    ratio: float | None = None
    is_apart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWindow:
    """What a window tells of the groups of a column; counts of several windows add up."""

    column: str
    measure: str
    counts: tuple[GroupCounts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What is known about the predictions of a deployment from `start` to before `end`.

    Attributes:
        predictions: How many were answered.
        versions: How many of them each model version answered.
        labelled: How many have a known truth.
        complete: Whether the time that truth is waited for is over; before, performance is that of the truth so far.
        drift: Whether the inputs are those of the reference; None without predictions or reference.
        quality: Faults of the data.
        multivariate: Whether rows as wholes are those of the reference, by group of columns and metric.
        outcomes: Whether predictions, and truth, are spread as on held-out rows, by column.
        performance: Metrics over the labelled predictions.
        performance_by_version: The same by model version, for those with enough labelled predictions.
        estimated: Metrics of the champion's predictions as they probably are, from what its scores were worth on
            held-out rows; known before any truth is.
        attribution: Why the champion was more or less wrong than on its held-out rows, by column, the one that says
            most first.
        bias: Rates by group.
        fairness: How far groups lie apart, by column and measure; `groups`: the counts that it is made of.
        findings: What was found, in sentences.
        causes: What alerts are about: one word for each cause that something was found of.
        profile: Counts of the inputs; those of several windows add up. Lists of windows leave it out.
        examined: When it was recorded.
    """

    deployment: str
    start: datetime
    end: datetime
    predictions: int
    versions: dict[str, int] = field(default_factory=dict)
    labelled: int = 0
    complete: bool = False
    drift: DriftReport | None = None
    quality: tuple[QualityFinding, ...] = ()
    multivariate: tuple[JointDrift, ...] = ()
    outcomes: tuple[ColumnDrift, ...] = ()
    performance: tuple[MetricValue, ...] = ()
    performance_by_version: dict[str, tuple[MetricValue, ...]] = field(default_factory=dict)
    estimated: tuple[MetricValue, ...] = ()
    attribution: tuple[Attribution, ...] = ()
    bias: tuple[GroupRates, ...] = ()
    fairness: tuple[FairnessScore, ...] = ()
    groups: tuple[GroupWindow, ...] = ()
    findings: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    profile: Profile | None = None
    examined: datetime | None = None
