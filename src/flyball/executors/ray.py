"""Jobs as tasks of a Ray cluster: the one at `RAY_ADDRESS`, or one that is started on this machine.

Needs `ray` here and Flyball on the cluster's machines, where Python's own path stands for the one here. What a job prints is
streamed back. A job whose machine dies is started again on another one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from flyball.errors import InvalidInput, MissingExtra, ServerUnreachable
from flyball.executors.base import ENDED, Executor, ExecutorKind, Job, JobState, State
from flyball.refs import check_name

logger = logging.getLogger(__name__)

_MOST_MACHINES = 3
_GRACE_SECONDS = 5.0


@dataclass(slots=True)
class _Task:
    """One job.

    Attributes:
        stream: What Ray gives the job's output by, once it is submitted.
        wanted: What it is to end as, where someone asked for its end.
    """

    job: Job
    state: State = "queued"
    exit_code: int | None = None
    started: datetime | None = None
    ended: datetime | None = None
    output: bytearray = field(default_factory=bytearray)
    stream: Any = None
    wanted: State | None = None


class RayExecutor:
    """Runs jobs on a Ray cluster; they end with this process.

    Args:
        slots: How many jobs run at once; 0 leaves it to the cluster.
    """

    def __init__(self, *, slots: int = 0) -> None:
        try:
            self._ray: Any = import_module("ray")
        except ImportError as error:
            raise MissingExtra("Running on a cluster needs Ray.", hint="pip install 'flyball[ray]'") from error
        self._connect()
        self._tasks: dict[str, _Task] = {}
        self._places = threading.Semaphore(slots) if slots else contextlib.nullcontext()
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def _connect(self) -> None:
        if self._ray.is_initialized():
            return
        address = os.environ.get("RAY_ADDRESS") or None
        settings: dict[str, Any] = {} if address else {"include_dashboard": False}
        try:
            self._ray.init(
                address=address, namespace="flyball", log_to_driver=False, logging_level=logging.ERROR, **settings
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ServerUnreachable(
                f"No Ray cluster answers{f' at {address}' if address else ''}: {error}",
                hint="Start one with `ray start --head`, and set RAY_ADDRESS to its address.",
            ) from error

    def tell_ends(self, listener: Callable[[], None]) -> None:
        """Has the listener called, from any thread, each time that a job has ended."""
        self._listeners.append(listener)

    def submit(self, job: Job) -> str:
        """Takes a job; gives its id. One of the same id that has not ended is left as it is.

        Raises:
            InvalidInput: the id or the command cannot be used.
        """
        check_name(job.id, "job")
        if not job.command:
            raise InvalidInput(f"Job '{job.id}' has no command.")
        with self._lock:
            known = self._tasks.get(job.id)
            if known is not None and known.state not in ENDED:
                return job.id
            task = self._tasks[job.id] = _Task(job)
        threading.Thread(target=self._look_after, args=(task,), name=f"ray-{job.id}", daemon=True).start()
        return job.id

    def poll(self, job_id: str) -> JobState:
        """How the job stands; never waits. One that was never submitted is lost."""
        task = self._tasks.get(job_id)
        if task is None:
            return JobState(state="lost")
        return JobState(state=task.state, exit_code=task.exit_code, started=task.started, ended=task.ended)

    def cancel(self, job_id: str) -> None:
        """Stops the job; nothing happens if it has ended or never was."""
        task = self._tasks.get(job_id)
        if task is not None and task.state not in ENDED:
            task.wanted = task.wanted or "cancelled"
            if task.stream is not None:
                with contextlib.suppress(Exception):  # it may end at the same moment
                    self._ray.cancel(task.stream, force=True)

    def logs(self, job_id: str) -> str:
        """What the job has printed so far; empty if it never was."""
        return self.read_log(job_id).decode("utf-8", "replace")

    def read_log(self, job_id: str, start: int = 0) -> bytes:
        """The bytes that the job has printed so far, from a place on; empty if there are none."""
        task = self._tasks.get(job_id)
        return b"" if task is None else bytes(task.output[start:])

    def close(self) -> None:
        """Stops what still runs."""
        for job_id in list(self._tasks):
            self.cancel(job_id)

    def _look_after(self, task: _Task) -> None:
        try:
            with self._places:
                for machine in range(1, _MOST_MACHINES + 1):
                    if task.wanted or self._run(task, is_last=machine == _MOST_MACHINES):
                        break
        except Exception as error:
            logger.warning("a job could not be run", extra={"job": task.job.id}, exc_info=error)
            task.output += f"The job could not be run: {error}\n".encode()
        finally:
            task.ended = datetime.now(UTC)
            if task.state not in ENDED:
                task.state = task.wanted or "lost"
        for listener in self._listeners:
            listener()

    def _run(self, task: _Task, *, is_last: bool) -> bool:
        """Runs it on one machine; False if that died, and another one may do it."""
        job, errors = task.job, self._ray.exceptions
        asked = {
            "num_cpus": job.resources.cores or 1, "num_gpus": job.resources.gpus or None,
            "memory": job.resources.memory or None, "runtime_env": {"pip": list(job.packages)} if job.packages else None,
        }  # fmt: skip
        remote = self._ray.remote(run_command).options(num_returns="streaming", max_retries=0, **asked)
        task.stream = remote.remote(
            job.command, job.cwd, dict(job.environment), job.timeout_seconds, sys.executable
        )  # fmt: skip
        try:
            for reference in task.stream:
                said = self._ray.get(reference)
                if isinstance(said, bytes):
                    task.output += said
                elif said is None:
                    task.state, task.started = "running", datetime.now(UTC)
                else:
                    task.exit_code, timed_out = said
                    task.state = "timed_out" if timed_out else "finished" if task.exit_code == 0 else "failed"
        except errors.RayTaskError:
            raise
        except errors.TaskCancelledError:
            task.state = task.wanted or "cancelled"
        except errors.RayError as error:
            if task.wanted:
                task.state = task.wanted
            elif is_last:
                raise
            else:
                logger.warning("a machine was lost: %s", error, extra={"job": job.id})
                task.output += b"\nIts machine was lost; it is started again on another one.\n"
                return False
        return True


def run_command(
    command: tuple[str, ...], cwd: str, environment: Mapping[str, str], timeout: float | None, python: str
) -> Iterator[Any]:
    """Runs a command where Ray has placed it: None when it has begun, then what it prints, then its exit code.

    Args:
        python: What this machine's Python stands for in the command.
    """
    own = [sys.executable if word == python else word for word in command]
    folder = cwd if Path(cwd or "/nowhere").is_dir() else tempfile.gettempdir()
    process = subprocess.Popen(
        own, cwd=folder, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    timed_out = threading.Event()

    def stop() -> None:
        timed_out.set()
        _kill(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
        _kill(process, signal.SIGKILL)

    timer = threading.Timer(timeout, stop) if timeout else None
    try:
        if timer:
            timer.start()
        yield None
        assert process.stdout is not None
        while data := os.read(process.stdout.fileno(), 1 << 16):
            yield data
        yield process.wait(), timed_out.is_set()
    finally:
        if timer:
            timer.cancel()
        _kill(process, signal.SIGKILL)
        process.wait()


def _kill(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


class Ray:
    """A Ray cluster."""

    def open(self, folder: Path, *, slots: int) -> Executor:
        """An executor on the cluster at `RAY_ADDRESS`, or on one that is started here."""
        return RayExecutor(slots=slots)


plugin: ExecutorKind = Ray()
