"""Looks at the sources of datasets that are declared with `watch`, so that what is new makes a snapshot by itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from flyball.data.snapshot import Service
from flyball.data.watch import Look, Watcher
from flyball.loops.services import Services
from flyball.refs import Ref

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 1.0
_CAUSE = "source"


class Sources:
    """The watched sources of a workspace.

    Args:
        may_look: Whether to look now: of several controllers, the one that acts for the loops does.
    """

    def __init__(self, workspace: Services, *, may_look: Callable[[], bool] = lambda: True) -> None:
        settings = workspace.settings
        self._workspace = workspace
        self._may_look = may_look
        self._watcher = Watcher(
            workspace.data,
            workspace.blobs,
            workspace.time,
            root=settings.root,
            cache=workspace.cache,
            service=Service(endpoint=settings.s3_endpoint, region=settings.s3_region),
        )

    def run(self, stop: threading.Event) -> None:
        """Looks until it is told to stop, each source as often as is declared. For a thread of its own: reading takes its time."""
        while not stop.wait(_PAUSE_SECONDS):
            try:
                if self._may_look():
                    self.look()
            except Exception:  # a thread that ends would leave all sources unwatched until the next start
                logger.exception("the sources of datasets could not be looked at")

    def look(self) -> list[Look]:
        """Looks at those for which it is time; one that cannot be read opens an alert, which ends when it can again."""
        found = self._watcher.look()
        for look in found:
            if look.problem:
                self._complain(look)
            else:
                self._settle(look)
        return found

    def _complain(self, look: Look) -> None:
        logger.warning("a source cannot be read", extra={"dataset": look.dataset, "problem": look.problem})
        self._workspace.alerts.open(
            severity="warning",
            kind="source",
            subject=_subject(look),
            cause=_CAUSE,
            title=f"The source of '{look.dataset}' cannot be read",
            detail=look.problem,
        )

    def _settle(self, look: Look) -> None:
        for alert in self._workspace.alerts.list("active", subject=_subject(look)):
            if alert.cause == _CAUSE:
                self._workspace.alerts.resolve(alert.id, "It can be read again.")


def _subject(look: Look) -> str:
    return str(Ref(kind="datasets", name=look.dataset))
