"""Keeps controllers and model servers alive for those projects that have work for them: `python -m flyball.server.project_keeper`.

One process looks after all projects of a workspace. A project without loops and models has no process of its own. It also
brings every project's tables to this release's, counts what projects keep, and removes those whose days of grace are over.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from flyball.access.removing import remove_places
from flyball.server.hosts import LOOPBACK_HOST
from flyball.server.part import begin_part
from flyball.server.supervisor import Child, Supervisor
from flyball.server.up import free_port
from flyball.settings import Settings, as_environment
from flyball.workspace import Workspace

logger = logging.getLogger(__name__)

_LOOK_EVERY = 2.0
_TIDY_EVERY = 60.0
_COUNT_EVERY = 900.0


class ProjectKeeper:
    """Starts and stops the processes of projects.

    Args:
        home: The workspace whose projects they are.
        supervisor: What keeps the processes alive.
    """

    def __init__(self, home: Workspace, supervisor: Supervisor) -> None:
        self._home = home
        self._supervisor = supervisor
        self._seen: dict[str, tuple[object, frozenset[str]]] = {}
        self._running: dict[str, frozenset[str]] = {}
        self._ports: dict[str, int] = {}
        self._own: dict[str, Settings] = {}
        self._ending: list[tuple[str, threading.Thread]] = []

    def look(self) -> None:
        """Starts what projects have come to need, and stops what they need no longer."""
        wanted = {name: self._wanted(name) for name in self._home.projects.active()}
        for name in sorted({*wanted, *self._running}):
            self._bring_to(name, wanted.get(name, frozenset()))
        self._running = {name: parts for name, parts in wanted.items() if parts}
        self._sweep_after()
        self._seen = {name: seen for name, seen in self._seen.items() if name in wanted}

    def tidy(self) -> None:
        """Removes projects whose days of grace are over."""
        for name in self._home.projects.purge():
            logger.info("a deleted project was removed", extra={"project": name})
        self._home.opened.close_idle()

    def count(self) -> None:
        """Counts what each project keeps in files."""
        for name in self._home.projects.active():
            try:
                with self._home.opened.use(name, self._home.projects.state_of(name)) as project:
                    size = sum(item.size for item in project.store.list(""))
                self._home.projects.note(name, stored_bytes=size)
            except Exception:  # one that cannot be counted keeps no other from it
                logger.exception("a project could not be counted", extra={"project": name})

    def _wanted(self, name: str) -> frozenset[str]:
        """Which processes a project needs; asked anew only when something was written in it."""
        try:
            settings, _ = self._home.projects.settings_of(name)
            written = last_written(settings)
            seen = self._seen.get(name)
            if seen is not None and written is not None and seen[0] == written:
                return seen[1]
            with self._home.opened.use(name, self._home.projects.state_of(name)) as project:
                found = needs(project)
            self._seen[name] = written, found
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one, the others are looked after
            logger.warning("a project cannot be looked after: %s", error, extra={"project": name})
            return self._running.get(name, frozenset())
        return found

    def _sweep_after(self) -> None:
        """Removes what processes of a project have written that was removed while they were still about to stop."""
        over = [(name, thread) for name, thread in self._ending if not thread.is_alive()]
        self._ending = [one for one in self._ending if one not in over]
        for name in {name for name, _ in over} - {name for name, _ in self._ending}:
            own = None if name in self._running else self._own.pop(name, None)
            if own is not None and not self._home.projects.is_known(name):
                remove_places(self._home.settings, own)

    def _bring_to(self, name: str, wanted: frozenset[str]) -> None:
        running = self._running.get(name, frozenset())
        for part in running - wanted:
            if part == "model-server":
                self._home.projects.note(name, model_url="")
            self._ending.append((name, self._supervisor.remove(f"{name}-{part}")))
        for part in wanted - running:
            settings, _ = self._home.projects.settings_of(name)
            self._own[name] = settings
            if part == "model-server":
                port = self._ports.setdefault(name, free_port(LOOPBACK_HOST))
                self._home.projects.note(name, model_url=f"http://{LOOPBACK_HOST}:{port}")
                self._supervisor.add(_model_server(settings, f"{name}-{part}", port))
            else:
                command = (sys.executable, "-m", "flyball.server.controller", "--with-parent")
                self._supervisor.add(Child(f"{name}-{part}", command, _environment(settings)))


def needs(project: Workspace) -> frozenset[str]:
    """Which processes a project needs: a controller for loops, deployments and errands, a model server for deployments."""
    is_served = bool(project.deployments.list(limit=1))
    has_errands = any(project.errands.list(state=state, limit=1) for state in ("pending", "running", "paused"))
    if is_served:
        return frozenset({"controller", "model-server"})
    return frozenset({"controller"}) if has_errands or project.loops.list(limit=1) else frozenset()


def last_written(settings: Settings) -> object | None:
    """What is another value once something was written into the database; None where that cannot be told from outside."""
    if not settings.database.startswith("sqlite:///"):
        return None
    path = settings.database.removeprefix("sqlite:///")
    found = []
    for name in (path, f"{path}-wal"):
        try:
            stat = Path(name).stat()
        except OSError:
            found.append((0, 0))
        else:  # a log that is empty comes and goes with each who looks
            found.append((stat.st_mtime_ns, stat.st_size) if stat.st_size else (0, 0))
    return tuple(found)


def _model_server(settings: Settings, name: str, port: int) -> Child:
    command = [
        sys.executable, "-m", "flyball.serving.model_server", "--with-parent", "--objects", settings.objects,
        "--host", LOOPBACK_HOST, "--port", str(port), "--replica", "local-0", "--online", settings.online,
        "--spool", str(settings.workspace / "predictions"), "--s3-endpoint", settings.s3_endpoint,
        "--s3-region", settings.s3_region, *(["--otlp", settings.otlp] if settings.otlp else []),
    ]  # fmt: skip
    return Child(name, tuple(command), {"OMP_NUM_THREADS": "1", **_environment(settings)})


def _environment(settings: Settings) -> dict[str, str]:
    made = {**os.environ, **as_environment(settings)}
    made.pop("FLYBALL_URL", None)
    return made


def keep(home: Workspace, supervisor: Supervisor, stopped: Callable[[float], bool]) -> None:
    """Looks after the projects of a workspace until it is told to stop."""
    keeper = ProjectKeeper(home, supervisor)
    for name, trouble in home.projects.upgrade().items():
        logger.error("the project %s cannot be opened: %s", name, trouble)
    turns = {keeper.look: _LOOK_EVERY, keeper.tidy: _TIDY_EVERY, keeper.count: _COUNT_EVERY}
    due = dict.fromkeys(turns, 0.0)
    supervisor.start()
    try:
        while not stopped(0.2):
            supervisor.check()
            for act, every in turns.items():
                if time.monotonic() >= due[act]:
                    due[act] = time.monotonic() + every
                    try:
                        act()
                    except Exception:  # the database may be away for a while
                        logger.exception("projects could not be looked after")
    finally:
        supervisor.stop()
        for name in home.projects.active():
            home.projects.note(name, model_url="")


def main() -> int:
    """Looks after the projects until it is told to stop."""
    settings, stop = begin_part("flyball.server.project_keeper", __doc__)
    with Workspace(settings) as home:
        supervisor = Supervisor([], settings.workspace / "logs" / "projects", say=logger.warning)
        keep(home, supervisor, stop.wait)
    return 0


if __name__ == "__main__":
    sys.exit(main())
