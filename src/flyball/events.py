"""Facts that rooms tell those above them.

An event is written in the same transaction as the fact it tells (`storage/event_log.py`), so there is never the one
without the other. Its kind is `<room>.<what happened>`, in the past tense.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from flyball.serialization import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact in the event log.

    Attributes:
        id: Place in the log; grows.
        kind: For example `registry.version_registered`.
        subject: The thing it is about, as the text of a `Ref`.
        at: When it happened, by the workspace's clock.
        facts: What happened, in plain values.
    """

    id: int
    kind: str
    subject: str
    at: datetime
    facts: dict[str, JsonValue] = field(default_factory=dict)
