"""The values that a param may take: `fb.space.number(1e-3, 0.3, log=True)`."""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from flyball.errors import InvalidInput, did_you_mean
from flyball.serialization import JsonValue

Kind = Literal["number", "integer", "choice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """The values of one param.

    Attributes:
        low: Smallest value, itself included.
        high: Largest value, itself included.
        log: Whether it is the order of magnitude that counts.
        step: Distance between values; None where any value between fits.
        values: What may be chosen, for a choice.
    """

    kind: Kind
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: float | None = None
    values: tuple[JsonValue, ...] = ()

    def has(self, value: object) -> bool:
        """Whether a value is one of these."""
        if self.kind == "choice":
            return any(value == each and type(value) is type(each) for each in self.values)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.kind == "integer" and not float(value).is_integer():
            return False
        return self.low <= value <= self.high

    def __str__(self) -> str:
        if self.kind == "choice":
            return " | ".join(map(str, self.values))
        as_text = "{:g}".format
        steps = f", steps of {as_text(self.step)}" if self.step else ""
        return f"{self.kind} {as_text(self.low)} to {as_text(self.high)}{', log' if self.log else ''}{steps}"


def number(low: float, high: float, *, log: bool = False, step: float | None = None) -> Any:
    """A number between two others, both included.

    Args:
        log: Whether it is the order of magnitude that counts, as for a learning rate.
        step: Distance between values; None where any value between fits.

    >>> str(number(0.001, 0.3, log=True))
    'number 0.001 to 0.3, log'

    Raises:
        InvalidInput: no number lies there.
    """
    return _checked(Dimension(kind="number", low=float(low), high=float(high), log=log, step=step))


def integer(low: int, high: int, *, log: bool = False, step: int = 1) -> Any:
    """A whole number between two others, both included.

    >>> str(integer(2, 64, log=True))
    'integer 2 to 64, log'

    Raises:
        InvalidInput: no whole number lies there.
    """
    step_given = None if step == 1 else float(step)
    return _checked(Dimension(kind="integer", low=float(low), high=float(high), log=log, step=step_given))


def choice(*values: JsonValue) -> Any:
    """One of some plain values.

    Raises:
        InvalidInput: there is none, or one twice.
    """
    return _checked(Dimension(kind="choice", values=tuple(values)))


def space_of(
    types: Mapping[str, Any], given: Mapping[str, object] | None = None, fixed: Mapping[str, object] | None = None
) -> dict[str, Dimension]:
    """What is searched: the dimensions that the type hints name, and those that are given.

    A hint names one by `Annotated[float, fb.space.number(0.01, 0.3)]` or by `Literal["gini", "entropy"]`.

    Args:
        types: Type hint of each parameter, with its extras.
        given: Dimensions by parameter; a list of values is a choice, and hyperopt's `hp` expressions are read too.
        fixed: Parameters that keep a value.

    Raises:
        InvalidInput: a parameter is unknown, a dimension cannot be read, or nothing is left to search.
    """
    found = {name: dimension for name, hint in types.items() if (dimension := _hinted(hint)) is not None}
    for name, value in (given or {}).items():
        if name not in types:
            raise InvalidInput(f"There is no parameter '{name}' to search.", hint=did_you_mean(name, types))
        found[name] = _read(name, value)
    for name in fixed or {}:
        found.pop(name, None)
    if not found:
        raise InvalidInput(
            "There is nothing to search.",
            hint="Write a parameter as `rate: Annotated[float, fb.space.number(0.01, 0.3)] = 0.1`, or give `space={...}`.",
        )
    return found


def _hinted(hint: Any) -> Dimension | None:
    if typing.get_origin(hint) is Annotated:
        return next((extra for extra in hint.__metadata__ if isinstance(extra, Dimension)), None)
    if typing.get_origin(hint) is Literal:
        values: Dimension = choice(*typing.get_args(hint))
        return values
    return None


def _read(name: str, value: object) -> Dimension:
    if isinstance(value, Dimension):
        return value
    if isinstance(value, list | tuple):
        values: Dimension = choice(*value)
        return values
    if type(value).__name__ == "Apply":  # an expression of hyperopt, which need not be installed here
        return _of_hyperopt(name, value)
    raise InvalidInput(
        f"The space of '{name}' is {value!r}, which cannot be read.",
        hint="Give fb.space.number(...), fb.space.integer(...), fb.space.choice(...) or a list of values.",
    )


def _of_hyperopt(name: str, expression: Any) -> Dimension:
    """A dimension out of `hp.uniform` and its like: `float(hyperopt_param(label, uniform(low, high)))`."""
    node, is_whole = expression, False
    while node.name in ("float", "int", "hyperopt_param", "switch"):
        if node.name == "switch":
            return _of_switch(name, node)
        is_whole = is_whole or node.name == "int"
        node = node.pos_args[-1]
    numbers = [argument.obj for argument in (*node.pos_args, *(value for _, value in node.named_args))]
    made: Any = None
    match node.name, numbers:
        case "uniform", [low, high]:
            made = number(low, high)
        case "loguniform", [low, high]:
            made = number(math.exp(low), math.exp(high), log=True)
        case "quniform", [low, high, step] if is_whole:  # as hp.uniformint is written
            made = integer(int(low), int(high), step=int(step))
        case "quniform", [low, high, step]:
            made = number(low, high, step=step)
        case "qloguniform", [low, high, step]:
            made = number(max(step, math.exp(low)), math.exp(high), log=True)
        case "randint", [high]:
            made = integer(0, int(high) - 1)
        case "randint", [low, high]:
            made = integer(int(low), int(high) - 1)
    if made is None:
        raise InvalidInput(
            f"The space of '{name}' is hyperopt's '{node.name}', which is not read.",
            hint="Give bounds: hp.uniform, hp.loguniform, hp.quniform, hp.uniformint, hp.randint or hp.choice.",
        )
    dimension: Dimension = made
    return dimension


def _of_switch(name: str, node: Any) -> Dimension:
    options = node.pos_args[1:]
    if any(option.name != "literal" for option in options):
        raise InvalidInput(
            f"The space of '{name}' is a choice between other spaces, which is not read.",
            hint="Search one pipeline for each, or make them parameters of their own.",
        )
    made: Dimension = choice(*(option.obj for option in options))
    return made


def _checked(dimension: Dimension) -> Dimension:
    low, high, step = dimension.low, dimension.high, dimension.step
    if dimension.kind == "choice":
        plain = all(value is None or isinstance(value, bool | int | float | str) for value in dimension.values)
        if not dimension.values or not plain:
            raise InvalidInput("A choice is between plain values: texts, numbers, true, false, None.")
        if len({(type(value), value) for value in dimension.values}) < len(dimension.values):
            raise InvalidInput("A choice names one value twice.")
    elif not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise InvalidInput(
            f"No {dimension.kind} lies between {low:g} and {high:g}.", hint="Give the smaller bound first."
        )
    elif dimension.log and (low <= 0 or (dimension.kind == "number" and step)):
        raise InvalidInput(f"A log scale from {low:g} cannot be.", hint="It begins above 0, and has no steps.")
    elif step is not None and (step <= 0 or step > max(high - low, 0)):
        raise InvalidInput(f"Steps of {step:g} do not fit between {low:g} and {high:g}.")
    return dimension
