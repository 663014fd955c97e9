"""Runs a step in a process of its own, through an executor: on this machine, or wherever that one has its workers."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flyball.errors import InvalidInput, WorkFailed
from flyball.executors.base import Executor, Job, JobState, Prepares, TellsEnds
from flyball.machine.memory import memory_of
from flyball.machine.shares import Lease
from flyball.pipelines._calls import Call
from flyball.pipelines.code import ProjectCode
from flyball.pipelines.context import RunContext
from flyball.pipelines.environments import find_environment, requirements_of
from flyball.pipelines.handover import MARK, StepSaid, StepTask, pack, place_of
from flyball.serialization import from_json, to_json
from flyball.storage.objects import Blobs
from flyball.tracking.runs import Run

_FIRST_LOOK_SECONDS = 0.003
_LOOK_SECONDS = 0.1
_MEMORY_SECONDS = 0.5
_SHOWN_LOG = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where the steps of a run that want a process of their own find one.

    Attributes:
        executor: What runs them.
        is_here: Whether it runs them on this machine, whose cores and memory are then shared out among them.
        module: What is run as `python -m MODULE TASK`; it knows the workspace.
        environment: Settings of the workspace for that process.
        preload: Modules that it will load.
        environments: Folder for environments with other packages.
    """

    executor: Executor
    is_here: bool
    module: str
    environment: Mapping[str, str]
    preload: Sequence[str]
    environments: Path


@dataclass(slots=True)
class _Listening:
    """What has been read of a job's output.

    Attributes:
        rest: The beginning of a line whose end has not come yet.
    """

    read: int = 0
    rest: bytes = b""
    said: StepSaid = field(default_factory=StepSaid)


class IsolatedSteps:
    """Runs steps of one run in processes of their own.

    Args:
        run: The pipeline's run.
        params: The pipeline's parameters.
        services: Those of the run; without a `workplace` no step can run by itself.
    """

    def __init__(
        self, run: Run, params: Mapping[str, Any], services: Any, code: ProjectCode, source_root: Path
    ) -> None:
        self._run = run
        self._params = dict(params)
        self._services = services
        self._code = code
        self._source_root = source_root
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._place: Workplace | None = None

    def wants(self, call: Call) -> bool:
        """Whether a call runs in a process of its own: its step asks for it, or all run on other machines."""
        return call.step.isolated or self.is_elsewhere()

    def is_elsewhere(self) -> bool:
        """Whether steps run on the executor's own machines, where this one's cores and memory do not count."""
        return bool(getattr(self._services, "runs_elsewhere", False))

    def close(self) -> None:
        """Stops what still runs, and waits for it."""
        if self._place is not None:
            self._place.executor.close()

    def run(self, call: Call, attempt: int, lease: Lease, code_of: Callable[[Any], str]) -> StepSaid:
        """Runs a call of a step to its end; its inputs are there.

        Raises:
            WorkFailed: it failed, or its process died.
            InvalidInput: it cannot be handed over to another process.
        """
        place = self._workplace(call)
        assert call.around is not None
        blobs: Blobs = self._services.blobs
        task = blobs.put(to_json(self._task(call, blobs, code_of)))
        job = self._job(call, attempt, lease, place, task)
        executor = place.executor
        if isinstance(executor, Prepares):
            executor.prepare(job)
        executor.submit(job)
        listening = _Listening()
        try:
            state = self._follow(call, job, executor, listening, watch_memory=place.is_here)
        finally:
            executor.cancel(job.id)
        if not listening.said.ended:
            raise _died(state, executor.logs(job.id))
        return listening.said

    def _workplace(self, call: Call) -> Workplace:
        with self._lock:
            if self._place is None:
                if not hasattr(self._services, "workplace"):
                    raise InvalidInput(f"Step '{call.name}' wants a process of its own, which there is not here.")
                self._place = self._services.workplace()
                if hasattr(self._services, "worker_environment"):
                    own = self._services.worker_environment(self._run.id)
                    self._place = replace(self._place, environment={**self._place.environment, **own})
                if isinstance(self._place.executor, TellsEnds):
                    self._place.executor.tell_ends(self._ended.set)
            return self._place

    def _task(self, call: Call, blobs: Blobs, code_of: Callable[[Any], str]) -> StepTask:
        module, attribute, file = place_of(call.step, self._code.root)
        return StepTask(
            step=call.name,
            module=module,
            attribute=attribute,
            file=file,
            project=str(self._code.root),
            source=str(self._source_root),
            code=self._run.code,
            run=self._run,
            params=pack(self._params, blobs, code_of=code_of),
            args=pack(tuple(call.bound.args), blobs, code_of=code_of),
            kwargs=pack(dict(call.bound.kwargs), blobs, code_of=code_of),
        )

    def _job(self, call: Call, attempt: int, lease: Lease, place: Workplace, task: str) -> Job:
        step, python, preload = call.step, sys.executable, tuple(place.preload)
        if step.packages and place.is_here:
            python = str(find_environment(requirements_of(step.packages, self._code.root), place.environments))
            preload = ()
        environment = dict(place.environment)
        if step.resources.cores:
            threads = str(max(1, int(step.resources.cores)))
            environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        if step.resources.gpus and place.is_here:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(lease.gpus)
        name = re.sub(r"[^A-Za-z0-9_.-]", "-", call.name)
        return Job(
            id=f"{self._run.id}-{name}-{attempt}",
            command=(python, "-m", place.module, task),
            cwd=str(self._code.root),
            environment=environment,
            preload=preload,
            resources=step.resources,
            packages=step.packages,
        )

    def _follow(
        self, call: Call, job: Job, executor: Executor, listening: _Listening, *, watch_memory: bool
    ) -> JobState:
        limit = call.step.resources.memory if watch_memory else 0
        next_look = time.monotonic() + _MEMORY_SECONDS
        pause = _FIRST_LOOK_SECONDS  # a step may take milliseconds, or hours
        while True:
            state = executor.poll(job.id)
            self._hear(call, executor.read_log(job.id, listening.read), listening)
            if state.has_ended or listening.said.ended:
                self._hear(call, executor.read_log(job.id, listening.read), listening)
                return state
            if limit and state.pid and time.monotonic() >= next_look:
                next_look = time.monotonic() + _MEMORY_SECONDS
                used = memory_of(state.pid)
                if used > limit:
                    raise WorkFailed(
                        f"It used {used / 1e6:,.0f} MB of memory and may use {limit / 1e6:,.0f} MB.",
                        hint="Raise `memory=` of the step, or let it take less.",
                    )
            self._ended.wait(pause)
            self._ended.clear()
            pause = min(_LOOK_SECONDS, 1.3 * pause)

    def _hear(self, call: Call, data: bytes, listening: _Listening) -> None:
        listening.read += len(data)
        *lines, listening.rest = (listening.rest + data).split(b"\n")
        mark = MARK.encode()
        for line in lines:
            before, found, said = line.partition(mark)
            if not found:
                call.page.write(line.decode("utf-8", "replace") + "\n")
                continue
            if before:
                call.page.write(before.decode("utf-8", "replace"))
            listening.said = from_json(said, StepSaid)
            assert call.around is not None
            _take_in(call.around, listening.said)


def _take_in(around: RunContext, said: StepSaid) -> None:
    around.log_points(said.points)
    if said.ended:
        logged = around.logged
        logged.last |= said.last
        logged.params |= said.params
        logged.tags |= said.tags
        logged.left += said.left
        for ref in said.snapshots:
            around.use_snapshot(ref)


def _died(state: JobState, log: str) -> WorkFailed:
    said = log.strip()[-_SHOWN_LOG:]
    code = state.exit_code
    how = f"with signal {-code}" if code is not None and code < 0 else f"with exit code {code}" if code else ""
    words = {"timed_out": "was stopped", "cancelled": "was stopped", "lost": "was lost"}.get(state.state, "died")
    hint = "Signal 9 is most often the system that was out of memory." if code == -9 else ""
    return WorkFailed(f"Its process {words} {how}".rstrip() + ".", hint=hint, traceback=said)
