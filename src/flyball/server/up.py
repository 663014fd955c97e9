"""Everything on one machine: server, controller and model server as supervised children of one process."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Self

from flyball.access.local import LocalOwner
from flyball.errors import Conflict, InvalidInput, WorkFailed
from flyball.server.hosts import LOOPBACK, LOOPBACK_HOST, check_address
from flyball.server.supervisor import Child, Supervisor
from flyball.settings import HOME, PROJECTS, Settings, as_environment

_READY_SECONDS = 60.0
# Three starts at once on few cores are three late ones, and it is the server that people wait for.
_DELAY = 0.4


class Up:
    """A workspace brought up on this machine.

    Args:
        settings: What the workspace, the host and the port are; port 0 takes free ones.
        say: Told in words when a child ends and is started again.

    Raises:
        Conflict: the workspace is up already, or a port is taken.
        InvalidInput: the host can be reached from elsewhere.
    """

    def __init__(self, settings: Settings, *, say: Callable[[str], None] = lambda _: None) -> None:
        check_address(settings)
        settings.workspace.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _lock(settings.workspace)
        try:
            self._supervisor = self._prepare(settings, say)
        except BaseException:
            self._lock.close()
            raise

    def _prepare(self, settings: Settings, say: Callable[[str], None]) -> Supervisor:
        port = settings.port or free_port(settings.host)
        model_port = port + 1 if settings.port else free_port(settings.host)
        for wanted in (port, model_port):
            _check_port(settings.host, wanted)
        self.settings = replace(settings, port=port, url="", project=HOME)  # one server for all projects
        scheme = "https" if settings.tls_cert else "http"
        self.url = f"{scheme}://{settings.host}:{port}"
        # Model servers ask nobody who they are, so they stand where this machine alone reaches them.
        self._model_host = settings.host if settings.host in LOOPBACK else LOOPBACK_HOST
        self.model_url = f"http://{self._model_host}:{model_port}"
        return Supervisor(self._children(model_port), settings.workspace / "logs", say=say)

    def __enter__(self) -> Self:
        self._supervisor.start()
        try:
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise
        facts = {"url": self.url, "model_url": self.model_url, "pid": os.getpid()}
        (self.settings.workspace / "up.json").write_text(json.dumps(facts), encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def watch(self, stop: Callable[[], bool]) -> None:
        """Keeps the children going until told to stop."""
        has_keeper = False
        while not stop():
            if not has_keeper and (self.settings.workspace / PROJECTS).is_dir():
                has_keeper = True  # with the first project somebody has to look after projects
                self._supervisor.add(self._keeper())
            self._supervisor.check()
            time.sleep(0.2)

    @property
    def link(self) -> str:
        """An address that opens the page once, for who sits at this machine; the page's own where people log in."""
        return page_link(self.settings, self.url)

    def close(self) -> None:
        """Stops the children, first kindly."""
        self._supervisor.stop()
        (self.settings.workspace / "up.json").unlink(missing_ok=True)
        self._lock.close()

    def _children(self, model_port: int) -> list[Child]:
        environment = {**os.environ, **as_environment(self.settings)}
        environment.pop("FLYBALL_URL", None)
        python = sys.executable
        serve = [python, "-m", "flyball.server.main", "--with-parent", "--expect-controller"]
        model_server = [
            python, "-m", "flyball.serving.model_server", "--with-parent", "--objects", self.settings.objects,
            "--host", self._model_host, "--port", str(model_port), "--replica", "local-0",
            "--online", self.settings.online, "--spool", str(self.settings.workspace / "predictions"),
            *(["--otlp", self.settings.otlp] if self.settings.otlp else []),
        ]  # fmt: skip
        return [
            Child("server", (*serve, "--expect-model-server", self.model_url), environment),
            Child("controller", (python, "-m", "flyball.server.controller", "--with-parent"), environment, _DELAY),
            # One request is small: threads inside it cost more than they bring, and other requests want the cores.
            Child("model-server", tuple(model_server), {"OMP_NUM_THREADS": "1", **environment}, _DELAY),
        ]

    def _keeper(self) -> Child:
        environment = {**os.environ, **as_environment(self.settings)}
        environment.pop("FLYBALL_URL", None)
        command = (sys.executable, "-m", "flyball.server.project_keeper", "--with-parent")
        return Child("projects", command, environment)

    def _wait_until_ready(self) -> None:
        import urllib3  # the server begins meanwhile

        # We have started it ourselves and tell it nothing: whom its certificate names does not matter here.
        http = urllib3.PoolManager(cert_reqs="CERT_NONE", assert_hostname=False)
        deadline, waiting = time.monotonic() + _READY_SECONDS, "the server does not answer"
        while time.monotonic() < deadline:
            self._supervisor.check()
            self._tell_why_not()
            try:
                answer = http.request("GET", f"{self.url}/health", timeout=2.0, retries=False)
                if answer.status == 200:
                    return
                waiting = "; ".join(answer.json().get("waiting_for", [])) or waiting
            except (urllib3.exceptions.HTTPError, ValueError):
                pass
            time.sleep(0.05)
        raise WorkFailed(
            f"The workspace was not ready after {_READY_SECONDS:.0f} seconds: {waiting}.",
            hint=f"See the logs in {self.settings.workspace / 'logs'}.",
        )

    def _tell_why_not(self) -> None:
        """Where the server does not start, what is wrong with the workspace is told to who asked for it."""
        server = next(state for state in self._supervisor.states() if state.name == "server")
        if server.reason:
            from flyball.workspace import Workspace

            with Workspace(self.settings) as workspace:
                workspace.database.close()


def page_link(settings: Settings, url: str) -> str:
    """An address that opens the page of a server once; where people log in, the page's own."""
    project = "" if settings.is_home else f"/{PROJECTS}/{settings.project}"
    if settings.auth != "local":
        return f"{(settings.behind_proxy or url).rstrip('/')}{project}{'/' if project else ''}"
    return f"{url}{project}/login/link?ticket={LocalOwner.of(settings.workspace).new_ticket()}"


def _lock(workspace: Path) -> IO[str]:
    file = (workspace / "up.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise Conflict(
            f"The workspace {workspace} is up already{_address(workspace)}.", hint="Stop it first."
        ) from None
    return file


def _address(workspace: Path) -> str:
    try:
        return f" at {json.loads((workspace / 'up.json').read_text(encoding='utf-8'))['url']}"
    except (OSError, ValueError, KeyError):
        return ""


def free_port(host: str) -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _check_port(host: str, port: int) -> None:
    if port > 65_535:
        raise InvalidInput(
            "The model server takes the port after the server's, and there is none.", hint="Choose a lower one."
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Conflict(
                f"Port {port} of {host} is taken: {error.strerror}.", hint="Choose another with --port."
            ) from error
