"""The controller as a process of its own: `python -m flyball.server.controller`, with the settings in its environment."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading

from flyball.executors.local import LocalExecutor
from flyball.loops.controller import Controller
from flyball.loops.sources import Sources
from flyball.server.part import begin_part
from flyball.workspace import Workspace

logger = logging.getLogger(__name__)


def main() -> int:
    """Acts for the workspace's loops until it is told to stop."""
    settings, stop = begin_part("flyball.server.controller", __doc__)
    holder = f"{socket.gethostname()}-{os.getpid()}"
    pause = 0.02 if settings.clock == "virtual" else 0.5
    with Workspace(settings) as workspace:
        executor = LocalExecutor(workspace.settings.workspace / "jobs")
        if settings.openlineage:
            threading.Thread(target=tell_openlineage, args=(workspace, stop), name="openlineage", daemon=True).start()
        controller = Controller(workspace, executor, holder, pause=pause)
        if settings.clock != "virtual":  # there, what is new comes when the replay says so
            sources = Sources(workspace, may_look=lambda: controller.is_acting)
            threading.Thread(target=sources.run, args=(stop,), name="sources", daemon=True).start()
        controller.run(stop)
        executor.close()
    return 0


def tell_openlineage(workspace: Workspace, stop: threading.Event, pause: float = 2.0) -> None:
    """Sends what happens as OpenLineage events until it is told to stop; waits longer while the receiver is down."""
    emitter = workspace.openlineage
    emitter.start()
    wait = pause
    while not stop.wait(wait):
        try:
            error = emitter.send().error
        except Exception:  # a thread that ends would keep everything back until the next start
            logger.exception("OpenLineage events could not be sent")
            error = "see above"
        else:
            if error:
                logger.warning("OpenLineage events wait", extra={"error": error})
        wait = min(wait * 2, 60.0) if error else pause


if __name__ == "__main__":
    sys.exit(main())
