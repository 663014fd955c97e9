"""Deadlines: `fb.due("0 6 * * 1-5", zone="Europe/Vienna")`. What has not finished by then is an alert."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from flyball.clock import format_duration, parse_duration
from flyball.errors import InvalidInput
from flyball.loops.finished import finished_run
from flyball.loops.loop import Deadline
from flyball.loops.loops import LoopState
from flyball.loops.on import check_cron
from flyball.loops.services import Services
from flyball.loops.triggers.schedule import latest_time
from flyball.refs import Ref

_CAUSE = "due:"
Severity = Literal["info", "warning", "critical"]


@dataclass(slots=True)
class Deadlines:
    """Looks whether what a loop promises was there in time."""

    workspace: Services

    def attend(self, state: LoopState, now: datetime) -> None:
        """Opens an alert for each deadline that was missed, and ends it when what was due has come late."""
        for due in state.loop.due:
            self._look(state, due, now)

    def _look(self, state: LoopState, due: Deadline, now: datetime) -> None:
        by = latest_time(due.cron, due.zone, now)
        if by <= state.applied:
            return
        subject, cause = str(Ref(kind="loops", name=state.loop.name)), f"{_CAUSE}{due.pipeline}:{by.isoformat()}"
        ended = self._latest_end(state, due)
        begun = by - timedelta(seconds=due.within_seconds)
        if ended is not None and ended > begun:
            if ended > by:
                self._settle(subject, cause, ended, due)
            return
        if any(alert.cause == cause for alert in self.workspace.alerts.list(subject=subject, limit=200)):
            return  # it was told; a person may have closed it
        what = f"The pipeline '{due.pipeline}'" if due.pipeline else "A training"
        shown = f"{by.astimezone(ZoneInfo(due.zone)):%Y-%m-%d %H:%M} {due.zone}"
        last = "never" if ended is None else f"at {ended:%Y-%m-%d %H:%M} UTC"
        self.workspace.alerts.open(
            severity=due.severity, kind="deadline", subject=subject, cause=cause,
            title=f"{what} had not finished by {shown}",
            detail=f"It was due within {format_duration(timedelta(seconds=due.within_seconds))} before. It last finished {last}.",
            facts={"due": by.isoformat(), "decide": "See what it waits for: `flyball loops why`, `flyball runs list`."},
        )  # fmt: skip

    def _settle(self, subject: str, cause: str, ended: datetime, due: Deadline) -> None:
        late = [alert for alert in self.workspace.alerts.list("active", subject=subject) if alert.cause == cause]
        for alert in late:
            self.workspace.alerts.resolve(alert.id, f"It has finished at {ended:%Y-%m-%d %H:%M} UTC, too late.")

    def _latest_end(self, state: LoopState, due: Deadline) -> datetime | None:
        if due.pipeline:
            run = finished_run(self.workspace, due.pipeline)
            return None if run is None else run.ended
        trainings = self.workspace.loops.list_trainings(state.loop.name, limit=50)
        ends = [each.ended for each in trainings if each.kind == "train" and each.state == "succeeded" and each.ended]
        return max(ends, default=None)


def due(
    cron: str, *, zone: str = "UTC", within: str = "1d", pipeline: str = "", severity: Severity = "critical"
) -> Deadline:
    """A training of the loop, or a run of a pipeline, has finished by each time of a cron expression; else an alert is opened.

    Args:
        cron: Such as `0 6 * * 1-5`: at six on weekdays.
        zone: Time zone of the expression, such as `Europe/Vienna`.
        within: How long before that time it must have finished, to count for it.
        pipeline: Name of the pipeline that must have finished; by default a training of the loop.
        severity: Of the alert.

    Raises:
        InvalidInput: the expression, the zone or the length cannot be used.
    """
    check_cron(cron, zone)
    seconds = parse_duration(within).total_seconds()
    if seconds <= 0:
        raise InvalidInput(f"A deadline within '{within}' cannot be kept.", hint="Give a length such as '1d'.")
    return Deadline(cron=cron, zone=zone, within_seconds=seconds, pipeline=pipeline, severity=severity)
