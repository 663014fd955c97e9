"""What the control plane knows of loops, models and alerts, in Prometheus' text format: `GET /metrics`.

The figures of requests and latency come from the model servers' own `/metrics`; here stands what they cannot know: drift,
quality, performance with its interval, labels, trainings, alerts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from flyball.workspace import Workspace

if TYPE_CHECKING:
    from flyball.monitoring.windows import Window

_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_MOST_LOOPS = 1000


@dataclass(frozen=True, slots=True)
class _Sample:
    name: str
    help: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


def prometheus_routes(workspace: Workspace) -> list[Route]:
    """The route `/metrics`."""

    async def metrics(_: Request) -> Response:
        text = await run_in_threadpool(lambda: render(samples(workspace)))
        return PlainTextResponse(text, media_type=_TYPE)

    return [Route("/metrics", metrics)]


def samples(workspace: Workspace) -> Iterator[_Sample]:
    """Every figure."""
    active = workspace.alerts.list(state="active", limit=1000)
    for (severity, state), count in Counter((alert.severity, alert.state) for alert in active).items():
        yield _Sample("alerts", "Alerts that are not resolved.", count, (("severity", severity), ("state", state)))
    for loop in workspace.loops.list(limit=_MOST_LOOPS):
        name = ("loop", loop.loop.name)
        yield _Sample("loop_state", "1 for the state that a loop is in.", 1, (name, ("state", loop.state)))
        trainings = workspace.loops.list_trainings(loop.loop.name, limit=10_000)
        for outcome, count in Counter(each.state for each in trainings).items():
            yield _Sample("trainings", "Trainings by how they ended.", count, (name, ("state", outcome)))
        windows = workspace.monitoring.list_windows(loop.loop.name, limit=20)
        if windows:
            yield from _of_latest(windows[0])
        labelled = next((window for window in windows if window.performance), None)
        if labelled is not None:
            yield from _of_performance(labelled)


def _of_latest(window: Window) -> Iterator[_Sample]:
    of = _of(window)
    yield _Sample("window_end_seconds", "End of the latest window, since 1970.", window.end.timestamp(), of)
    yield _Sample("window_predictions", "Predictions of the latest window.", window.predictions, of)
    yield _Sample("window_labelled", "Those of them whose truth is known.", window.labelled, of)
    yield _Sample("quality_faults", "Faults of the latest window's data.", len(window.quality), of)
    if window.drift is not None:
        yield _Sample("drift_share", "Share of the columns that have drifted.", window.drift.share, of)
        for column in window.drift.columns:
            labels = (*of, ("column", column.column))
            yield _Sample("drift_distance", "Distance of a column from its reference.", column.distance, labels)
    for metric in window.estimated:
        if metric.value is not None:
            labels = (*of, ("metric", metric.name))
            yield _Sample("estimated", "Performance as it probably is, before truth.", metric.value, labels)


def _of_performance(window: Window) -> Iterator[_Sample]:
    for metric in window.performance:
        labels = (*_of(window), ("metric", metric.name))
        values = (
            ("performance", "Performance of the latest window with truth.", metric.value),
            ("performance_low", "Lower end of its interval.", metric.low),
            ("performance_high", "Upper end of its interval.", metric.high),
        )
        for name, text, value in values:
            if value is not None:
                yield _Sample(name, text, value, labels)


def _of(window: Window) -> tuple[tuple[str, str], ...]:
    return (("deployment", window.deployment),)


def render(found: Iterable[_Sample]) -> str:
    """Samples as text, those of one name together."""
    lines: list[str] = []
    name = ""
    for sample in sorted(found, key=lambda sample: sample.name):
        if sample.name != name:
            name = sample.name
            lines += [f"# HELP flyball_{name} {sample.help}", f"# TYPE flyball_{name} gauge"]
        labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in sample.labels)
        lines.append(
            f"flyball_{name}{{{labels}}} {sample.value:.10g}" if labels else f"flyball_{name} {sample.value:.10g}"
        )
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
