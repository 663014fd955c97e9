"""What a trigger is: a question to the facts, answered with a cause or with a reason to wait."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from flyball.data.snapshot import Snapshot
from flyball.events import Event
from flyball.monitoring.windows import Window
from flyball.registry.versions import ModelVersion
from flyball.tracking.nouns import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopFacts:
    """What a trigger may look at.

    Attributes:
        now: The present moment.
        champion: The version that answers; None before the first.
        windows: The windows examined since the champion took over, newest first.
        last_training: When the last training of this loop was started; None before the first.
        applied: When the loop was first handed over.
        snapshots: The latest snapshot of each dataset a trigger names.
        code: Digest of the code that is applied.
        finished: The latest finished run of each pipeline a trigger names.
        signals: What was said from outside, newest first.
        labels_come: Whether ground truth has ever come to this loop's predictions.
    """

    now: datetime
    champion: ModelVersion | None
    windows: tuple[Window, ...]
    last_training: datetime | None
    applied: datetime
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    labels_come: bool = False
    code: str = ""
    finished: dict[str, Run] = field(default_factory=dict)
    signals: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """A training is called for.

    Attributes:
        cause: What called for it; one cause starts one training, however often it is seen.
        reason: The same in a sentence.
        evidence: Figures behind it.
        confidence: How sure it is, in words.
    """

    cause: str
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)
    confidence: str = ""


class Trigger(Protocol):
    """Looks at the facts and says whether a training is called for."""

    def fires(self, facts: LoopFacts, params: dict[str, Any]) -> Fire | None:
        """The cause for a training, or None."""
        ...
