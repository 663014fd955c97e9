"""What goes over to a step that runs in another process, and what comes back: by content, through the blobs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flyball.errors import InvalidInput
from flyball.pipelines._modules import project_label
from flyball.pipelines.materials import Artifact, load, save
from flyball.pipelines.output import Output
from flyball.pipelines.step import Step
from flyball.serialization import JsonValue
from flyball.storage.objects import Blobs
from flyball.tracking.runs import MetricPoint, Run

MARK = "\x1eflyball "
"""What a line begins with that the step's process says to the run and not to people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An argument: kept by its content, or several of them."""

    artifact: Artifact | None = None
    items: tuple[Given, ...] = ()
    keys: tuple[str, ...] = ()
    kind: str = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTask:
    """A call of a step.

    Attributes:
        step: Name of the step in the run.
        module: Module that holds it.
        attribute: What it is called there.
        file: File of the project to load first; empty where the step is a library's.
        project: Folder of the project's code; `code` says what must be in it where the folder is another machine's.
        source: Folder that the sources of datasets are relative to.
        run: The pipeline's run.
        params: The pipeline's parameters.
    """

    step: str
    module: str
    attribute: str
    file: str
    project: str
    source: str
    code: str
    run: Run
    params: Given
    args: Given
    kwargs: Given
    snapshots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSaid:
    """What the process of a step says to the run: what it has logged so far, and in the end what came of it.

    Attributes:
        ended: Whether this is its last word.
        error: Why it failed; None if it did not.
        core_seconds: Processor time that its process used.
        memory: The most bytes that it held.
    """

    ended: bool = False
    core_seconds: float = 0.0
    memory: int = 0
    points: list[MetricPoint] = field(default_factory=list)
    artifacts: tuple[Artifact, ...] = ()
    seconds: float = 0.0
    error: dict[str, JsonValue] | None = None
    last: dict[str, float] = field(default_factory=dict)
    params: dict[str, JsonValue] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    snapshots: tuple[str, ...] = ()
    left: tuple[tuple[str, str, int, str], ...] = ()


def place_of(step: Step[Any, Any], root: Path) -> tuple[str, str, str]:
    """The module that a step stands in, what it is called there, and the project's file to load for it.

    Raises:
        InvalidInput: it stands in no module, so another process cannot find it.
    """
    name = step.function.__module__
    for module in (name, *sys.modules):
        found = sys.modules.get(module)
        file = project_label(root, getattr(found, "__file__", None))
        if found is None or module == "__main__" or (module != name and not file):
            continue
        for attribute, value in list(vars(found).items()):
            if value is step:
                return module, attribute, file
    raise InvalidInput(
        f"Step '{step.name}' cannot run in a process of its own: it is not a name at the top of a module of the project.",
        hint="Define it with @fb.step at the top level of a file of the project.",
    )


def pack(value: object, blobs: Blobs, *, code_of: Callable[[Any], str]) -> Given:
    """An argument, ready to go over; outputs of steps go by reference.

    Raises:
        InvalidInput: a value cannot be kept.
    """
    if isinstance(value, Output):
        return _kept(value.source.artifacts[value.place or 0])
    if type(value) in (list, tuple):
        items = tuple(pack(item, blobs, code_of=code_of) for item in value)  # type: ignore[attr-defined]  # `in` narrows nothing
        return Given(kind=type(value).__name__, items=items)
    if type(value) is dict and all(isinstance(key, str) for key in value):
        return Given(
            kind="dict",
            keys=tuple(value),
            items=tuple(pack(item, blobs, code_of=code_of) for item in value.values()),
        )
    return _kept(save(value, blobs, code_of=code_of))


def unpack(given: Given, blobs: Blobs) -> Any:
    """The argument again."""
    if given.artifact is not None:
        return load(given.artifact, blobs)
    items = [unpack(item, blobs) for item in given.items]
    if given.kind == "dict":
        return dict(zip(given.keys, items, strict=True))
    return tuple(items) if given.kind == "tuple" else items


def unpack_named(given: Given, blobs: Blobs) -> Mapping[str, Any]:
    """Named arguments again."""
    found: dict[str, Any] = unpack(given, blobs)
    return found


def _kept(artifact: Artifact) -> Given:
    if artifact.kind == "live":
        raise InvalidInput(
            f"A {artifact.type.rpartition(':')[2]} cannot be handed to a step in another process.",
            hint="Hand over tables, files or values that can be pickled.",
        )
    return Given(artifact=artifact)
