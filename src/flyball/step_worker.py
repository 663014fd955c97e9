"""The process of one step: loads the step, its inputs and its outputs by their content, and says on its output how it goes.

Started by an executor as `python -m flyball.step_worker TASK`, with the settings of the workspace in its environment.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from flyball.client import open_workspace
from flyball.errors import FlyballError, WorkFailed
from flyball.machine.libraries import libraries_file, remember_libraries
from flyball.pipelines.code import ProjectCode
from flyball.pipelines.code_snapshot import checkout_code, load_project
from flyball.pipelines.context import RunContext, enter_step
from flyball.pipelines.failures import user_traceback
from flyball.pipelines.handover import MARK, StepSaid, StepTask, unpack, unpack_named
from flyball.pipelines.materials import Artifact, save
from flyball.pipelines.step import Step, parts_of
from flyball.pipelines.usage import own_usage
from flyball.run_services import RunServices
from flyball.serialization import error_to_plain, from_json, to_json
from flyball.settings import load_settings
from flyball.storage.objects import Blobs

ELSEWHERE = "FLYBALL_STEP_ELSEWHERE"
"""Set where the project's folder of the run is not on this machine."""
_TELL_SECONDS = 1.0


def run_task(task: StepTask, workspace: Any) -> StepSaid:
    """Runs a call of a step; an error of the step's is part of what it says.

    Raises:
        FlyballError: the step cannot be found, or its inputs cannot be read.
    """
    project = Path(task.project)
    if os.environ.get(ELSEWHERE):
        project = workspace.cache / "code" / task.code
        checkout_code(task.code, workspace.blobs, project)
        os.chdir(project)
    step = _find(task, project)
    services = RunServices(
        workspace=workspace,
        project_root=project,
        source_root=project if os.environ.get(ELSEWHERE) else Path(task.source),
        code=task.code,
    )
    blobs = workspace.blobs
    around = RunContext(task.run, services, unpack_named(task.params, blobs), step=task.step, secrets=step.secrets)
    given, named = unpack(task.args, blobs), unpack_named(task.kwargs, blobs)
    code = ProjectCode(project)
    started = time.monotonic()
    enter_step(around)
    kept: tuple[Artifact, ...] = ()
    failure = None
    with _telling(around):
        try:
            kept = _kept(parts_of(step, step.function(*given, **named)), code, blobs)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a step raises is what it says
            failure = _failure(error)
        finally:
            around.clean_up()
    logged = around.logged
    return StepSaid(
        ended=True,
        artifacts=kept,
        error=failure,
        seconds=time.monotonic() - started,
        points=around.take_points(),
        last=dict(logged.last),
        params=dict(logged.params),
        tags={key: str(value) for key, value in logged.tags.items()},
        snapshots=tuple(logged.snapshots),
        left=tuple(logged.left),
    )


def _kept(values: list[Any], code: ProjectCode, blobs: Blobs) -> tuple[Artifact, ...]:
    def code_of(target: Any) -> str:
        return code.key(target).digest if code.is_project(target) else ""

    kept = tuple(save(item, blobs, code_of=code_of) for item in values)
    live = next((artifact for artifact in kept if artifact.kind == "live"), None)
    if live is not None:
        raise WorkFailed(
            f"It gave a {live.type.rpartition(':')[2]}, which cannot be kept.",
            hint="A step in a process of its own gives tables, files or what can be pickled.",
        )
    return kept


def _find(task: StepTask, project: Path) -> Step[Any, Any]:
    loaded = load_project(project, task.file).module if task.file else importlib.import_module(task.module)
    found = getattr(loaded, task.attribute, None)
    if not isinstance(found, Step):
        raise WorkFailed(f"The code has no step '{task.attribute}' in {task.file or task.module}.")
    return found


def _failure(error: BaseException) -> Any:
    if isinstance(error, SystemExit):
        error = WorkFailed(f"It asked Python to exit with {error.code!r}.")
    if not isinstance(error, FlyballError):
        error = WorkFailed(f"{type(error).__name__}: {error}", traceback=user_traceback(error))
    error.facts.setdefault("traceback", user_traceback(error))
    return error_to_plain(error)


@contextlib.contextmanager
def _telling(around: RunContext) -> Iterator[None]:
    """Says each second what the step has logged."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(_TELL_SECONDS):
            points = around.take_points()
            if points:
                _say(StepSaid(points=points))

    thread = threading.Thread(target=tell, name="flyball-telling", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _say(said: StepSaid) -> None:
    # One write, so that no other thread's output comes in between.
    sys.stdout.flush()
    sys.stderr.flush()
    data = MARK.encode() + to_json(said) + b"\n"
    while data:
        data = data[os.write(1, data) :]


def main() -> int:
    """Runs the task whose digest is named on the command line; 0 if the step did what it should."""
    with open_workspace(load_settings()) as workspace:
        task = from_json(workspace.blobs.get(sys.argv[1]), StepTask)
        try:
            said = run_task(task, workspace)
        except FlyballError as error:
            said = StepSaid(ended=True, error=error_to_plain(error))
        cores, memory = own_usage()
        _say(replace(said, core_seconds=cores, memory=memory))
        if not os.environ.get(ELSEWHERE):
            remember_libraries(libraries_file(workspace.cache, "steps"))
        return 1 if said.error else 0


if __name__ == "__main__":
    sys.exit(main())
