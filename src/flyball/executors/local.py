"""Jobs as processes of this machine, as many at once as there are slots; the others wait their turn."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flyball.errors import InvalidInput
from flyball.executors import _keeper
from flyball.executors._warm import WarmStarts
from flyball.executors.base import ENDED, Executor, ExecutorKind, Job, JobState
from flyball.refs import check_name

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Running:
    pipe: int


class LocalExecutor:
    """Runs jobs as processes that are stopped when this one dies, however it dies.

    How each job stands is kept in a file of its own, so a later process knows it too.

    Args:
        folder: Where state and output of the jobs are kept, one folder each.
        slots: How many jobs run at once; 0 sets no limit.
        grace_seconds: How long a job may take to stop by itself before it is killed.
        warm: Whether jobs that say what they load are forked from a process that has loaded it.
    """

    def __init__(self, folder: Path, *, slots: int = 2, grace_seconds: float = 5.0, warm: bool = True) -> None:
        if slots < 0:
            raise InvalidInput(f"An executor cannot have {slots} slots.", hint="Give 1 or more; 0 sets no limit.")
        self._folder = folder.absolute()
        self._slots = slots
        self._grace = grace_seconds
        self._queue: deque[Job] = deque()
        self._running: dict[str, _Running] = {}
        self._lock = threading.RLock()
        self._ended = threading.Condition(self._lock)
        self._warm = WarmStarts() if warm else None
        self._listeners: list[Callable[[], None]] = []

    def prepare(self, job: Job) -> None:
        """Begins to load what a job like this one will load, so that its start takes milliseconds; never waits."""
        if self._warm is not None:
            self._warm.prepare(job)

    def tell_ends(self, listener: Callable[[], None]) -> None:
        """Has the listener called, from any thread, each time that a job of this process has ended."""
        self._listeners.append(listener)

    def submit(self, job: Job) -> str:
        """Takes a job; gives its id. One of the same id that has not ended is left as it is.

        Raises:
            InvalidInput: the id, the command or the folder cannot be used.
        """
        check_name(job.id, "job")
        if not job.command:
            raise InvalidInput(f"Job '{job.id}' has no command.")
        if job.cwd and not Path(job.cwd).is_dir():
            raise InvalidInput(f"Job '{job.id}' is to run in {job.cwd}, which is no folder.")
        with self._lock:
            known = self._read(job.id)
            if known and not self._judge(job.id, known).has_ended:
                return job.id
            folder = self._folder / job.id
            folder.mkdir(parents=True, exist_ok=True)
            owner = os.getpid()
            _keeper.write_state(folder, state="queued", owner=owner, owner_start=_keeper.start_time(owner))
            self._queue.append(job)
            self._start_next()
        return job.id

    def poll(self, job_id: str) -> JobState:
        """How the job stands; never waits. One that was never submitted is lost, like one whose process died."""
        state = self._read(check_name(job_id, "job"))
        return JobState(state="lost") if state is None else self._judge(job_id, state)

    def cancel(self, job_id: str) -> None:
        """Asks the job to stop and kills it after the grace time; nothing happens if it has ended or never was."""
        with self._lock:
            state = self._read(check_name(job_id, "job")) or {"state": "lost"}
            waiting = [job for job in self._queue if job.id == job_id]
            if waiting:
                self._queue.remove(waiting[0])
                _keeper.write_state(self._folder / job_id, state="cancelled", ended=time.time())
            elif job_id in self._running:
                with contextlib.suppress(BrokenPipeError):
                    os.write(self._running[job_id].pipe, b"c")
            elif state["state"] == "running" and _keeper.start_time(state["keeper"]) == state["keeper_start"]:
                # Another process submitted it; its keeper takes the signal as the same wish.
                os.kill(state["keeper"], signal.SIGTERM)

    def logs(self, job_id: str) -> str:
        """What the job has printed so far; empty if it never was."""
        return self.read_log(job_id).decode("utf-8", "replace")

    def read_log(self, job_id: str, start: int = 0) -> bytes:
        """The bytes that the job has printed so far, from a place on; empty if there are none."""
        try:
            with self.log_path(job_id).open("rb") as file:
                file.seek(start)
                return file.read()
        except FileNotFoundError:
            return b""

    def log_path(self, job_id: str) -> Path:
        """The file that the job's output goes to."""
        return self._folder / check_name(job_id, "job") / "log"

    def wait(self, job_id: str, *, timeout_seconds: float | None = None) -> JobState:
        """Waits until a job of this process has ended, or for so long; gives how it stands then."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        with self._ended:
            while not (state := self.poll(job_id)).has_ended:
                left = 1.0 if deadline is None else min(1.0, deadline - time.monotonic())
                if left <= 0:
                    break
                self._ended.wait(left)
        return state

    def close(self) -> None:
        """Stops what this executor started, in order: what waits is cancelled, what runs is asked, then killed."""
        with self._lock:
            mine = [job.id for job in self._queue] + list(self._running)
            for job_id in mine:
                self.cancel(job_id)
        for job_id in mine:
            self.wait(job_id, timeout_seconds=self._grace + 5)
        if self._warm is not None:
            self._warm.close()

    def _start_next(self) -> None:
        while self._queue and (not self._slots or len(self._running) < self._slots):
            self._start(self._queue.popleft())

    def _start(self, job: Job) -> None:
        heard, said = os.pipe()
        self._running[job.id] = _Running(said)
        # What starts the job may wait for libraries to be loaded, and whoever submits does not.
        threading.Thread(target=self._look_after, args=(job, heard), name=f"job-{job.id}", daemon=True).start()

    def _look_after(self, job: Job, heard: int) -> None:
        try:
            self._keep(job, heard)
        except OSError as error:
            logger.warning("a job could not be started", extra={"job": job.id}, exc_info=error)
            with (self._folder / job.id / "log").open("a", encoding="utf-8") as log:
                log.write(f"The job could not be started: {error}\n")
        finally:
            os.close(heard)
            self._take_in_end(job.id)
        for listener in self._listeners:
            listener()

    def _keep(self, job: Job, heard: int) -> None:
        """Has a keeper look after the job, and waits until that has ended."""
        folder = self._folder / job.id
        if self._warm is not None:
            forked = self._warm.start(job, folder=folder, grace=self._grace, heard=heard)
            if forked is not None:
                forked.wait()
                if (self._read(job.id) or {}).get("state") != "queued":
                    return
                # The process that should have forked it was killed before it did.
        # -I and -S: the keeper needs the standard library only, and starts in half the time.
        subprocess.run(
            [sys.executable, "-I", "-S", _keeper.__file__, str(folder), str(job.timeout_seconds or 0),
             str(self._grace), str(heard), *job.command],
            cwd=job.cwd or None,
            env={**os.environ, **job.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(heard,),
            start_new_session=True,
            check=False,
        )  # fmt: skip

    def _take_in_end(self, job_id: str) -> None:
        with self._ended:
            state = self._read(job_id) or {"state": "queued"}
            if state["state"] not in ENDED:
                if "pid" in state:
                    _keeper.kill_group(state["pid"], signal.SIGKILL)
                self._mark_lost(job_id, state)
            os.close(self._running[job_id].pipe)
            del self._running[job_id]
            self._start_next()
            self._ended.notify_all()

    def _judge(self, job_id: str, state: dict[str, Any]) -> JobState:
        # A file may claim what is no longer true: whoever wrote it may have been killed since.
        with self._lock:
            ours = job_id in self._running or any(job.id == job_id for job in self._queue)
            if state["state"] not in ENDED and not ours:
                who = "keeper" if state["state"] == "running" else "owner"
                pid, start = state.get(who), state.get(f"{who}_start")
                if pid is None or not start or _keeper.start_time(pid) != start:
                    latest = self._read(job_id) or state  # it may have ended between the two looks
                    state = latest if latest["state"] in ENDED else self._mark_lost(job_id, latest)
        return JobState(
            state=state["state"],
            exit_code=state.get("exit_code"),
            started=_moment(state.get("started")),
            ended=_moment(state.get("ended")),
            pid=state.get("pid") if state["state"] == "running" else None,
        )

    def _mark_lost(self, job_id: str, state: dict[str, Any]) -> dict[str, Any]:
        lost = {**state, "state": "lost", "ended": time.time()}
        _keeper.write_state(self._folder / job_id, **lost)
        return lost

    def _read(self, job_id: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads((self._folder / job_id / "state.json").read_bytes())
        except FileNotFoundError:
            return None
        return found


class Local:
    """Worker processes on this machine."""

    def open(self, folder: Path, *, slots: int) -> Executor:
        """An executor that keeps its state in the folder and runs at most `slots` jobs at once."""
        return LocalExecutor(folder, slots=slots)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


plugin: ExecutorKind = Local()
