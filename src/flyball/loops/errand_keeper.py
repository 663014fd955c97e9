"""Attends errands: starts a worker for each, follows what was said to it since, notices when the worker died."""

from __future__ import annotations

import os
import sys

from flyball.errors import Conflict
from flyball.executors.base import Executor, Job
from flyball.loops.retraining import THREADS, TIMEOUT_SECONDS, last_words
from flyball.loops.services import Services
from flyball.machine.libraries import FIRST_GUESS
from flyball.pipelines.errand import Errand
from flyball.settings import as_environment
from flyball.storage.database import Lease
from flyball.tracking.runs import EndState

_ATTEMPTS = 10


class ErrandKeeper:
    """Brings errands to their end on an executor."""

    def __init__(self, workspace: Services, executor: Executor) -> None:
        self._workspace = workspace
        self._executor = executor

    def act(self, lease: Lease) -> bool:
        """Takes the next step of every errand; whether any is under way."""
        found = self._workspace.errands.open_ones()
        for errand in found:
            if errand.state == "pending":
                self._start(errand, lease)
            elif errand.wish != "go":
                self._stop(errand, lease)
            else:
                self._follow(errand, lease)
        return bool(found)

    def _start(self, errand: Errand, lease: Lease) -> None:
        attempt = errand.attempt + 1
        job = Job(
            id=f"{errand.id}-{attempt}",
            command=(sys.executable, "-m", "flyball.server.errand_worker", errand.id),
            cwd=errand.source_root or str(self._workspace.settings.root),
            environment={"OMP_NUM_THREADS": THREADS, **os.environ, **as_environment(self._workspace.settings)},
            timeout_seconds=TIMEOUT_SECONDS,
            preload=FIRST_GUESS,
        )
        # The row first: a controller killed between the two finds a job that never was, and starts the next attempt.
        self._workspace.errands.save(errand.id, lease, state="running", attempt=attempt, job=job.id)
        self._executor.submit(job)

    def _stop(self, errand: Errand, lease: Lease) -> None:
        """Stops the worker, and ends what it can no longer end itself."""
        self._executor.cancel(errand.job)
        if not self._executor.poll(errand.job).has_ended:
            return
        self._end_run(errand)
        self._workspace.errands.save(errand.id, lease, state="cancelled" if errand.wish == "cancel" else "paused")

    def _end_run(self, errand: Errand) -> None:
        if errand.kind != "run":
            return
        tracking = self._workspace.tracking
        # A run that was cancelled stays so; one that failed is taken up again where it stood.
        word: EndState = "cancelled" if errand.wish == "cancel" else "failed"
        for run in [*tracking.list_runs(parent=errand.id, limit=1000), *tracking.list_runs(kind="pipeline", limit=100)]:
            if run.state not in ("running", "lost") or errand.id not in (run.id, run.parent):
                continue
            try:
                tracking.finish_run(run.id, word, "" if word == "cancelled" else "It was paused.")
            except Conflict:  # it ended by itself in this moment
                continue

    def _follow(self, errand: Errand, lease: Lease) -> None:
        job = self._executor.poll(errand.job)
        if not job.has_ended:
            return
        save = self._workspace.errands.save
        killed = job.state == "lost" or (job.state == "failed" and (job.exit_code or 0) < 0)
        if job.state == "finished":
            save(errand.id, lease, state="finished")
        elif not killed:
            words = last_words(self._executor.logs(errand.job)) or f"the worker {job.state.replace('_', ' ')}"
            save(errand.id, lease, state="failed", error=words)
        elif errand.attempt < _ATTEMPTS:
            self._start(errand, lease)
        else:
            save(errand.id, lease, state="failed", error=f"the worker died {errand.attempt} times")
