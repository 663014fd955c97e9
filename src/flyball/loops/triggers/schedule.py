"""Schedule: at the times of a cron expression, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from croniter import croniter

from flyball.loops.triggers.base import Fire, LoopFacts, Trigger


class Schedule:
    """Fires once for the latest time that has come since the last training; times missed are not made up for."""

    def fires(self, facts: LoopFacts, params: dict[str, Any]) -> Fire | None:
        """The latest scheduled time since the last training, if one has come."""
        due: datetime = croniter(params["cron"], facts.now).get_prev(datetime)
        if croniter.match(params["cron"], facts.now):
            due = facts.now.replace(second=0, microsecond=0)
        due = due.astimezone(UTC)
        since = facts.last_training or facts.applied
        if due <= since:
            return None
        return Fire(
            cause=f"schedule:{due.isoformat()}", reason=f"scheduled for {due:%Y-%m-%d %H:%M} ({params['cron']})"
        )


plugin: Trigger = Schedule()
