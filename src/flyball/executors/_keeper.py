"""The small process that looks after one job: starts it, stops it in time, writes down how it ended.

Run as a script by `local.py`, once a job, with the standard library alone: `_keeper.py FOLDER TIMEOUT GRACE PIPE COMMAND...`;
or as a fork of a process that has loaded libraries (`_zygote.py`), and the job then as a fork of it.
It is what makes a job outlive nobody: when the pipe from the parent closes, the parent is dead and the job is stopped;
when the keeper is killed, the kernel kills the job. A thread of the parent could not do it: the kernel's "signal me when
my parent dies" is tied to the thread that started the child, not to its process.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

_PR_SET_PDEATHSIG = 1


def start_time(pid: int) -> str:
    """When the process started, as text that tells it from a later one of the same number; empty if it is not alive."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return _start_time_by_ps(pid) if not Path("/proc/self/stat").exists() else ""
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()


def _start_time_by_ps(pid: int) -> str:
    shown = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = shown.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else started.strip()


def write_state(folder: Path, **facts: Any) -> None:
    """Replaces the state file of a job, whole or not at all."""
    fresh = folder / f"state.{os.getpid()}"
    fresh.write_text(json.dumps(facts))
    fresh.replace(folder / "state.json")


def kill_group(pid: int, number: signal.Signals) -> None:
    """Sends a signal to all of a process group; nothing happens if it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


class Child(Protocol):
    """A process that a keeper looks after."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | Any: ...
    def poll(self) -> int | None: ...


class Keeper:
    """Looks after one job until it has ended.

    Args:
        start: Starts the job in a session of its own, its output going to `log` in the folder; raises OSError if it cannot.
    """

    def __init__(self, folder: Path, timeout: float, grace: float, parent: int, start: Callable[[Path], Child]) -> None:
        self._folder = folder
        self._deadline = time.monotonic() + timeout if timeout > 0 else None
        self._grace = grace
        self._parent = parent
        self._start = start
        self._wanted = ""

    def run(self) -> None:
        """Runs the job; its state file says the rest."""
        wake, woken = os.pipe()
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_term)
        facts = {"keeper": os.getpid(), "keeper_start": start_time(os.getpid()), "started": time.time()}
        # With its own state written first, a keeper that dies while it starts the job is noticed too.
        write_state(self._folder, state="running", **facts)
        try:
            child = self._start(self._folder)
        except OSError as error:
            with (self._folder / "log").open("a") as log:
                log.write(f"{error.filename or 'fork'}: {error.strerror}\n")
            write_state(self._folder, state="failed", exit_code=127, ended=time.time(), **facts)
            return
        facts |= {"pid": child.pid, "pid_start": start_time(child.pid)}
        write_state(self._folder, state="running", **facts)
        reason = self._wait(child, wake)
        kill_group(child.pid, signal.SIGKILL)  # what the command left behind in its group
        code = child.returncode
        state = reason or ("finished" if code == 0 else "failed")
        write_state(self._folder, state=state, exit_code=code, ended=time.time(), **facts)

    def _wait(self, child: Child, wake: int) -> str:
        reason, killed_at = "", None
        watched = [self._parent, wake]
        while child.poll() is None:
            now = time.monotonic()
            if not reason:
                reason = self._wanted or ("timed_out" if self._deadline and now >= self._deadline else "")
                if reason:
                    kill_group(child.pid, signal.SIGTERM)
                    killed_at = now + self._grace
            elif killed_at is not None and now >= killed_at:
                kill_group(child.pid, signal.SIGKILL)
                killed_at = None
            until = killed_at if reason else self._deadline
            patience = None if until is None else max(0.0, until - now)
            ready, _, _ = select.select(watched, [], [], patience)
            if wake in ready:
                os.read(wake, 100)
            if self._parent in ready:
                word = os.read(self._parent, 1)
                self._wanted = self._wanted or ("cancelled" if word else "lost")
                if not word:
                    watched.remove(self._parent)
        return reason

    def _on_term(self, *_: object) -> None:
        self._wanted = self._wanted or "cancelled"


def start_program(command: list[str]) -> Callable[[Path], Child]:
    """What starts a command for a keeper."""

    def start(folder: Path) -> Child:
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,  # this process has one thread, where it is safe
            )

    return start


def die_with_parent() -> None:
    """Has the kernel kill this process when its parent dies."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    Keeper(
        Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), start_program(sys.argv[5:])
    ).run()
