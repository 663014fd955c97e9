"""The controller: reads the facts of every loop, takes the next step, and can be killed at any point.

Level-triggered: each pass asks what is true now, never what happened since. Every step is idempotent or stands in one
transaction, so a pass that was cut off is simply done again. Many may run; a lease with a fencing token lets one act.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta

from flyball.alerts.delivery import deliver
from flyball.deployment.manifest import followers, publish, withdraw
from flyball.errors import FlyballError, LeaseLost
from flyball.executors.base import Executor
from flyball.loops.keeper import LoopKeeper
from flyball.loops.services import Services
from flyball.serving.manifest import DEPLOYMENTS, deployment_of
from flyball.storage.database import Lease

logger = logging.getLogger(__name__)

LEASE = "controller"
_TTL = timedelta(seconds=6)
_FOLLOWER_SILENT = timedelta(seconds=15)


class Controller:
    """Acts for all loops of a workspace while it holds the lease.

    Args:
        workspace: The workspace whose loops are kept.
        executor: Where trainings run.
        holder: Name of this controller, other than that of any other.
        pause: Seconds between two passes in which nothing was to do.
    """

    def __init__(self, workspace: Services, executor: Executor, holder: str, *, pause: float = 0.5) -> None:
        self._workspace = workspace
        self._executor = executor
        self._holder = holder
        self._pause = pause
        self._keepers: dict[str, LoopKeeper] = {}

    def run(self, stop: threading.Event) -> None:
        """Acts until it is told to stop; gives the lease back then."""
        lease: Lease | None = None
        while not stop.is_set():
            busy = False
            try:
                lease = self._workspace.database.lease(LEASE, self._holder, _TTL)
                if lease is not None:
                    with _Renewal(self._workspace, self._holder):
                        busy = self.step(lease)
            except LeaseLost:
                logger.warning("another controller took over", extra={"holder": self._holder})
            except Exception:
                # A controller that ends at the first surprise keeps no loop: tell, wait, read the facts again.
                logger.exception("a pass failed")
                stop.wait(1.0)
            stop.wait(0.01 if busy else self._pause)
        if lease is not None:
            self._workspace.database.release(lease)

    def step(self, lease: Lease) -> bool:
        """Makes one pass over everything; whether something was done or is under way."""
        workspace = self._workspace
        now = workspace.time.now()
        busy = False
        for state in workspace.loops.list(limit=1000):
            keeper = self._keepers.setdefault(state.loop.name, LoopKeeper(workspace, self._executor))
            try:
                busy |= keeper.act(state, now, lease)
            except LeaseLost:
                raise
            except FlyballError as error:
                # One loop that cannot go on must not stop the others.
                busy |= keeper.complain(state, error)
        busy |= self._publish()
        deliver(workspace.alerts, {state.loop.name: state.loop.channels for state in workspace.loops.list(limit=1000)})
        workspace.tracking.mark_lost(older_than_seconds=10)
        if not busy and workspace.settings.clock == "virtual":
            workspace.clock.settle(now)
        return busy

    def _publish(self) -> bool:
        """Brings the manifests to the deployments' state; whether a model server has yet to follow."""
        workspace, busy = self._workspace, False
        deployments = workspace.deployments.list(limit=1000)
        for deployment in deployments:
            busy |= publish(workspace.store, deployment, workspace.registry)
            busy |= _someone_lags(workspace, deployment.name, deployment.generation)
        served = {deployment.name for deployment in deployments}
        for item in workspace.store.list(DEPLOYMENTS):
            name = deployment_of(item.key)
            if name is not None and name not in served:
                withdraw(workspace.store, name)
        return busy


class _Renewal:
    """Keeps the lease while a pass takes longer than it lasts."""

    def __init__(self, workspace: Services, holder: str) -> None:
        self._workspace = workspace
        self._holder = holder
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._done.wait(_TTL.total_seconds() / 3):
            self._workspace.database.lease(LEASE, self._holder, _TTL)


def _someone_lags(workspace: Services, name: str, generation: int) -> bool:
    # Model servers report by the system's time, whatever time the workspace lives in.
    from flyball.clock import SystemClock

    alive: datetime = SystemClock().now() - _FOLLOWER_SILENT
    reports = [report for report in followers(workspace.store, name) if report.at >= alive]
    return any(report.generation < generation and report.state != "failed" for report in reports)
