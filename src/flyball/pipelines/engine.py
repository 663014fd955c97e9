"""Runs a pipeline: its function as ordinary Python, its steps on a few threads as their inputs become ready."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import copy_context
from typing import Any

from flyball.errors import Cancelled, Conflict, FlyballError, InvalidInput, NotFound
from flyball.pipelines._capture import capturing
from flyball.pipelines._engine import Engine, tell
from flyball.pipelines._journal import loggable
from flyball.pipelines.context import enter_pipeline
from flyball.pipelines.failures import described, pipeline_failure
from flyball.pipelines.output import handles_in
from flyball.pipelines.pipeline import Pipeline
from flyball.pipelines.result import PipelineResult, StepEvent
from flyball.pipelines.scope import NotAsked, Scope
from flyball.tracking.runs import EndState, Run
from flyball.version import __version__

logger = logging.getLogger(__name__)
_HEARTBEAT_SECONDS = 2.0
_MOST_ELSEWHERE = 64


def run_pipeline(
    pipeline: Pipeline[..., Any],
    params: Mapping[str, object] | None = None,
    *,
    services: Any,
    experiment: str = "",
    run_id: str = "",
    use_cache: bool = True,
    on_event: Callable[[StepEvent], None] | None = None,
    max_workers: int | None = None,
    cancel: threading.Event | None = None,
    tags: Mapping[str, str] | None = None,
    on_metric: Callable[[str, float, int], None] | None = None,
    only: Sequence[str] = (),
    again_from: Sequence[str] = (),
    shared: bool = False,
) -> PipelineResult:
    """Runs a pipeline in this process, until all of its steps have ended.

    Args:
        pipeline: The pipeline.
        params: Values of its parameters; texts are read by the parameters' types.
        services: What it works with: see `context.PipelineServices`.
        experiment: Experiment of the run; the pipeline's name by default.
        run_id: A run of that id which was killed or failed is taken up again: the steps that it finished are not repeated.
        use_cache: Whether what other runs' steps gave is taken.
        on_event: Told when a step begins or ends; from several threads.
        max_workers: How many steps run at once; by default as many as there are cores, or what a cluster takes.
        cancel: Set from elsewhere to stop the run.
        tags: Of the run.
        on_metric: Told of each metric point that a step logs: name, value, place; what it raises ends the step.
        only: Steps that run; what the others gave is taken from what is kept, and what stands behind them is left out.
        again_from: Steps that run whatever is kept, and all behind them.
        shared: Other processes run other steps of the same run, which therefore goes on; with `only` empty, the run is ended,
            for better or worse, by what the others did.

    Raises:
        WorkFailed: a step or the pipeline function failed.
        Cancelled: the run was asked to stop.
        InvalidInput: a parameter is unknown, missing or of the wrong type.
    """
    if max_workers is None:
        max_workers = _MOST_ELSEWHERE if getattr(services, "runs_elsewhere", False) else max(2, os.cpu_count() or 1)
    if max_workers < 1:
        raise InvalidInput(f"A pipeline cannot run with {max_workers} workers.", hint="Give at least 1.")
    bound = pipeline.bind(params)
    run: Run = services.tracking.create_run(
        experiment or pipeline.name,
        name=pipeline.name,
        kind="pipeline",
        params=loggable(bound),
        tags={**(tags or {}), "pipeline": pipeline.name, **({"only": ", ".join(only)} if only and not shared else {})},
        code=services.code,
        environment={"python": platform.python_version(), "flyball": __version__},
        id=run_id,
    )
    if run_id and not shared:
        _end_orphans(run, services)
    scope = Scope(only=frozenset(only), again=frozenset(again_from), use_cache=use_cache, is_shared=shared)
    engine = Engine(
        run, pipeline.name, bound, services, scope=scope, on_event=on_event, max_workers=max_workers,
        on_metric=on_metric,
    )  # fmt: skip
    with capturing(), _watching(engine, run, services, cancel or threading.Event()):
        try:
            returned = _called(pipeline, bound, engine, scope)
            engine.finish()
            engine.close()
        except BaseException as error:  # noqa: BLE001  # the outer rim of a run: whatever ends it is written down
            failed = _ended_by(error, engine, run, pipeline, services)
            raise failed from failed.__cause__
    _record_usage(engine, run, pipeline, services)
    goes_on = shared and bool(only)
    ended = run if goes_on else _end_run(run, services, "finished")
    if pipeline.on_success is not None and not goes_on:
        tell(pipeline.on_success, ended)
    return PipelineResult(run=ended, outputs=tuple(handles_in(returned)), steps=engine.records(), returned=returned)


def _called(pipeline: Pipeline[..., Any], bound: dict[str, Any], engine: Engine, scope: Scope) -> Any:
    try:
        return copy_context().run(_call_function, pipeline, bound, engine)
    except NotAsked:
        if not scope.only:
            raise
        return None  # it wants to look at what is left out: all that was asked for has been called by then


def _call_function(pipeline: Pipeline[..., Any], bound: dict[str, Any], engine: Engine) -> Any:
    enter_pipeline(engine)
    return pipeline.function(**bound)


def _ended_by(
    error: BaseException, engine: Engine, run: Run, pipeline: Pipeline[..., Any], services: Any
) -> BaseException:
    if not isinstance(error, Exception):
        engine.stop(Cancelled("The run was stopped from outside."))
    with contextlib.suppress(Exception):  # what went wrong first is what is told
        engine.close()
    _record_usage(engine, run, pipeline, services)
    failed = pipeline_failure(pipeline.name, run.id, error)
    is_stop = isinstance(failed, Cancelled) or not isinstance(failed, Exception)
    ended = _end_run(run, services, "cancelled" if is_stop else "failed", described(failed))
    if pipeline.on_failure is not None:
        tell(pipeline.on_failure, ended)
    return failed


def _record_usage(engine: Engine, run: Run, pipeline: Pipeline[..., Any], services: Any) -> None:
    cost = getattr(services, "cost", None)
    if cost is None:
        return
    try:
        cost.record(run.id, pipeline.name, engine.usage.all())
    except FlyballError:  # what a run costs is no reason for it to fail
        logger.warning("what a run took could not be noted", exc_info=True, extra={"run": run.id})


def _end_run(run: Run, services: Any, state: EndState, error: str = "") -> Run:
    try:
        ended: Run = services.tracking.finish_run(run.id, state, error)
    except Conflict:  # it was finished by an earlier attempt, or cancelled from elsewhere
        ended = services.tracking.get_run(run.id)
    return ended


def _end_orphans(run: Run, services: Any) -> None:
    """Ends the steps that an earlier attempt left running when its process died."""
    for state in ("running", "lost"):
        for step in services.tracking.list_runs(parent=run.id, state=state, limit=1000):
            services.tracking.finish_run(step.id, "failed", "Its process died.")


@contextlib.contextmanager
def _watching(engine: Engine, run: Run, services: Any, cancel: threading.Event) -> Iterator[None]:
    """Says every two seconds that the run is alive, and stops it when it is asked to."""
    over = threading.Event()

    def watch() -> None:
        next_beat = time.monotonic() + _HEARTBEAT_SECONDS
        while not over.wait(0.05):
            if cancel.is_set():
                engine.stop(Cancelled(f"Run '{run.id}' was asked to stop.", run=run.id))
                return
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + _HEARTBEAT_SECONDS
                _beat(engine, run, services)

    thread = threading.Thread(target=watch, name="flyball-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_HEARTBEAT_SECONDS)


def _beat(engine: Engine, run: Run, services: Any) -> None:
    try:
        if services.tracking.heartbeat(run.id) == "cancelled":
            engine.stop(Cancelled(f"Run '{run.id}' was cancelled.", run=run.id))
        for step in engine.running():
            with contextlib.suppress(NotFound):  # it has begun, and that is not written down yet
                services.tracking.heartbeat(step)
    except FlyballError:
        logger.warning("a heartbeat failed", exc_info=True, extra={"run": run.id})
