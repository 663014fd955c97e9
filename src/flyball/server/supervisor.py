"""Keeps long-running child processes alive: starts them again when they end, and stops them all in good order."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from flyball.errors import Conflict, InvalidInput

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_STEADY_SECONDS = 30.0
_MANY_ENDS = 5
_MOST_LOG_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep alive.

    Attributes:
        name: Its name, also that of its log file.
        command: Program and arguments. The process should end when its standard input closes: that is how it learns that
            the supervisor is dead, however it died.
        environment: All of its environment; that of this process by default.
        delay: Seconds after the others that it is first started, so that those come up the sooner.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] | None = None
    delay: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildState:
    """How a child stands.

    Attributes:
        state: `crashing` means that it has ended many times within a short while and is tried again ever more seldom.
        restarts: How often it was started again.
        reason: How it ended the last time.
    """

    name: str
    state: Literal["running", "waiting", "crashing", "stopped"]
    pid: int | None
    restarts: int
    reason: str


@dataclass(slots=True)
class _Kept:
    child: Child
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    next_start: float = 0.0
    pause: float = _FIRST_PAUSE
    restarts: int = 0
    reason: str = ""
    ends: deque[float] = field(default_factory=lambda: deque(maxlen=_MANY_ENDS))
    was_told: bool = False

    @property
    def is_crashing(self) -> bool:
        """Whether it has ended many times within a short while."""
        return len(self.ends) == _MANY_ENDS and self.ends[-1] - self.ends[0] < _MANY_ENDS * _LONGEST_PAUSE


class Supervisor:
    """Keeps children alive.

    Args:
        children: The processes to keep alive.
        logs: Folder for what they print, one file each.
        say: Told in words when a child ends and when it is started again.
        first_pause: Seconds before a child that ended is started again; doubled each time, up to half a minute.
        grace: Seconds that a child has to stop by itself.

    Raises:
        InvalidInput: two children have one name.
    """

    def __init__(
        self,
        children: Sequence[Child],
        logs: Path,
        *,
        say: Callable[[str], None] = lambda _: None,
        first_pause: float = _FIRST_PAUSE,
        grace: float = 10.0,
    ) -> None:
        names = [child.name for child in children]
        if len(set(names)) < len(names):
            raise InvalidInput(f"Two children have the same name: {', '.join(sorted(names))}.")
        self._kept = [_Kept(child, pause=first_pause) for child in children]
        self._logs = logs
        self._say = say
        self._first_pause = first_pause
        self._grace = grace
        self._is_stopped = True

    def start(self) -> None:
        """Starts every child.

        Raises:
            Conflict: they are started already.
            InvalidInput: a program cannot be started.
        """
        if not self._is_stopped:
            raise Conflict("The children are started already.")
        self._logs.mkdir(parents=True, exist_ok=True)
        self._is_stopped = False
        try:
            for kept in self._kept:
                if kept.child.delay:
                    kept.next_start = time.monotonic() + kept.child.delay
                else:
                    self._start(kept)
        except BaseException:
            self.stop()
            raise

    def check(self) -> None:
        """Notices the children that have ended, and starts again those whose pause is over; never waits."""
        if self._is_stopped:
            return
        now = time.monotonic()
        for kept in self._kept:
            if kept.process is not None:
                if kept.process.poll() is not None:
                    self._take_in_end(kept, now)
                elif now - kept.started > _STEADY_SECONDS:
                    kept.pause, kept.was_told = self._first_pause, False
                    kept.ends.clear()
            elif now >= kept.next_start:
                kept.restarts += bool(kept.started)
                try:
                    self._start(kept)
                except InvalidInput as error:  # its program is gone for now
                    self._wait(kept, now, error.message)

    def stop(self) -> None:
        """Stops all children: asks all, waits for the grace time, then kills what is left."""
        self._is_stopped = True
        self._end([kept.process for kept in self._kept if kept.process is not None])
        for kept in self._kept:
            kept.process = None

    def _end(self, alive: Sequence[subprocess.Popen[bytes]]) -> None:
        for process in alive:
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + self._grace
        for process in alive:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()
            _signal(process, signal.SIGKILL)  # what it left behind in its group
            if process.stdin is not None:
                process.stdin.close()

    def add(self, child: Child) -> None:
        """Takes one more child on, and starts it with the next check.

        Raises:
            InvalidInput: there is one of that name.
        """
        if any(kept.child.name == child.name for kept in self._kept):
            raise InvalidInput(f"Two children have the same name: {child.name}.")
        self._logs.mkdir(parents=True, exist_ok=True)
        self._kept.append(_Kept(child, pause=self._first_pause, next_start=time.monotonic() + child.delay))

    def remove(self, name: str) -> threading.Thread:
        """Stops a child, first kindly, and forgets it; never waits. What it gives has ended when the child has."""
        gone = [kept.process for kept in self._kept if kept.child.name == name and kept.process is not None]
        self._kept = [kept for kept in self._kept if kept.child.name != name]
        ending = threading.Thread(target=self._end, args=(gone,), name=f"stop-{name}", daemon=True)
        ending.start()
        return ending

    def states(self) -> tuple[ChildState, ...]:
        """How each child stands."""
        return tuple(self._state(kept) for kept in self._kept)

    def pids(self) -> dict[str, int]:
        """The process ids of the children that run."""
        return {state.name: state.pid for state in self.states() if state.pid is not None}

    def log_path(self, name: str) -> Path:
        """The file that a child's output goes to."""
        return self._logs / f"{name}.log"

    def _state(self, kept: _Kept) -> ChildState:
        running = kept.process is not None and kept.process.poll() is None
        waits: Literal["crashing", "waiting"] = "crashing" if kept.is_crashing else "waiting"
        return ChildState(
            name=kept.child.name,
            state="stopped" if self._is_stopped else "running" if running else waits,
            pid=kept.process.pid if running and kept.process else None,
            restarts=kept.restarts,
            reason=kept.reason,
        )

    def _start(self, kept: _Kept) -> None:
        path = self.log_path(kept.child.name)
        if path.exists() and path.stat().st_size > _MOST_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as log:
            try:
                kept.process = subprocess.Popen(
                    kept.child.command,
                    env=kept.child.environment,
                    stdin=subprocess.PIPE,  # held open and never written to: it closes when we die
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C is for us; the children are then stopped in good order
                )
            except OSError as error:
                raise InvalidInput(f"{kept.child.command[0]} cannot be started: {error.strerror}.") from error
        kept.started = time.monotonic()

    def _take_in_end(self, kept: _Kept, now: float) -> None:
        assert kept.process is not None
        code = kept.process.returncode
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        _signal(kept.process, signal.SIGKILL)
        if kept.process.stdin is not None:
            kept.process.stdin.close()
        kept.process = None
        self._wait(kept, now, how)

    def _wait(self, kept: _Kept, now: float, reason: str) -> None:
        kept.reason = reason
        kept.ends.append(now)
        kept.next_start = now + kept.pause
        log = self.log_path(kept.child.name)
        if kept.is_crashing and not kept.was_told:
            kept.was_told = True
            self._say(f"{kept.child.name} keeps ending ({reason}); it is tried again ever more seldom. See {log}.")
        elif not kept.is_crashing:
            self._say(f"{kept.child.name} ended ({reason}); it is started again in {kept.pause:g} s. See {log}.")
        kept.pause = min(_LONGEST_PAUSE, kept.pause * 2)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
