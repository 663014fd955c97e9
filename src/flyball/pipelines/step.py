"""Steps: plain typed functions whose result is kept for each state of their code and inputs."""

from __future__ import annotations

import ast
import functools
import inspect
import typing
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Generic, ParamSpec, TypeVar, overload

from flyball.clock import parse_duration
from flyball.errors import InvalidInput
from flyball.pipelines.context import find_submitter
from flyball.refs import check_name

P = ParamSpec("P")
R = TypeVar("R")


class Step(Generic[P, R]):
    """A function that is a step where a pipeline calls it, and just itself anywhere else.

    Args:
        function: The function.
        name: Name of the step; that of the function by default.
        cache: Whether what it gave before is taken where nothing it depends on has changed.
        retries: How often it is tried again after it failed.
        timeout: How long it may take, such as `10m`.
        version: Changing it makes the step run again; for what cannot be seen in its code.
        inputs: Files it reads beside its arguments, as paths or globs relative to the project.
        environment: Names of environment variables it depends on.
        scripts: Files of the project's code, beside Python's own imports, that it is made of.
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str = "",
        cache: bool = True,
        retries: int = 0,
        timeout: str | float | timedelta | None = None,
        version: str = "",
        inputs: Sequence[str] = (),
        environment: Sequence[str] = (),
        scripts: Sequence[str] = (),
    ) -> None:
        if not callable(function):
            raise InvalidInput(f"{function!r} cannot be a step.", hint="Put @fb.step above a function.")
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise InvalidInput(
                f"'{function.__qualname__}' gives its result bit by bit and cannot be a step.",
                hint="Return the whole result.",
            )
        if retries < 0:
            raise InvalidInput(f"Step '{name or function.__name__}' has {retries} retries.", hint="Give 0 or more.")
        functools.update_wrapper(self, function)
        self.function = function
        self.name = check_name(name or function.__name__.strip("<>"), "step")
        self.signature = inspect.signature(function)
        self.cache = cache
        self.retries = retries
        self.timeout = _seconds(timeout)
        self.version = str(version)
        self.inputs = tuple(map(str, (inputs,) if isinstance(inputs, str) else inputs))
        self.environment = tuple((environment,) if isinstance(environment, str) else environment)
        self.scripts = tuple(scripts)

    def __call__(self, *given: P.args, **named: P.kwargs) -> R:
        """Runs the function; inside a pipeline run, gives a handle on what it will give."""
        submitter = find_submitter()
        if submitter is None:
            return self.function(*given, **named)
        handle: R = submitter.submit(self, given, named)
        return handle

    def __repr__(self) -> str:
        return f"<step {self.name}>"

    @functools.cached_property
    def parts(self) -> int | None:
        """How many outputs it has, where it is annotated `-> tuple[A, B]`; None for one of any kind."""
        found = getattr(self.function, "__annotations__", {}).get("return")
        if isinstance(found, str):
            # Not evaluated: its names may stand under TYPE_CHECKING only.
            return _parts_in_text(found)
        items = typing.get_args(found)
        return len(items) if typing.get_origin(found) is tuple and items and items[-1] is not Ellipsis else None


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...


@overload
def step(
    *,
    name: str = "",
    cache: bool = True,
    retries: int = 0,
    timeout: str | float | timedelta | None = None,
    version: str = "",
    inputs: Sequence[str] = (),
    environment: Sequence[str] = (),
) -> Callable[[Callable[P, R]], Step[P, R]]: ...


def step(function: Callable[..., Any] | None = None, /, **settings: Any) -> Any:
    """Makes a step of a function: `@fb.step`, or `@fb.step(retries=2, timeout="10m")`.

    In a pipeline run it gives a handle at once and runs as soon as its inputs are there; its result is kept, and taken again
    where its code, the code it reaches, its inputs and its params are the same. Anywhere else it is just the function.

    Args:
        function: The function.
        **settings: `name`, `cache`, `retries`, `timeout`, `version`, `inputs`, `environment`: see `Step`.
    """
    if function is not None:
        return Step(function, **settings)
    return lambda function: Step(function, **settings)


def _seconds(timeout: str | float | timedelta | None) -> float | None:
    if timeout is None:
        return None
    found = float(timeout) if isinstance(timeout, int | float) else parse_duration(timeout).total_seconds()
    if found <= 0:
        raise InvalidInput(f"A timeout of {timeout!r} leaves no time.", hint="Give a length such as '10m'.")
    return found


def _parts_in_text(annotation: str) -> int | None:
    try:
        tree: Any = ast.parse(annotation, mode="eval").body
    except SyntaxError:
        return None
    if not isinstance(tree, ast.Subscript) or ast.unparse(tree.value).rpartition(".")[2] not in ("tuple", "Tuple"):
        return None
    items = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
    last = items[-1] if items else None
    return None if last is None or (isinstance(last, ast.Constant) and last.value is ...) else len(items)
