"""Attends a training: starts its worker, notices when the worker died, takes in what came of it."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from flyball.executors.base import Executor, Job, Prepares
from flyball.loops.loop import Loop
from flyball.loops.loops import Training
from flyball.loops.services import Services
from flyball.machine.libraries import FIRST_GUESS, libraries_file, recall_libraries
from flyball.refs import Ref
from flyball.settings import as_environment
from flyball.storage.database import Lease
from flyball.telemetry import traceparent_of

_ATTEMPTS = 10
TIMEOUT_SECONDS = 6 * 3600.0
# A training leaves half of the cores to the model server beside it. On two cores one thread is also the faster choice: two
# that share them with others spend their time handing over.
THREADS = str(max(1, (os.cpu_count() or 2) // 2))


class Retraining:
    """Brings trainings to their end on an executor."""

    def __init__(self, workspace: Services, executor: Executor) -> None:
        self._workspace = workspace
        self._executor = executor

    def attend(self, loop: Loop, training: Training, lease: Lease) -> bool:
        """Takes the next step of a training; always True, for it is under way."""
        if training.state == "pending":
            self._start(loop, training, lease)
            return True
        job = self._executor.poll(training.job)
        if job.state in ("queued", "running"):
            return True
        killed = job.state == "failed" and (job.exit_code or 0) < 0
        if job.state == "finished":
            self._end(loop, replace(training, state="succeeded", version=self._version(loop, training)), lease)
        elif job.state in ("failed", "timed_out") and not killed:
            error = last_words(self._executor.logs(training.job)) or f"the worker {job.state.replace('_', ' ')}"
            self._end(loop, replace(training, state="failed", error=error), lease)
        elif training.attempt < _ATTEMPTS:
            # The worker died without a word, or was stopped together with its controller: that is nothing the training did.
            # What it finished is cached.
            self._start(loop, training, lease)
        else:
            error = f"the worker died {training.attempt} times"
            self._end(loop, replace(training, state="failed", error=error), lease)
        return True

    def _start(self, loop: Loop, training: Training, lease: Lease) -> None:
        attempt = training.attempt + 1
        job = self._job(loop, training.id, f"{training.id}-{attempt}")
        # The row first: a controller killed between the two finds a job that never was, and starts the next attempt.
        self._workspace.loops.save_training(replace(training, state="running", attempt=attempt, job=job.id), lease)
        self._executor.submit(job)

    def prepare(self, loop: Loop) -> None:
        """Begins to load what the loop's trainings load, so that the next one starts at once; never waits."""
        if isinstance(self._executor, Prepares):
            self._executor.prepare(self._job(loop, "next", "next"))

    def _job(self, loop: Loop, training: str, job: str) -> Job:
        known = recall_libraries(libraries_file(self._workspace.cache, loop.name))
        return Job(
            id=job,
            command=(sys.executable, "-m", "flyball.server.worker", training),
            cwd=loop.source_root,
            environment={
                "OMP_NUMTHREADS": THREADS,
                **os.environ,
                **as_environment(self._workspace.settings),
                **self._token(training),
                # Only the processes of the training know its place in the trace; what is set from outside is not theirs.
                "TRACEPARENT": traceparent_of(training),
            },
            timeout_seconds=TIMEOUT_SECONDS,
            preload=known or FIRST_GUESS,
        )

    def _token(self, training: str) -> dict[str, str]:
        """What the training shows to our own server, should it ask it for something: a token of its own, dead when it ends."""
        if self._workspace.settings.auth != "on" or training == "next":
            return {}
        token = self._workspace.tokens.for_run(training, project=self._workspace.settings.project).secret
        return {"FLYBALL_TOKEN": token, "MLFLOW_TRACKING_TOKEN": token}

    def _version(self, loop: Loop, training: Training) -> int | None:
        made = [v for v in self._workspace.registry.find_by_run(training.id) if v.model == loop.name]
        return made[-1].version if made else training.version

    def _end(self, loop: Loop, training: Training, lease: Lease) -> None:
        ended = replace(training, ended=self._workspace.time.now())
        self._workspace.telemetry.root(
            training.id, f"{training.kind} {loop.name}", training.created, ended.ended or training.created,
            cause=training.cause, reason=training.reason, state=ended.state, attempts=training.attempt,
            version=ended.version or 0,
        )  # fmt: skip
        if ended.state == "failed":
            self._workspace.alerts.open(
                severity="critical",
                kind="training",
                subject=str(Ref(kind="loops", name=loop.name)),
                cause=f"training:{training.id}",
                title="A training failed",
                detail=ended.error,
                facts={
                    "training": training.id,
                    "reason": training.reason,
                    "done": f"kept the champion as it is; {training.attempt} attempts were made",
                    "decide": "Mend what the last words say; the next cause, or `flyball loops trigger`, trains again.",
                },
            )
        self._workspace.loops.save_training(ended, lease)
        if self._workspace.settings.auth == "on":
            self._workspace.tokens.end_of_run(training.id)


def last_words(log: str) -> str:
    """The last line that a worker has printed: why it failed."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1][:1000] if lines else ""
