"""What the gates said of a version."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from flyball.serialization import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """What one gate said.

    Attributes:
        gate: Name of the gate, with what tells it from others of its kind: `beats_champion(roc_auc)`.
        reason: Why, in one sentence.
        facts: The numbers behind it, as plain values.
    """

    gate: str
    passed: bool
    reason: str
    facts: dict[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What all gates said: a version passes if each of them lets it."""

    passed: bool
    decisions: tuple[GateDecision, ...]
    at: datetime
