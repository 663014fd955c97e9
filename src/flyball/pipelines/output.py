"""Handles on what steps will give: passed on without waiting, waited for where Python needs the value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from flyball.pipelines.materials import Artifact


class Source(Protocol):
    """What stands behind a handle."""

    @property
    def name(self) -> str:
        """Name of the step."""
        ...

    @property
    def state(self) -> str:
        """How the step stands."""
        ...

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """What the step gave, as it is kept; the step has finished."""
        ...

    def identity(self, place: int | None) -> str:
        """What stands for the value in the keys of the steps that take it; the step has finished."""
        ...

    def result(self, place: int | None) -> Any:
        """What the step gave, or one part of it; waits for it."""
        ...


class Output:
    """What a step will give.

    Passed to another step, it is resolved there. Asked for its truth, its length, its items or an order, it waits for the
    value, so branches and loops over it just work; anything else of the value is reached through `value()`.

    Args:
        source: The call of the step.
        place: Which part of a tuple of outputs it is; None for all of what the step gave.
    """

    __slots__ = ("_place", "_source")

    def __init__(self, source: Source, place: int | None = None) -> None:
        self._source = source
        self._place = place

    @property
    def source(self) -> Source:
        """The call of the step that gives it."""
        return self._source

    @property
    def place(self) -> int | None:
        """Which part of a tuple of outputs it is."""
        return self._place

    def value(self) -> Any:
        """The value, when the step has finished; to be read only, for other steps may hold the same object.

        Raises:
            WorkFailed: the step, or one that it needs, failed.
            Cancelled: the run was asked to stop.
        """
        return self._source.result(self._place)

    def __bool__(self) -> bool:
        return bool(self.value())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value())

    def __len__(self) -> int:
        return len(self.value())

    def __getitem__(self, key: object) -> Any:
        return self.value()[key]

    def __contains__(self, item: object) -> bool:
        return item in self.value()

    def __float__(self) -> float:
        return float(self.value())

    def __int__(self) -> int:
        return int(self.value())

    def __lt__(self, other: object) -> Any:
        return self.value() < resolved(other)

    def __le__(self, other: object) -> Any:
        return self.value() <= resolved(other)

    def __gt__(self, other: object) -> Any:
        return self.value() > resolved(other)

    def __ge__(self, other: object) -> Any:
        return self.value() >= resolved(other)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"'{name}' is asked of the output of step '{self._source.name}', which is a handle. "
            f"Write `.value().{name}` to wait for the value."
        )

    def __repr__(self) -> str:
        part = "" if self._place is None else f"[{self._place}]"
        return f"<output {self._source.name}{part}, {self._source.state}>"


def resolved(value: Any) -> Any:
    """The value with every handle in it, also in lists, tuples and dicts, replaced by what the step gave."""
    if isinstance(value, Output):
        return value.value()
    if type(value) in (list, tuple):
        return type(value)(resolved(item) for item in value)
    if type(value) is dict:
        return {key: resolved(item) for key, item in value.items()}
    return value


def handles_in(value: object) -> Iterator[Output]:
    """Every handle in a value, also in lists, tuples and dicts."""
    if isinstance(value, Output):
        yield value
    elif type(value) in (list, tuple):
        for item in value:  # type: ignore[attr-defined]  # `in` narrows nothing, and a subclass is not meant
            yield from handles_in(item)
    elif type(value) is dict:
        for item in value.values():
            yield from handles_in(item)
