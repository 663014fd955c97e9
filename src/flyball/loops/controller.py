"""The controller: reads the facts of every loop, takes the next step, and can be killed at any point.

Level-triggered: each pass asks what is true now, never what happened since. Every step is idempotent or stands in one
transaction, so a pass that was cut off is simply done again. Many may run; a lease with a fencing token lets one act.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime, timedelta
from typing import Self

from flyball.alerts.delivery import deliver
from flyball.deployment.manifest import followers, publish, withdraw
from flyball.errors import FlyballError, LeaseLost
from flyball.executors.base import Executor, TellsEnds
from flyball.loops.errand_keeper import ErrandKeeper
from flyball.loops.keeper import LoopKeeper
from flyball.loops.lease import LEASE
from flyball.loops.model_searches import ModelSearches
from flyball.loops.services import Services
from flyball.refs import Ref
from flyball.serving.compaction import compact
from flyball.serving.manifest import DEPLOYMENTS, deployment_of
from flyball.storage.database import Lease

logger = logging.getLogger(__name__)

_TTL = timedelta(seconds=6)
_SWEEP_SECONDS = 2.0
_TIDY_SECONDS = 60.0
_TIDIED_AT_ONCE = 2
_FOLLOWER_SILENT = timedelta(seconds=15)
_GLANCE_SECONDS = 0.1
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Controller:
    """Acts for all loops of a workspace while it holds the lease.

    Args:
        workspace: The workspace whose loops are kept.
        executor: Where trainings run.
        holder: Name of this controller, other than that of any other.
        pause: Seconds between two passes in which nothing was to do.

    Attributes:
        is_acting: Whether it held the lease when it last looked.
    """

    def __init__(self, workspace: Services, executor: Executor, holder: str, *, pause: float = 0.5) -> None:
        self._workspace = workspace
        self._executor = executor
        self._holder = holder
        self._pause = pause
        self._errands = ErrandKeeper(workspace, executor)
        self._keepers: dict[str, LoopKeeper] = {}
        self._model_searches = ModelSearches(workspace, executor)
        self._swept = 0.0
        self._tidied = time.monotonic()
        self._quiet: tuple[datetime, int] | None = None
        self._seen: tuple[datetime, int] | None = None
        self.is_acting = False
        self._woken = threading.Event()
        if isinstance(executor, TellsEnds):
            executor.tell_ends(self._woken.set)

    def run(self, stop: threading.Event) -> None:
        """Acts until it is told to stop; gives the lease back then."""
        with _Tenure(self._workspace, self._holder) as tenure:
            while not stop.is_set():
                pause = self._pause
                try:
                    lease = tenure.lease()
                    self.is_acting = lease is not None
                    if lease is not None and self._is_due():
                        pause = self._pause_after(self.step(lease))
                except LeaseLost:
                    self.is_acting = False
                    logger.warning("another controller took over", extra={"holder": self._holder})
                    tenure.forget()
                except Exception:
                    # A controller that ends at the first surprise keeps no loop: tell, wait, read the facts again.
                    logger.exception("a pass failed")
                    self._quiet = None
                    stop.wait(1.0)
                self._rest(stop, pause)

    def _rest(self, stop: threading.Event, pause: float) -> None:
        """Waits so long, or until a job ends, or until someone tells of something that has changed."""
        until = time.monotonic() + pause
        while not stop.is_set() and (left := until - time.monotonic()) > 0:
            if self._woken.wait(min(left, _GLANCE_SECONDS)):
                self._woken.clear()
                return
            if self._quiet is not None and left > _GLANCE_SECONDS and self._newest_event() != self._quiet[1]:
                return

    def _pause_after(self, busy: bool) -> float:
        """How long to wait: hardly after something was done, a little while others are at work, else the usual pause."""
        newest = self._moment()
        acted, self._seen = newest != self._seen, newest
        return 0.005 if busy and acted else min(0.1, self._pause * 5) if busy else self._pause

    def _is_due(self) -> bool:
        """Whether anything can have changed since the last pass found nothing to do.

        In system time the hour itself may call for something. In virtual time nothing moves but the clock and what is told
        as an event, so a pass that was quiet stays quiet.
        """
        if self._workspace.settings.clock != "virtual":
            return True
        return self._quiet is None or self._quiet != self._moment()

    def _moment(self) -> tuple[datetime, int]:
        return self._workspace.time.now(), self._newest_event()

    def _newest_event(self) -> int:
        newest = self._workspace.events.list(limit=1, newest_first=True)
        return newest[0].id if newest else 0

    def step(self, lease: Lease) -> bool:
        """Makes one pass over everything; whether something was done or is under way."""
        workspace = self._workspace
        moment = self._moment()
        now, busy = moment[0], False
        for state in workspace.loops.list(limit=1000):
            keeper = self._keepers.setdefault(state.loop.name, LoopKeeper(workspace, self._executor))
            try:
                busy |= keeper.act(state, now, lease)
            except LeaseLost:
                raise
            except FlyballError as error:
                # One loop that cannot go on must not stop the others.
                busy |= keeper.complain(state, error)
        busy |= self._errands.act(lease)
        busy |= self._publish()
        self._model_searches.attend()
        channels = {state.loop.name: state.loop.channels for state in workspace.loops.list(limit=1000)}
        settings = workspace.settings
        # Where only this machine can hand loops over, whoever does could speak to its neighbours without us.
        only_public = (
            settings.host not in _LOOPBACK or bool(settings.behind_proxy)
        ) and settings.webhook_networks == "public"
        scheme = "https" if settings.tls_cert else "http"
        page = settings.behind_proxy or settings.url or f"{scheme}://{settings.host}:{settings.port}"
        deliver(workspace.alerts, channels, page=page, only_public=only_public, reveal=workspace.secrets.resolve)
        workspace.webhooks.deliver_soon()
        if time.monotonic() - self._swept > _SWEEP_SECONDS:
            workspace.tracking.mark_lost(older_than_seconds=10)
            self._swept = time.monotonic()
        if time.monotonic() - self._tidied > _TIDY_SECONDS:
            self._tidied = time.monotonic()
            self._tidy()
        self._quiet = None if busy else moment
        if not busy and workspace.settings.clock == "virtual":
            workspace.clock.settle(now)
        return busy

    def _tidy(self) -> None:
        """Puts segments of prediction logs together, a few at a time: loops wait for it."""
        for deployment in self._workspace.deployments.list(limit=1000):
            try:
                compact(self._workspace.store, deployment.name, most=_TIDIED_AT_ONCE)
            except (FlyballError, OSError, ValueError) as error:  # one that cannot be read stays as it is
                logger.warning("a log was not tidied", extra={"deployment": deployment.name}, exc_info=error)

    def _publish(self) -> bool:
        """Brings the manifests to the deployments' state; whether a model server has yet to follow."""
        workspace, busy = self._workspace, False
        deployments = workspace.deployments.list(limit=1000)
        for deployment in deployments:
            try:
                signer = workspace.manifest_key
                busy |= publish(workspace.store, deployment, workspace.registry, workspace.features, signer)
            except FlyballError as error:
                # One whose version is gone must not keep the others from their model servers.
                _tell_unpublished(workspace, deployment.name, error)
                continue
            busy |= _someone_lags(workspace, deployment.name, deployment.generation)
        served = {deployment.name for deployment in deployments}
        for item in workspace.store.list(DEPLOYMENTS):
            name = deployment_of(item.key)
            if name is not None and name not in served:
                withdraw(workspace.store, name)
        return busy


class _Tenure:
    """Takes the lease, and keeps it from a thread of its own, so that a long pass does not lose it."""

    def __init__(self, workspace: Services, holder: str) -> None:
        self._workspace = workspace
        self._holder = holder
        self._lease: Lease | None = None
        self._until = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        if self._lease is not None:
            self._workspace.database.release(self._lease)

    def lease(self) -> Lease | None:
        """The lease, if this controller holds it."""
        if self._lease is None or time.monotonic() > self._until:
            self._take()
        return self._lease

    def forget(self) -> None:
        """Asks for the lease anew."""
        self._lease = None

    def _take(self) -> None:
        asked = time.monotonic()
        self._lease = self._workspace.database.lease(LEASE, self._holder, _TTL)
        self._until = asked + _TTL.total_seconds()

    def _renew(self) -> None:
        while not self._done.wait(_TTL.total_seconds() / 3):
            try:
                if self._lease is not None:
                    self._take()
            except Exception:
                # The next try comes in time; if none succeeds, the fencing token keeps a late write out.
                logger.exception("the lease could not be renewed")


def _tell_unpublished(workspace: Services, name: str, error: FlyballError) -> None:
    workspace.alerts.open(
        severity="critical",
        kind="deployment",
        subject=str(Ref(kind="deployments", name=name)),
        cause=f"publish:{error.code}",
        title=f"Model servers cannot be told of '{name}'",
        detail=str(error),
    )


def _someone_lags(workspace: Services, name: str, generation: int) -> bool:
    # Model servers report by the system's time, whatever time the workspace lives in.
    from flyball.clock import SystemClock

    alive: datetime = SystemClock().now() - _FOLLOWER_SILENT
    reports = [report for report in followers(workspace.store, name) if report.at >= alive]
    return any(report.generation < generation and report.state != "failed" for report in reports)
