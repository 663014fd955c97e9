"""The process that does one errand. Started by the controller as `python -m flyball.server.errand_worker ERRAND`."""

from __future__ import annotations

import logging
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from flyball.clock import parse_duration
from flyball.errors import FlyballError, InvalidInput, WorkFailed
from flyball.pipelines.code_snapshot import checkout_code, load_project
from flyball.pipelines.errand import Errand
from flyball.pipelines.pipeline import Pipeline
from flyball.run_services import RunServices
from flyball.serialization import to_plain
from flyball.settings import load_settings
from flyball.workspace import Workspace

logger = logging.getLogger(__name__)


def work(workspace: Workspace, errand: Errand) -> None:
    """Does an errand.

    Raises:
        FlyballError: it could not be done.
    """
    {"run": _run, "backfill": _back_fill, "profile": _profile, "clean": _clean}[errand.kind](workspace, errand)


def _run(workspace: Workspace, errand: Errand) -> None:
    from flyball.pipelines.engine import run_pipeline

    pipeline, services = _prepared(workspace, errand)
    params = {name: value for name, value in errand.params.items() if name in pipeline.params}
    run_pipeline(
        pipeline, pipeline.bind(params), services=services, experiment=errand.about, run_id=errand.id, only=errand.only,
        again_from=errand.again_from, use_cache=errand.use_cache, tags={"errand": errand.id},
    )  # fmt: skip


def _back_fill(workspace: Workspace, errand: Errand) -> None:
    from flyball.pipelines.backfill import WindowRun, backfill, windows_of

    pipeline, services = _prepared(workspace, errand)
    if errand.start is None or errand.end is None:
        raise InvalidInput(f"The errand '{errand.id}' names no stretch of time.")
    windows = windows_of(errand.start, errand.end, parse_duration(errand.every))
    ended: list[WindowRun] = []

    def tell(one: WindowRun) -> None:
        ended.append(one)
        workspace.errands.save(errand.id, done=f"{len(ended)} of {len(windows)} windows")

    backfill(pipeline, windows, errand.params, services=services, again=errand.again, tell=tell)
    states = {state: sum(one.state == state for one in ended) for state in ("finished", "present", "failed")}
    workspace.errands.save(errand.id, result=states)
    if states["failed"]:
        first = next(one for one in ended if one.state == "failed")
        raise WorkFailed(f"{states['failed']} of {len(windows)} windows failed; the first: {first.error}")


def _profile(workspace: Workspace, errand: Errand) -> None:
    from flyball.data.assess import profile_snapshot

    snapshot = workspace.data.get_snapshot(errand.about, errand.snapshot)
    profile_snapshot(workspace.quality, workspace.blobs, snapshot, again=True)


def _clean(workspace: Workspace, errand: Errand) -> None:
    from flyball.data.assess import clean_snapshot

    snapshot = workspace.data.get_snapshot(errand.about, errand.snapshot)
    found = clean_snapshot(workspace.data, workspace.quality, workspace.blobs, snapshot)
    workspace.errands.save(errand.id, result=to_plain(found))


def _prepared(workspace: Workspace, errand: Errand) -> tuple[Pipeline[..., Any], RunServices]:
    """The pipeline in the code that the errand names, and what its runs work with."""
    folder = workspace.cache / "code" / errand.code
    checkout_code(errand.code, workspace.blobs, folder)
    # The code brings its own project file; the settings of this process belong to another folder.
    settings = load_settings(environment={}, start=folder)
    project = load_project(folder, settings.module)
    if errand.about not in project.pipelines:
        raise WorkFailed(f"That code has no pipeline '{errand.about}'.", hint="Name a run whose code has it.")
    root = Path(errand.source_root) if errand.source_root else workspace.settings.root
    services = RunServices(workspace=workspace, project_root=folder, source_root=root, code=errand.code)
    return project.pipelines[errand.about], services


def main() -> int:
    """Does the errand named on the command line; 0 if it was done."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    threading.current_thread().name = "errand"
    with Workspace(load_settings()) as workspace:
        errand = workspace.errands.get(sys.argv[1])
        loops = workspace.loops.list(limit=1000)
        source = next((state.loop.source_root for state in loops if state.loop.pipeline == errand.about), "")
        try:
            work(workspace, replace(errand, source_root=errand.source_root or source))
        except FlyballError as error:
            # The last line of the output is what the controller shows as the reason.
            sys.stderr.write(f"{error}\n")
            return 1
        logger.info("done", extra={"errand": errand.id})
        return 0


if __name__ == "__main__":
    sys.exit(main())
