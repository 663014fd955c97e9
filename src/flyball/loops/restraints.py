"""What speaks against a training that a trigger calls for: a pause, a freeze, a budget, a source that is broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from flyball.loops.loop import Loop
from flyball.loops.triggers.base import LoopFacts
from flyball.monitoring.quality import QualityFinding
from flyball.monitoring.windows import Window

_BROKEN_SHARE = 0.5
_FAILURES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A training that was, as far as restraints care.

    Attributes:
        version: The version that came of it.
        core_seconds: Processor time that it took.
    """

    created: datetime
    failed: bool = False
    trigger: str = ""
    version: int | None = None
    core_seconds: float = 0.0


def restraint(loop: Loop, past: Sequence[Past], now: datetime) -> str:
    """What speaks against starting a training now, in words; empty if nothing does.

    Args:
        past: The loop's trainings, newest first.
    """
    if loop.paused:
        return f"the loop is paused ({loop.paused})"
    for each in loop.freeze:
        if (end := each.until(now)) is not None:
            why = f" ({each.reason})" if each.reason else ""
            return f"nothing is started until {end:%Y-%m-%d %H:%M}{why}"
    if past and now - past[0].created < timedelta(seconds=loop.cooldown_seconds):
        return f"the last training was {past[0].created:%Y-%m-%d} and the cool-down is not over"
    week = [each for each in past if now - each.created < timedelta(days=7)]
    if len(week) >= loop.max_trainings_per_week:
        return f"the budget of {loop.max_trainings_per_week} trainings a week is spent"
    spent = sum(each.core_seconds for each in week)
    if loop.max_core_seconds_per_week and spent >= loop.max_core_seconds_per_week:
        return f"the budget of {loop.max_core_seconds_per_week:,.0f} core-seconds a week is spent ({spent:,.0f})"
    return ""


def in_vain(past: Sequence[Past], champion: int) -> int:
    """How many of the latest trainings made a version that did not become champion."""
    count = 0
    for each in past:
        if each.failed or each.version is None or each.version == champion:
            break
        count += 1
    return count


def no_new_labels(facts: LoopFacts) -> str:
    """Why nothing of a drift can be learned yet, in words; empty if it can, or if labels do not come this way at all."""
    drifted = list(takewhile(lambda window: window.drift is not None and window.drift.drifted, facts.windows))
    if not facts.labels_come or not drifted or any(window.labelled for window in drifted):
        return ""
    return "no label has come in for what has drifted, and without labels nothing of the change can be learned"


def keeps_failing(past: Sequence[Past]) -> bool:
    """Whether the latest trainings all failed, so that a person should look."""
    return len(past) >= _FAILURES and all(each.failed for each in past[:_FAILURES])


def broken_source(windows: Sequence[Window]) -> QualityFinding | None:
    """A fault of the latest window by which most values of a column are gone: no change of the world, a broken source."""
    for fault in windows[0].quality if windows else ():
        if fault.kind in ("missing", "unreadable", "repeated") and fault.current - fault.reference >= _BROKEN_SHARE:
            return fault
    return None
