"""A pipeline as a list of steps with what stands before each, for systems that want to know it before it runs.

The pipeline function is called with steps that give no values. One that looks at a value on its way cannot be written down.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from flyball.errors import FlyballError, InvalidInput
from flyball.executors.base import NOTHING, Resources
from flyball.pipelines.context import enter_pipeline
from flyball.pipelines.materials import Artifact
from flyball.pipelines.output import Output, handles_in
from flyball.pipelines.pipeline import Pipeline
from flyball.pipelines.step import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """One call of a step.

    Attributes:
        name: Name of the call in a run; the second one of a step is `name#2`.
        after: Names of the calls whose outputs it takes.
        timeout: Seconds; None for no limit.
    """

    name: str
    after: tuple[str, ...] = ()
    resources: Resources = NOTHING
    timeout: float | None = None
    retries: int = 0
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A pipeline, written down.

    Attributes:
        params: The value of each parameter, as text.
        steps: In the order in which they are called.
    """

    pipeline: str
    params: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[PlannedStep, ...]


class _Value:
    """Stands for what a step will give."""

    state = "waiting"

    def __init__(self, name: str, pipeline: str) -> None:
        self.name = name
        self._pipeline = pipeline

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        raise self._refusal()

    def identity(self, place: int | None) -> str:
        raise self._refusal()

    def result(self, place: int | None) -> Any:
        raise self._refusal()

    def _refusal(self) -> InvalidInput:
        return InvalidInput(
            f"Pipeline '{self._pipeline}' looks at what '{self.name}' gives, so its steps are known only while it runs.",
            hint="Move the decision into a step, or write the pipeline down as one step: --whole.",
        )


class _Planner:
    """Notes the calls of steps."""

    def __init__(self, pipeline: str) -> None:
        self.steps: list[PlannedStep] = []
        self._pipeline = pipeline
        self._names: dict[str, int] = {}

    def submit(self, step: Step[Any, Any], given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Handles on what is not there."""
        try:
            bound = step.signature.bind(*given, **named)
        except TypeError as error:
            raise InvalidInput(f"Step '{step.name}' cannot be called like this: {error}.") from None
        count = self._names[step.name] = self._names.get(step.name, 0) + 1
        name = step.name if count == 1 else f"{step.name}#{count}"
        taken = (handle.source.name for value in bound.arguments.values() for handle in handles_in(value))
        self.steps.append(
            PlannedStep(
                name=name,
                after=tuple(dict.fromkeys(taken)),
                resources=step.resources,
                timeout=step.timeout,
                retries=step.retries,
                secrets=step.secrets,
            )
        )
        source = _Value(name, self._pipeline)
        return Output(source) if step.parts is None else tuple(Output(source, place) for place in range(step.parts))


def plan_pipeline(pipeline: Pipeline[..., Any], params: Mapping[str, object] | None = None) -> Plan:
    """The steps that a pipeline calls with these params.

    Raises:
        InvalidInput: it looks at a value on its way, a parameter is missing, or it calls no step.
    """
    bound = pipeline.bind(params)
    planner = _Planner(pipeline.name)

    def call() -> None:
        enter_pipeline(planner)
        pipeline.function(**bound)

    try:
        copy_context().run(call)
    except FlyballError:
        raise
    except Exception as error:
        raise InvalidInput(
            f"Pipeline '{pipeline.name}' cannot be written down: {type(error).__name__}: {error}",
            hint="What it does beside calling steps belongs into a step.",
        ) from error
    if not planner.steps:
        raise InvalidInput(f"Pipeline '{pipeline.name}' calls no step.")
    return Plan(
        pipeline=pipeline.name, params={name: _text(value) for name, value in bound.items()}, steps=tuple(planner.steps)
    )


def whole(pipeline: Pipeline[..., Any], params: Mapping[str, object] | None = None) -> Plan:
    """The pipeline as a single step, which runs all of it."""
    bound = pipeline.bind(params)
    return Plan(pipeline=pipeline.name, params={name: _text(value) for name, value in bound.items()}, steps=())


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    from flyball.serialization import to_json

    return to_json(value).decode()
