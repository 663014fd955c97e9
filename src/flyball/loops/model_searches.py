"""Has the searches of AutoML done that wait for a worker, and taken up again where their process died."""

from __future__ import annotations

import os
import sys

from flyball.executors.base import Executor, Job
from flyball.loops.services import Services
from flyball.model_search.search import Search
from flyball.model_search.searches import SILENT
from flyball.refs import new_id
from flyball.settings import as_environment

_ATTEMPTS = 5
_MODULE = "flyball.server.search_worker"


class ModelSearches:
    """The searches of a workspace whose place is a worker."""

    def __init__(self, workspace: Services, executor: Executor) -> None:
        self._workspace = workspace
        self._executor = executor

    def attend(self) -> bool:
        """Takes the next step of each; whether one is under way."""
        automl = self._workspace.automl
        found = [*automl.list(limit=100, state="queued"), *automl.list(limit=100, state="running")]
        mine = [search for search in found if search.place == "worker"]
        for search in mine:
            self._look_after(search)
        return bool(mine)

    def _look_after(self, search: Search) -> None:
        if not search.job:
            self._submit(search)
            return
        job = self._executor.poll(search.job)
        if not job.has_ended:
            if search.is_cancelled and search.state == "queued":
                self._executor.cancel(search.job)
            return
        if search.state == "running" and self._workspace.time.now() - search.beat < SILENT:
            return  # its last word may be on its way, or a process is left that the next one would meet
        died = job.state == "lost" or (job.exit_code or 0) < 0
        if died and search.attempt < _ATTEMPTS:
            self._submit(search)
            return
        log = [line for line in self._executor.logs(search.job).splitlines() if line.strip()]
        self._workspace.automl.give_up(search.name, log[-1] if log else f"its worker {job.state}")

    def _submit(self, search: Search) -> None:
        # The row first: a controller that is killed between the two finds a job that never was, which counts as lost.
        job = Job(
            id=f"search-{new_id()}",
            command=(sys.executable, "-m", _MODULE, search.name),
            cwd=str(self._workspace.settings.root),
            environment={**os.environ, **as_environment(self._workspace.settings)},
            timeout_seconds=2 * search.wanted.budget + 600,
        )
        self._workspace.automl.assign(search.name, job.id)
        self._executor.submit(job)
