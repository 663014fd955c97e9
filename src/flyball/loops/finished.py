"""The latest run of a pipeline that has finished."""

from __future__ import annotations

from flyball.loops.services import Services
from flyball.tracking.nouns import Run


def finished_run(workspace: Services, pipeline: str) -> Run | None:
    """The latest finished run of a pipeline, by its name; None if there is none among its last runs.

    A loop's trainings are runs of its pipeline under the loop's own experiment; these count too.
    """
    found = [
        run
        for run in workspace.tracking.list_runs(kind="pipeline", state="finished", limit=_LOOKED_AT)
        if run.tags.get("pipeline", run.name) == pipeline and run.ended is not None
    ]
    return max(found, key=lambda run: (run.ended, run.id), default=None)


_LOOKED_AT = 1000
