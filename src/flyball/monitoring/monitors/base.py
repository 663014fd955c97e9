"""The seam of the monitors: the material of a window in, what is found in it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from flyball.evaluation.fair import FairnessScore
from flyball.evaluation.scores import MetricValue
from flyball.monitoring.attribution import Attribution
from flyball.monitoring.evidence import DriftReport
from flyball.monitoring.joint import JointDrift
from flyball.monitoring.profile import Profile, Reference
from flyball.monitoring.quality import QualityFinding
from flyball.monitoring.windows import GroupRates, GroupWindow, Window
from flyball.plugins import PluginGroup

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a monitor may look at.

    Attributes:
        rows: The answered predictions of the window with their truth, as `labelled_predictions` gives them.
        inputs: Their inputs alone, under their plain names.
        complete: Whether the time that truth is waited for is over.
        reference: What is normal; None if the champion has none.
        profile: Counts of the inputs over the reference's cells; None without a reference or its columns.
        earlier: Gives windows recorded before this one, newest first.
        champion: The version that the reference is of; None if it is not known.
        profiles: Gives the profiles of the windows just before this one, newest first.
        start: When the window begins; `end`: when it ends. None where rows have no time.
    """

    rows: pa.Table
    inputs: pa.Table
    complete: bool
    reference: Reference | None
    profile: Profile | None
    earlier: Callable[[], Sequence[Window]]
    champion: int | None = None
    profiles: Callable[[], Sequence[Profile]] = tuple
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a monitor has to say of one cause; without sentences, that it looked and all is quiet.

    Attributes:
        kind: Kind of the alert that is opened, such as `drift`.
        cause: What the alert is about; one cause has one open alert.
        title: One line for people.
        sentences: What was found, the worst first.
        facts: The evidence, in plain values.
        needs_truth: Whether it is final only when the window is complete.
    """

    kind: str
    cause: str
    title: str
    sentences: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    needs_truth: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What a monitor adds to a window.

    Attributes:
        findings: What alerts are opened or resolved by.
        notes: What could not be examined, in sentences; told in the window, without an alert.
    """

    drift: DriftReport | None = None
    quality: tuple[QualityFinding, ...] = ()
    performance: tuple[MetricValue, ...] = ()
    performance_by_version: dict[str, tuple[MetricValue, ...]] = field(default_factory=dict)
    estimated: tuple[MetricValue, ...] = ()
    attribution: tuple[Attribution, ...] = ()
    bias: tuple[GroupRates, ...] = ()
    fairness: tuple[FairnessScore, ...] = ()
    groups: tuple[GroupWindow, ...] = ()
    multivariate: tuple[JointDrift, ...] = ()
    outcomes: DriftReport | None = None
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


class Monitor(Protocol):
    """Looks at one side of a window."""

    def examine(self, material: Material, params: dict[str, Any]) -> Contribution:
        """What it finds; nothing at all where there is nothing to look at.

        Args:
            params: What the user gave to this kind's function in `fb.monitor`.
        """
        ...


MONITORS: PluginGroup[Monitor] = PluginGroup("monitor", "flyball.monitoring.monitors")
