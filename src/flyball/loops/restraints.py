"""What speaks against a training that a trigger calls for: a pause, a freeze, a budget, a source that is broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flyball.loops.loop import Loop
from flyball.monitoring.quality import QualityFinding
from flyball.monitoring.windows import Window

_BROKEN_SHARE = 0.5
_FAILURES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A training that was, as far as restraints care."""

    created: datetime
    failed: bool = False


def restraint(loop: Loop, past: Sequence[Past], now: datetime, *, trigger: str, windows: Sequence[Window]) -> str:
    """What speaks against starting a training now, in words; empty if nothing does.

    Args:
        past: The loop's trainings, newest first.
        trigger: What calls for it.
        windows: The windows since the champion took over, newest first.
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
    if keeps_failing(past):
        return "its last three trainings failed; look at them and trigger one by hand"
    fault = broken_source(windows) if trigger in ("drift", "decay") else None
    if fault is not None:
        return f"the inputs are broken ({fault.column}: {fault.detail}), and learning from them cannot help; mend the source"
    return ""


def keeps_failing(past: Sequence[Past]) -> bool:
    """Whether the latest trainings all failed, so that a person should look."""
    return len(past) >= _FAILURES and all(each.failed for each in past[:_FAILURES])


def broken_source(windows: Sequence[Window]) -> QualityFinding | None:
    """A fault of the latest window by which most values of a column are gone: no change of the world, a broken source."""
    for fault in windows[0].quality if windows else ():
        if fault.kind in ("missing", "unreadable", "repeated") and fault.current - fault.reference >= _BROKEN_SHARE:
            return fault
    return None
