"""Runs a pipeline over a stretch of time, window by window; what was done before is not done again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flyball.clock import format_time
from flyball.errors import Cancelled, FlyballError, InvalidInput
from flyball.pipelines.engine import run_pipeline
from flyball.pipelines.pipeline import Pipeline

_MOST = 10_000
_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A piece of time: from `start` until before `end`."""

    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        """What its run is tagged with, as an interval of ISO 8601."""
        return f"{format_time(self.start)}/{format_time(self.end)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRun:
    """What became of a window.

    Attributes:
        state: `present` where an earlier run had finished it.
        run: That run, or the one that was made now.
    """

    window: Window
    state: str
    run: str = ""
    error: str = ""


def windows_of(start: datetime, end: datetime, every: timedelta) -> list[Window]:
    """The windows of a stretch of time, the last one cut off at its end.

    Raises:
        InvalidInput: the stretch is empty, or falls into more than 10,000 windows.
    """
    if end <= start:
        raise InvalidInput(f"From {format_time(start)} to {format_time(end)} is no stretch of time.")
    if every <= timedelta(0):
        raise InvalidInput("A window must be longer than nothing.")
    if (end - start) / every > _MOST:
        raise InvalidInput(f"That is more than {_MOST:,} windows.", hint="Take longer ones, or a part of the time.")
    found = []
    while start < end:
        found.append(Window(start=start, end=min(start + every, end)))
        start += every
    return found


def backfill(
    pipeline: Pipeline[..., Any],
    windows: list[Window],
    params: Mapping[str, object] | None = None,
    *,
    services: Any,
    jobs: int = 1,
    again: bool = False,
    tell: Callable[[WindowRun], None] = lambda _: None,
) -> list[WindowRun]:
    """Runs the pipeline once for each window; one that fails does not stop the others.

    Args:
        pipeline: It takes `start` and `end`, as texts or times, or params whose values name them.
        windows: See `windows_of`.
        params: Values for all windows; in a text `{start}` and `{end}` stand for the window's, also as `{start:%Y-%m-%d}`.
        services: See `run_pipeline`.
        jobs: How many windows at once.
        again: Whether windows that an earlier run has finished are run again.
        tell: Told of each window when it has ended, from several threads.

    Raises:
        InvalidInput: the pipeline can take no window, or a parameter does not fit.
        Cancelled: it was asked to stop.
    """
    asked = [(window, _params(pipeline, params or {}, window)) for window in windows]
    for _, bound in asked[:1]:
        pipeline.bind(bound)
    done = {} if again else _finished(pipeline, services)

    def one(item: tuple[Window, dict[str, object]]) -> WindowRun:
        window, bound = item
        if window.name in done:
            ended = WindowRun(window=window, state="present", run=done[window.name])
        else:
            ended = _run(pipeline, window, bound, services)
        tell(ended)
        return ended

    if jobs <= 1:
        return [one(item) for item in asked]
    with ThreadPoolExecutor(jobs, thread_name_prefix="flyball-backfill") as threads:
        return list(threads.map(one, asked))


def _run(pipeline: Pipeline[..., Any], window: Window, params: Mapping[str, object], services: Any) -> WindowRun:
    try:
        result = run_pipeline(pipeline, params, services=services, tags={"window": window.name})
    except Cancelled:
        raise
    except FlyballError as error:
        run = str(error.facts.get("run", ""))
        return WindowRun(window=window, state="failed", run=run, error=error.message)
    return WindowRun(window=window, state="finished", run=result.run.id)


def _params(pipeline: Pipeline[..., Any], params: Mapping[str, object], window: Window) -> dict[str, object]:
    times = {"start": window.start, "end": window.end}
    found = {name: _filled(value, times) for name, value in params.items()}
    takes = [name for name in times if name in pipeline.params]
    for name in takes:
        found.setdefault(name, times[name] if pipeline.types.get(name) is datetime else format_time(times[name]))
    names_it = any(isinstance(value, str) and value != found[name] for name, value in params.items())
    if not takes and not names_it:
        raise InvalidInput(
            f"Pipeline '{pipeline.name}' takes neither `start` nor `end`, so every window would be the same.",
            hint="Give it such parameters, or name the window in one: -p day={start:%Y-%m-%d}.",
        )
    return found


def _filled(value: object, times: Mapping[str, datetime]) -> object:
    if not isinstance(value, str) or "{" not in value:
        return value
    try:
        return value.format(**{name: _Moment(at) for name, at in times.items()})
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise InvalidInput(f"'{value}' names no part of a window: {error}.", hint="Use {start} and {end}.") from error


class _Moment:
    """A time as a text is filled with it: ISO 8601, or by a form of strftime. It has nothing else to ask for."""

    __slots__ = ("_at",)

    def __init__(self, at: datetime) -> None:
        self._at = at

    def __format__(self, form: str) -> str:
        return self._at.strftime(form) if form else format_time(self._at)


def _finished(pipeline: Pipeline[..., Any], services: Any) -> dict[str, str]:
    """The runs that have finished a window, the newest of each."""
    return {run.tags["window"]: run.id for run in _runs(pipeline, services) if "window" in run.tags}


def _runs(pipeline: Pipeline[..., Any], services: Any) -> Iterator[Any]:
    before = ""
    while True:
        page = services.tracking.list_runs(
            experiment=pipeline.name, kind="pipeline", state="finished", limit=_PAGE, before=before
        )
        yield from page
        if len(page) < _PAGE:
            return
        before = page[-1].id
