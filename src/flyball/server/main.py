"""The server as a process of its own: `python -m flyball.server.main`, with the settings in its environment."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading

import uvicorn

from flyball.errors import FlyballError, InvalidInput
from flyball.server.app import ReadyCheck, create_app
from flyball.server.ready import controller_ready, model_server_ready
from flyball.settings import load_settings
from flyball.workspace import Workspace

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check_host(host: str) -> str:
    """Gives the address back if the server may bind to it.

    Raises:
        InvalidInput: others could reach it, and no login is set up.
    """
    if host not in _LOOPBACK:
        raise InvalidInput(
            f"The server will not listen on {host}: no login is set up, so anyone who reaches it could change everything.",
            hint="Use --host 127.0.0.1, and a tunnel (ssh -L) to reach it from elsewhere.",
        )
    return host


def main() -> int:
    """Serves the workspace until it is told to stop."""
    parser = argparse.ArgumentParser(prog="flyball.server.main", description=__doc__)
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input closes")
    parser.add_argument("--expect-controller", action="store_true", help="be ready only when a controller is at work")
    parser.add_argument("--expect-model-server", metavar="URL", help="be ready only when this model server is")
    arguments = parser.parse_args()
    settings = load_settings()
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        check_host(settings.host)
    except FlyballError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if arguments.with_parent:
        threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
    with Workspace(settings) as workspace:
        ready: list[ReadyCheck] = []
        if arguments.expect_controller:
            ready.append(lambda: controller_ready(workspace))
        if arguments.expect_model_server:
            ready.append(lambda: model_server_ready(arguments.expect_model_server))
        serving: list[uvicorn.Server] = []
        # A stream that a browser holds ends when the server is told to stop, and not by being cut off.
        app = create_app(workspace, ready=ready, stopping=lambda: any(server.should_exit for server in serving))
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=3,
        )
        serving.append(uvicorn.Server(config))
        serving[0].run()
        return 0 if serving[0].started else 3


def _follow_parent() -> None:
    # The parent holds the other end; when it dies, however it dies, the end closes.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
