"""Keeps a few long-running child processes going, and stops them all when it is time."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flyball.errors import WorkFailed

logger = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STEADY_SECONDS = 60.0
_LOOPS = 8


@dataclass(frozen=True, slots=True)
class Child:
    """One process to keep going.

    Attributes:
        name: For people, and for its log file.
        command: The program and its arguments. Its standard input closes when this process ends.
        environment: All of its environment.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(slots=True)
class _Running:
    child: Child
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = _FIRST_PAUSE
    again_at: float = 0.0
    ends: list[float] = field(default_factory=list)


class Supervisor:
    """Starts children, starts those that end again with growing pauses, and stops them all.

    Args:
        children: What to keep going.
        logs: Folder for what they print, a file each.
        say: Told in words when one ends.
    """

    def __init__(self, children: Sequence[Child], logs: Path, *, say: Callable[[str], None] = lambda _: None) -> None:
        self._running = [_Running(child) for child in children]
        self._logs = logs
        self._say = say

    def start(self) -> None:
        """Starts every child."""
        self._logs.mkdir(parents=True, exist_ok=True)
        for running in self._running:
            self._start(running)

    def check(self) -> None:
        """Starts again what has ended, once its pause is over.

        Raises:
            WorkFailed: a child ends again and again right after its start.
        """
        now = time.monotonic()
        for running in self._running:
            if running.process is not None and running.process.poll() is not None:
                self._ended(running, now)
            if running.process is None and now >= running.again_at:
                self._start(running)

    def stop(self, seconds: float = 10.0) -> None:
        """Asks every child to stop, and kills those that have not done so in time."""
        living = [running.process for running in self._running if running.process is not None]
        for process in living:
            if process.stdin is not None:
                process.stdin.close()
            process.terminate()
        deadline = time.monotonic() + seconds
        for process in living:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for running in self._running:
            running.process = None

    def pids(self) -> dict[str, int]:
        """The process ids of the children that run."""
        return {running.child.name: running.process.pid for running in self._running if running.process is not None}

    def _start(self, running: _Running) -> None:
        log = self._logs / f"{running.child.name}.log"
        with log.open("ab") as out:
            running.process = subprocess.Popen(
                running.child.command,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                env=dict(running.child.environment),
                # Ctrl-C in a terminal goes to the whole group; the children are told by us, in order.
                start_new_session=True,
            )
        running.started = time.monotonic()

    def _ended(self, running: _Running, now: float) -> None:
        assert running.process is not None
        code = running.process.returncode
        if running.process.stdin is not None:
            running.process.stdin.close()
        running.process = None
        if now - running.started > _STEADY_SECONDS:
            running.pause, running.ends = _FIRST_PAUSE, []
        running.ends.append(now)
        log = self._logs / f"{running.child.name}.log"
        if len(running.ends) >= _LOOPS:
            raise WorkFailed(
                f"The {running.child.name} ends right after each start (exit code {code}): {_last_line(log)}",
                hint=f"See {log}.",
            )
        self._say(f"the {running.child.name} ended (exit code {code}) and is started again")
        logger.warning("a child ended", extra={"child": running.child.name, "code": code})
        running.again_at = now + running.pause
        running.pause = min(running.pause * 2, _LONGEST_PAUSE)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
