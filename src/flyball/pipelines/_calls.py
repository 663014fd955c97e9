"""One call of a step in a run: what it waits for, how it stands, what it gave."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable
from contextvars import Context
from typing import Any, ClassVar, Literal

from flyball.errors import WorkFailed
from flyball.pipelines._capture import Page
from flyball.pipelines.cache import CachedStep
from flyball.pipelines.context import RunContext
from flyball.pipelines.materials import Artifact, load
from flyball.pipelines.output import Output, handles_in
from flyball.pipelines.step import Step
from flyball.storage.objects import Blobs

State = Literal["waiting", "running", "cached", "finished", "failed", "skipped"]


class Call:
    """One call of a step.

    Attributes:
        name: Name of the step; its second call in a run is `name#2`.
        facts: What it depends on and what it gave, once its key is known.
        runs_again: Whether it, or one before it, runs whatever is kept.
        was_raised: Whether its error has reached the pipeline function, which may have gone round it.
        LATER: Stands for a value that is read back when it is asked for.
    """

    LATER: ClassVar = object()

    def __init__(
        self, step: Step[Any, Any], name: str, bound: inspect.BoundArguments, context: Context, blobs: Blobs
    ) -> None:
        self.step = step
        self.name = name
        self.bound = bound
        self.context = context
        self.state: State = "waiting"
        self.reason = ""
        self.seconds = 0.0
        self.run = ""
        self.facts: CachedStep | None = None
        self.around: RunContext | None = None
        self.page = Page()
        self.artifacts: tuple[Artifact, ...] = ()
        self.error: WorkFailed | None = None
        self.runs_again = False
        self.was_raised = False
        self.thread = 0
        self.started = 0.0
        self.done = threading.Event()
        self.lock = threading.RLock()
        self._blobs = blobs
        self._values: list[Any] = []
        self._is_claimed = False
        self._before: list[Call] | None = None
        self._then: list[Callable[[], None]] = []

    def before(self) -> list[Call]:
        """The calls whose outputs it takes, each once."""
        if self._before is None:
            taken = (handle.source for value in self.bound.arguments.values() for handle in handles_in(value))
            self._before = [source for source in dict.fromkeys(taken) if isinstance(source, Call)]
        return self._before

    def place_tag(self) -> dict[str, str]:
        """A tag that names the steps whose outputs it takes; none if it takes none."""
        names = [call.name for call in self.before()]
        return {"after": ", ".join(names)} if names else {}

    def handles(self) -> Output | tuple[Output, ...]:
        """What the pipeline function gets."""
        if self.step.parts is None:
            return Output(self)
        return tuple(Output(self, place) for place in range(self.step.parts))

    def identity(self, place: int | None) -> str:
        """What stands for the value in the keys of the steps that take it."""
        return self.artifacts[place or 0].identity

    def result(self, place: int | None) -> Any:
        """What the step gave, or one part of it; waits for it."""
        self.done.wait()
        if self.error is not None:
            self.was_raised = True
            raise self.error
        with self.lock:
            at = place or 0
            if self._values[at] is self.LATER:
                self._values[at] = load(self.artifacts[at], self._blobs)
            return self._values[at]

    def keep(self, artifacts: tuple[Artifact, ...], values: list[Any] | None = None) -> None:
        """Takes in the outputs; without values they are read back when they are asked for."""
        self.artifacts = artifacts
        self._values = [self.LATER] * len(artifacts) if values is None else values

    def share(self, other: Call) -> None:
        """Takes over what an equal call gave."""
        self.artifacts, self._values = other.artifacts, other._values

    def begin(self) -> bool:
        """Marks it as running in this thread; False if it was ended meanwhile."""
        with self.lock:
            if self._is_claimed:
                return False
            self.state, self.thread, self.started = "running", threading.get_ident(), time.monotonic()
            return True

    def claim(self) -> bool:
        """The right to end it, given once: what was given up may come back late."""
        with self.lock:
            is_first, self._is_claimed = not self._is_claimed, True
            return is_first

    def end(self, state: State) -> None:
        """Ends it, after its right was claimed, and tells those who wait."""
        with self.lock:
            self.state = state
            self.done.set()
            then, self._then = self._then, []
        for tell in then:
            tell()

    def when_done(self, tell: Callable[[], None]) -> None:
        """Calls back when it has ended; at once if it has."""
        with self.lock:
            if not self.done.is_set():
                self._then.append(tell)
                return
        tell()
