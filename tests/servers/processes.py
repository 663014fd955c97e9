"""Server processes that never outlive the tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class NotStarted(Exception):
    """A server ended or stayed silent where it should have become ready."""


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    log: Path,
    ready: Callable[[], bool],
    user: str | None = None,
    stop: signal.Signals = signal.SIGKILL,
    patience: float = 60,
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that is ready when the block begins and gone when it ends.

    Args:
        command: Program and arguments; it has to stay in the foreground.
        log: File for what the server prints.
        ready: Says whether the server answers.
        user: Runs as this user; only root can.
        stop: Ends it. What servers hold here is thrown away, so the default does not ask politely.
        patience: How many seconds it has to become ready.

    Raises:
        NotStarted: It ended by itself or was not ready in time.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*_tied_to_us(), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=user,
            group=user and _group(user),
            extra_groups=None if user is None else (),
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        _wait(process, ready, log, patience)
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it started and did not end


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise NotStarted(f"{process.args!r} is not ready (exit code {process.poll()}).\n{said}")
        time.sleep(0.02)


def _tied_to_us() -> list[str]:
    """The kernel ends the server with us, also when we are killed and no clean-up runs."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def _group(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid
