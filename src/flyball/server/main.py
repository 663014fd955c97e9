"""The server as a process of its own: `python -m flyball.server.main`, with the settings in its environment."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import sys
import threading

import uvicorn
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp

from flyball.errors import FlyballError
from flyball.server.app import ReadyCheck, create_app
from flyball.server.door import headers_of
from flyball.server.hosts import check_address
from flyball.server.protocols.mlflow import QUICK
from flyball.server.quick import quick_protocol
from flyball.server.ready import controller_ready, model_server_ready
from flyball.settings import PROJECTS, load_settings
from flyball.storage.probing import check_store
from flyball.workspace import Workspace

logger = logging.getLogger(__name__)


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
        check_address(settings)
    except FlyballError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    gc.disable()  # nothing becomes garbage while modules are loaded
    if arguments.with_parent:
        threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
    with Workspace(settings) as workspace:
        if "://" in settings.objects:
            try:
                check_store(workspace.store)
            except FlyballError as error:
                sys.stderr.write(f"{error}\n")
                return 2
        ready: list[ReadyCheck] = []
        if arguments.expect_controller:
            ready.append(lambda: controller_ready(workspace))
        if arguments.expect_model_server:
            ready.append(lambda: model_server_ready(arguments.expect_model_server))
        serving: list[uvicorn.Server] = []
        # A stream that a browser holds ends when the server is told to stop, and not by being cut off.
        app = create_app(
            workspace,
            ready=ready,
            stopping=lambda: any(server.should_exit for server in serving),
            model_server=arguments.expect_model_server or "",
        )
        server = make_server(workspace, app, host=settings.host, port=settings.port)
        serving.append(server)
        threading.Thread(target=_note_projects, args=(workspace,), name="projects", daemon=True).start()
        # What is loaded by now stays: to look through it again and again costs more than to answer.
        gc.freeze()
        gc.enable()
        server.run()
        return 0 if server.started else 3


def _note_projects(workspace: Workspace) -> None:
    """Makes the folder by which the keeper of projects is started, where another machine has made some."""
    try:
        if workspace.projects.active():
            (workspace.settings.workspace / PROJECTS).mkdir(exist_ok=True)
    except (FlyballError, SQLAlchemyError, OSError):
        logger.exception("it is not known whether there are projects to look after")


def make_server(workspace: Workspace, app: ASGIApp, *, host: str, port: int, grace: int = 3) -> uvicorn.Server:
    """A web server of the workspace's application, not yet started.

    Args:
        grace: Seconds in which it answers what it was asked before it stops.
    """
    settings = workspace.settings
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        http=quick_protocol(workspace, QUICK, headers_of(settings)),
        ssl_certfile=settings.tls_cert or None,
        ssl_keyfile=settings.tls_key or None,
        # What somebody writes of where they come from is believed of the proxy alone.
        proxy_headers=bool(settings.behind_proxy),
        forwarded_allow_ips=[name.strip() for name in settings.proxies.split(",") if name.strip()],
        server_header=False,
        timeout_graceful_shutdown=grace,
    )
    return uvicorn.Server(config)


def _follow_parent() -> None:
    # The parent holds the other end; when it dies, however it dies, the end closes.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
