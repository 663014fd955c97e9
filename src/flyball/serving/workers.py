"""Several model servers on one port: a process for each, and one that watches over them and starts again what ended.

They share one listening socket, so whoever is free takes the next connection, and connections that wait survive the death of one.
"""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.05
_SOON = 5.0
_LONGEST_PAUSE = 30.0
_DRAIN_SECONDS = 30


@dataclass(slots=True)
class _Worker:
    """One process, and how often it has ended soon after it began."""

    replica: str
    process: subprocess.Popen[bytes]
    begun: float = field(default_factory=time.monotonic)
    failures: int = 0
    again_at: float = 0.0


class Supervisor:
    """Keeps so many model servers running.

    Args:
        arguments: Of each server, but for its replica and its socket.
        listening: The socket that they share.
        replicas: Names of the servers, one for each process.
    """

    def __init__(self, arguments: Sequence[str], listening: socket.socket, replicas: Sequence[str]) -> None:
        self._arguments = list(arguments)
        self._listening = listening
        self._stopping = threading.Event()
        self._workers = [_Worker(replica, self._start(replica)) for replica in replicas]

    def run(self, announce: Callable[[], None]) -> None:
        """Watches until SIGTERM or SIGINT; then lets all finish what runs."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        announce()
        while not self._stopping.wait(_LOOK_SECONDS):
            for worker in self._workers:
                self._look(worker)
        self.stop()

    def stop(self) -> None:
        """Ends all, each after its last answer."""
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.process.terminate()
        deadline = time.monotonic() + _DRAIN_SECONDS
        for worker in self._workers:
            try:
                worker.process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()

    def end(self) -> None:
        """Makes `run` come to its end."""
        self._stopping.set()

    def _look(self, worker: _Worker) -> None:
        code = worker.process.poll()
        now = time.monotonic()
        if code is None or now < worker.again_at:
            return
        if not worker.again_at:
            logger.warning("worker ended", extra={"replica": worker.replica, "code": code})
            worker.failures = worker.failures + 1 if now - worker.begun < _SOON else 0
            # At once after a long life; ever later where it does not come to life at all.
            worker.again_at = now + (min(2.0**worker.failures / 4, _LONGEST_PAUSE) if worker.failures else 0.0)
            if worker.failures:
                return
        worker.process, worker.begun, worker.again_at = self._start(worker.replica), now, 0.0

    def _start(self, replica: str) -> subprocess.Popen[bytes]:
        descriptor = self._listening.fileno()
        command = [sys.executable, "-m", "flyball.serving.model_server", *self._arguments]
        command += ["--replica", replica, "--descriptor", str(descriptor), "--with-parent"]
        # Its standard input ends with this process, which is how it learns that nobody watches any more.
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=[descriptor])
