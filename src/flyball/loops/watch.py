"""Watches a deployment: examines each window once it has closed, and again when its ground truth has come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flyball.deployment.deployments import Deployment
from flyball.loops.loop import Loop
from flyball.loops.services import Services
from flyball.loops.upgrades import tell_upgrades
from flyball.monitoring.examine import examine_window
from flyball.monitoring.profile import Reference
from flyball.registry.versions import ModelVersion
from flyball.serialization import from_json

_ON_ITS_WAY = timedelta(seconds=1.5)
"""How long a prediction may be on its way to the log, in system time: a window is looked at when its last one is there."""
_EPOCH = datetime(1970, 1, 5, tzinfo=UTC)
"""Windows are counted from a Monday, so that weeks begin where people begin them."""


class Watch:
    """Examines the windows of one loop's deployment."""

    def __init__(self, workspace: Services) -> None:
        self._workspace = workspace
        self._references: dict[str, Reference | None] = {}

    def examine(self, loop: Loop, deployment: Deployment, now: datetime) -> bool:
        """Examines the windows that have closed or whose truth is complete; whether there was one."""
        length, delay = timedelta(seconds=loop.window_seconds), timedelta(seconds=loop.label_delay_seconds)
        if self._workspace.settings.clock != "virtual":
            now -= _ON_ITS_WAY
        known = {window.start: window for window in self._workspace.monitoring.list_windows(loop.name, limit=400)}
        worked = False
        start = _EPOCH + ((max(deployment.created, now - 300 * length)) - _EPOCH) // length * length
        while (end := start + length) <= now:
            complete = end + delay <= now
            seen = known.get(start)
            if seen is None or (complete and not seen.complete):
                self._examine_one(loop, deployment, start, end, complete=complete)
                worked = True
            start = end
        if worked:
            tell_upgrades(self._workspace, deployment.name)
        return worked

    def champion_since(self, deployment: Deployment) -> datetime:
        """When the present champion took over."""
        since = deployment.updated
        for revision in self._workspace.deployments.history(deployment.name, limit=200):
            if revision.champion != deployment.champion:
                break
            since = revision.at
        return since

    def _examine_one(
        self, loop: Loop, deployment: Deployment, start: datetime, end: datetime, *, complete: bool
    ) -> None:
        champion = self._workspace.registry.get_version(f"models:/{loop.name}/{deployment.champion}")
        window = examine_window(
            self._workspace.store,
            self._workspace.monitoring,
            deployment=loop.name,
            start=start,
            end=end,
            reference=self._reference(champion),
            monitors=loop.monitors,
            complete=complete,
            alerts=self._workspace.alerts,
            champion=champion.version,
            alarms=loop.alarms,
        )
        self._workspace.monitoring.record_window(window)

    def _reference(self, champion: ModelVersion) -> Reference | None:
        if not champion.reference:
            return None
        if champion.reference not in self._references:
            self._references[champion.reference] = from_json(self._workspace.blobs.get(champion.reference), Reference)
        return self._references[champion.reference]
