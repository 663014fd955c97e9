"""What is around a piece of code: the pipeline run that takes its steps, or the step that it is part of."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flyball.errors import InvalidInput
from flyball.tracking.limits import check_artifact_name
from flyball.tracking.runs import MetricPoint, Run

if TYPE_CHECKING:
    from flyball.clock import Clock
    from flyball.pipelines.cache import StepCache
    from flyball.pipelines.step import Step
    from flyball.storage.objects import Blobs
    from flyball.tracking.runs import Tracking


class PipelineServices(Protocol):
    """What a pipeline run works with. Ready-made steps ask it for more: data, registry, features."""

    @property
    def tracking(self) -> Tracking:
        """Where runs are written down."""
        ...

    @property
    def step_cache(self) -> StepCache:
        """What steps gave before."""
        ...

    @property
    def blobs(self) -> Blobs:
        """Where outputs are kept."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock that rules here."""
        ...

    @property
    def project_root(self) -> Path:
        """Folder of the project's code."""
        ...

    @property
    def code(self) -> str:
        """Digest of the code snapshot; empty where there is none."""
        ...


class Submitter(Protocol):
    """Takes calls of steps while a pipeline function runs."""

    def submit(self, step: Step[Any, Any], given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """A handle on what the step will give, or a tuple of them."""
        ...


@dataclass(slots=True)
class Logged:
    """What one step has logged, until it is written down.

    Attributes:
        points: Not yet written.
        last: The last value of each metric.
        left: What it leaves behind besides its outputs: name, digest, size, kind.
    """

    points: list[MetricPoint] = field(default_factory=list)
    last: dict[str, float] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    snapshots: list[str] = field(default_factory=list)
    left: list[tuple[str, str, int, str]] = field(default_factory=list)


class RunContext:
    """The pipeline run around a step.

    Attributes:
        run: The pipeline's run, as it was when it began.
        services: What the run works with.
        params: The pipeline's parameters.
        step: The step, as the run calls it.
        secrets: Names of those that the step may ask for.
        snapshots: Data snapshots that the run has used so far, in all of its steps.
        logged: What this step has logged.
    """

    def __init__(
        self,
        run: Run,
        services: Any,
        params: Mapping[str, Any],
        *,
        step: str = "",
        snapshots: list[str] | None = None,
        on_metric: Callable[[str, float, int], None] | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        self.run = run
        self.services = services
        self.params = dict(params)
        self.step = step
        self.secrets = tuple(secrets)
        self.snapshots: list[str] = [] if snapshots is None else snapshots
        self.logged = Logged()
        self._on_metric = on_metric
        self._scratch: Path | None = None
        self._lock = threading.Lock()

    def scratch(self) -> Path:
        """A folder for files that this step makes; it goes when the step has ended and its outputs are kept."""
        with self._lock:
            if self._scratch is None:
                self._scratch = Path(tempfile.mkdtemp(prefix="flyball-step-"))
            return self._scratch

    def is_scratch(self, value: object) -> bool:
        """Whether a value is a path that will be gone when the step has ended."""
        return self._scratch is not None and isinstance(value, Path) and value.is_relative_to(self._scratch)

    def clean_up(self) -> None:
        """Removes the scratch folder."""
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def pipeline_run(self) -> str:
        """Id of the pipeline's run."""
        return self.run.id

    def for_step(self, name: str, secrets: Sequence[str] = ()) -> RunContext:
        """The same run, around one of its steps."""
        return RunContext(
            self.run, self.services, self.params, step=name, snapshots=self.snapshots, on_metric=self._on_metric,
            secrets=secrets,
        )  # fmt: skip

    def log(
        self,
        *,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        step: int | None = None,
    ) -> None:
        """Logs to the step's run; the last value of each metric also stands in the pipeline's run.

        Args:
            params: What the work was given.
            metrics: Named numbers.
            tags: Short named texts.
            step: Place of the metrics on the run's axis; counted up by itself where it is not given.
        """
        at = self.services.clock.now()
        new: list[MetricPoint] = []
        with self._lock:
            for key, value in (metrics or {}).items():
                place = self.logged.steps.get(key, -1) + 1 if step is None else step
                self.logged.steps[key] = place
                new.append(MetricPoint(key=key, value=float(value), step=place, at=at))
                self.logged.last[key] = float(value)
            self.logged.points += new
            self.logged.params.update(params or {})
            self.logged.tags.update(tags or {})
        self._tell(new)

    def log_points(self, points: Sequence[MetricPoint]) -> None:
        """Takes in metric points that were logged in another process."""
        with self._lock:
            self.logged.points += points
            for point in points:
                self.logged.steps[point.key] = point.step
                if point.value is not None:
                    self.logged.last[point.key] = point.value
        self._tell(points)

    def _tell(self, points: Sequence[MetricPoint]) -> None:
        if self._on_metric is not None:
            for point in points:
                if point.value is not None:
                    self._on_metric(point.key, point.value, point.step)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Logs named numbers."""
        self.log(metrics=metrics)

    def keep_artifact(self, source: Path | bytes, name: str, kind: str) -> None:
        """Keeps a file as it is now, or bytes; the step's run names it when the step has ended."""
        check_artifact_name(name)
        blobs: Blobs = self.services.blobs
        if isinstance(source, bytes):
            digest, size = blobs.put(source), len(source)
        else:
            digest, size = blobs.put_file(source), source.stat().st_size
        with self._lock:
            self.logged.left.append((name, digest, size, kind))

    def use_snapshot(self, ref: str) -> None:
        """Notes that the run has used a data snapshot."""
        with self._lock:
            if ref not in self.logged.snapshots:
                self.logged.snapshots.append(ref)
            if ref not in self.snapshots:
                self.snapshots.append(ref)

    def take_points(self) -> list[MetricPoint]:
        """The metric points that were not taken before."""
        with self._lock:
            taken, self.logged.points = self.logged.points, []
            return taken


_submitter: ContextVar[Submitter | None] = ContextVar("flyball_pipeline", default=None)
_run: ContextVar[RunContext | None] = ContextVar("flyball_step", default=None)


def current_run() -> RunContext:
    """The pipeline run around the step that calls this.

    Raises:
        InvalidInput: there is none.
    """
    found = _run.get()
    if found is None:
        raise InvalidInput("This can only be done in a step of a pipeline.", hint="Run it with `flyball run PIPELINE`.")
    return found


def find_run() -> RunContext | None:
    """The pipeline run around the step that calls this; None if there is none."""
    return _run.get()


def find_submitter() -> Submitter | None:
    """What takes calls of steps here; None where a step is just its function."""
    return _submitter.get()


def enter_pipeline(submitter: Submitter) -> None:
    """From here on, in this context, calls of steps go to the submitter."""
    _submitter.set(submitter)
    _run.set(None)


def enter_step(run: RunContext) -> None:
    """From here on, in this context, a step is just its function, and the run is around it."""
    _submitter.set(None)
    _run.set(run)
