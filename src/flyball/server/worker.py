"""The process that does one training of a loop: the applied code, from its snapshot, then the gates.

Started by the controller as `python -m flyball.server.worker TRAINING`, with the settings in its environment.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from flyball.errors import FlyballError, WorkFailed
from flyball.loops.judging import judge_version
from flyball.loops.loop import Loop
from flyball.loops.loops import Training
from flyball.machine.libraries import libraries_file, remember_libraries
from flyball.pipelines.code_snapshot import checkout_code, load_project
from flyball.pipelines.engine import run_pipeline
from flyball.pipelines.pipeline import Pipeline
from flyball.registry.versions import ModelVersion
from flyball.run_services import RunServices
from flyball.settings import load_settings
from flyball.telemetry import Trace
from flyball.workspace import Workspace

logger = logging.getLogger(__name__)


def work(workspace: Workspace, training: Training) -> ModelVersion:
    """Does the training and judges what came of it.

    Raises:
        WorkFailed: the pipeline failed, or registered no version of the loop's model.
    """
    loop = workspace.loops.get(training.loop).loop
    version = _train(workspace, loop, training) if training.kind == "train" else _to_judge(workspace, loop, training)
    if version.verdict is None:
        champion = _champion(workspace, loop)
        if champion is None or champion.version != version.version:
            judge_version(
                version, champion, loop.gates, registry=workspace.registry, blobs=workspace.blobs, clock=workspace.time,
                approvals=workspace.approvals,
            )  # fmt: skip
    return version


def _train(workspace: Workspace, loop: Loop, training: Training) -> ModelVersion:
    folder = workspace.cache / "code" / loop.code
    checkout_code(loop.code, workspace.blobs, folder)
    project = load_project(folder, loop.module)
    if loop.pipeline not in project.pipelines:
        raise WorkFailed(f"The applied code has no pipeline '{loop.pipeline}'.", hint="Run `flyball apply` again.")
    pipeline = project.pipelines[loop.pipeline]
    services = RunServices(workspace=workspace, project_root=folder, source_root=Path(loop.source_root), code=loop.code)
    plan = training.plan or {}
    params = {**loop.params, **plan.get("params", {})}
    if "tune" in plan:
        params = _tuned(pipeline, params, plan["tune"], services, loop, training)
    run_pipeline(pipeline, pipeline.bind(params), services=services, experiment=loop.name, run_id=training.id)
    made = [version for version in workspace.registry.find_by_run(training.id) if version.model == loop.name]
    if not made:
        raise WorkFailed(
            f"The pipeline '{loop.pipeline}' registered no version of '{loop.name}'.",
            hint=f"A loop's pipeline registers a model of the loop's name: fb.register('{loop.name}', ...).",
        )
    return made[-1]


def _tell_steps(workspace: Workspace, training: Training, trace: Trace) -> None:
    """The pipeline's steps as spans, by the times that were recorded for them."""
    found = workspace.run_search.search(filter=f"attributes.parent = '{training.id}'", limit=1000)
    for run in found.runs:
        if run.ended is not None:
            start, end = (round(at.timestamp() * 1e6) * 1000 for at in (run.started, run.ended))
            trace.record(f"step {run.name}", start, end, run=run.id, state=run.state)


def _tuned(
    pipeline: Pipeline[..., Any],
    params: dict[str, Any],
    asked: dict[str, Any],
    services: Any,
    loop: Loop,
    training: Training,
) -> dict[str, Any]:
    """The best parameters that a search finds; one that was cut off goes on where it was."""
    from flyball.tuning.tune import tune

    registry = services.registry
    before = max((version.version for version in registry.list_versions(loop.name, limit=1)), default=0)
    found = tune(
        pipeline, asked.get("metric", "roc_auc"), services=services, name=f"{loop.name}-{training.id}", params=params,
        trials=int(asked.get("trials", 20)), budget=timedelta(seconds=float(asked.get("budget", 7200.0))),
    )  # fmt: skip
    for version in registry.list_versions(loop.name, limit=1000):
        if version.version > before and version.stage == "candidate":
            registry.set_stage(
                loop.name, version.version, "archived", f"a trial of the search for training {training.id}"
            )
    return {**params, **found.params}


def _to_judge(workspace: Workspace, loop: Loop, training: Training) -> ModelVersion:
    return workspace.registry.get_version(f"models:/{loop.name}/{training.version}")


def _champion(workspace: Workspace, loop: Loop) -> ModelVersion | None:
    found = [deployment for deployment in workspace.deployments.list(limit=1000) if deployment.name == loop.name]
    if not found:
        return None
    return workspace.registry.get_version(f"models:/{loop.name}/{found[0].champion}")


def main() -> int:
    """Does the training named on the command line; 0 if it was done."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    threading.current_thread().name = "worker"
    with Workspace(load_settings()) as workspace:
        training = workspace.loops.get_training(sys.argv[1])
        began = time.process_time()
        trace = workspace.telemetry.trace(os.environ.get("TRACEPARENT", ""))
        try:
            with trace.span("worker", training=training.id, attempt=training.attempt):
                version = work(workspace, training)
        except FlyballError as error:
            # The last line of the output is what the controller shows as the reason.
            sys.stderr.write(f"{error}\n")
            return 1
        finally:
            # What its own processes have used, and those of its steps that have ended.
            spent = os.times()
            children = spent.children_user + spent.children_system
            workspace.loops.record_cost(training.id, time.process_time() - began + children)
            if workspace.telemetry.is_on:
                _tell_steps(workspace, training, trace)
        remember_libraries(libraries_file(workspace.cache, training.loop))
        logger.info("done", extra={"training": training.id, "version": version.version})
        return 0


if __name__ == "__main__":
    sys.exit(main())
