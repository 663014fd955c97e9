"""Schedule: at the times of a cron expression, in a time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from croniter import croniter

from flyball.loops.triggers.base import Fire, LoopFacts, Trigger

_PUNCTUAL = timedelta(minutes=10)


class Schedule:
    """Fires once for the latest time that has come since the last training.

    Of several times that were missed only the latest counts; with `catch_up` "none" not even that, if it is more than ten
    minutes past.
    """

    def fires(self, facts: LoopFacts, params: dict[str, Any]) -> Fire | None:
        """The latest scheduled time since the last training, if one has come."""
        zone = params.get("zone", "UTC")
        due = latest_time(params["cron"], zone, facts.now)
        since = facts.last_training or facts.applied
        if due <= since or (params.get("catch_up") == "none" and facts.now - due > _PUNCTUAL):
            return None
        shown = due.astimezone(ZoneInfo(zone))
        where = "" if zone == "UTC" else f" {zone}"
        return Fire(
            cause=f"schedule:{due.isoformat()}",
            reason=f"scheduled for {shown:%Y-%m-%d %H:%M}{where} ({params['cron']})",
        )


def latest_time(cron: str, zone: str, now: datetime) -> datetime:
    """The latest time of a cron expression that has come, in UTC."""
    local = now.astimezone(ZoneInfo(zone))
    # croniter gives the last time strictly before the one it is asked from.
    found: datetime = croniter(cron, local + timedelta(microseconds=1)).get_prev(datetime)
    return found.astimezone(UTC)


plugin: Trigger = Schedule()
