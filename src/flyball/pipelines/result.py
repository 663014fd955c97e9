"""How a run of a pipeline goes and ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from flyball.pipelines.materials import Artifact
from flyball.pipelines.output import Output, resolved
from flyball.tracking.runs import Run

StepState = Literal["cached", "finished", "failed", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEvent:
    """Something that happened to a step.

    Attributes:
        state: `waiting` when it was called, and where it waits for what it takes of the machine; `running` when it began, and for
            each line that it prints; else how it ended.
        after: The steps whose outputs it takes, when it was called.
        line: What it has just printed.
    """

    name: str
    state: Literal["waiting", "running", "cached", "finished", "failed", "skipped"]
    seconds: float = 0.0
    reason: str = ""
    after: tuple[str, ...] = ()
    line: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """How one step of a run ended.

    Attributes:
        name: Name of the step; its second call in the run is `name#2`.
        seconds: How long it took; for a cached one, how long it took when it ran.
        reason: Why it ran, was taken from the cache, was skipped or failed.
        outputs: What it gave.
        run: Id of the step's own run; empty where it was skipped.
    """

    name: str
    state: StepState
    seconds: float
    reason: str
    outputs: tuple[Artifact, ...] = ()
    run: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineResult:
    """How a run of a pipeline ended.

    Attributes:
        run: The pipeline's run.
        outputs: Handles on what the pipeline function returned, in order.
        steps: Its steps, in the order in which they were called.
        returned: What the pipeline function returned, handles in it.
    """

    run: Run
    outputs: tuple[Output, ...]
    steps: tuple[StepRecord, ...]
    returned: Any = field(default=None, repr=False)

    def value(self) -> Any:
        """What the pipeline function returned, each handle replaced by its value."""
        return resolved(self.returned)
