"""Steps: plain typed functions whose result is kept for each state of their code and inputs."""

from __future__ import annotations

import ast
import functools
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypedDict, TypeVar, Unpack, overload

from flyball.clock import parse_duration
from flyball.errors import InvalidInput, WorkFailed, did_you_mean
from flyball.machine.resources import resources
from flyball.pipelines.context import find_submitter
from flyball.refs import check_name

if TYPE_CHECKING:
    from flyball.pipelines.result import StepEvent

P = ParamSpec("P")
R = TypeVar("R")


class StepOptions(TypedDict, total=False):
    """Settings of a step.

    Attributes:
        name: Name of the step; that of the function by default.
        cache: Whether what it gave before is taken where nothing it depends on has changed.
        ttl: For how long what it gave may be taken, such as `1d`; for ever by default.
        retries: How often it is tried again after it failed, after pauses that double.
        timeout: How long it may take, such as `10m`.
        version: Changing it makes the step run again; for what cannot be seen in its code.
        inputs: Files it reads beside its arguments, as paths or globs relative to the project.
        environment: Names of environment variables it depends on.
        secrets: Names of secrets that it may ask for with `fb.secret`.
        cores: Processor cores it takes.
        memory: Memory it takes, such as `4GB`; a step in a process of its own that takes more is stopped.
        gpus: Accelerators it takes.
        limits: Names of things that bear so many users at once, such as `{"warehouse": 2}`.
        priority: Steps of a higher one go first where there is not room for all.
        isolated: Whether it runs in a process of its own.
        packages: What it needs installed, such as `["lightgbm==4.6.0"]` or `["-r requirements.txt"]`; it then runs in a process
            of its own, with an environment that is made once.
        on_failure: Called with a `StepEvent` when it has failed for good.
    """

    name: str
    cache: bool
    ttl: str | timedelta | None
    retries: int
    timeout: str | float | timedelta | None
    version: str
    inputs: Sequence[str]
    environment: Sequence[str]
    secrets: Sequence[str]
    cores: float
    memory: str | int
    gpus: int
    limits: Mapping[str, int]
    priority: int
    isolated: bool
    packages: Sequence[str]
    on_failure: Callable[[StepEvent], object]


class Step(Generic[P, R]):
    """A function that is a step where a pipeline calls it, and just itself anywhere else.

    Args:
        function: The function.
        scripts: Files of the project's code, beside Python's own imports, that it is made of.
        **options: See `StepOptions`.

    Attributes:
        resources: What it takes of the machine.
    """

    def __init__(
        self, function: Callable[P, R], *, scripts: Sequence[str] = (), **options: Unpack[StepOptions]
    ) -> None:
        if not callable(function):
            raise InvalidInput(f"{function!r} cannot be a step.", hint="Put @fb.step above a function.")
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise InvalidInput(
                f"'{function.__qualname__}' gives its result bit by bit and cannot be a step.",
                hint="Return the whole result.",
            )
        unknown = sorted(set(options) - set(StepOptions.__annotations__))
        if unknown:
            raise InvalidInput(
                f"A step has no setting '{unknown[0]}'.", hint=did_you_mean(unknown[0], StepOptions.__annotations__)
            )
        functools.update_wrapper(self, function)
        self.function = function
        self.name = check_name(options.get("name") or function.__name__.strip("<>"), "step")
        self.signature = inspect.signature(function)
        self.cache = options.get("cache", True)
        self.ttl = _seconds("ttl", options.get("ttl"))
        self.retries = options.get("retries", 0)
        if self.retries < 0:
            raise InvalidInput(f"Step '{self.name}' has {self.retries} retries.", hint="Give 0 or more.")
        self.timeout = _seconds("timeout", options.get("timeout"))
        self.version = str(options.get("version", ""))
        self.inputs = _names(options.get("inputs", ()))
        self.environment = _names(options.get("environment", ()))
        self.secrets = _names(options.get("secrets", ()))
        self.resources = resources(
            cores=options.get("cores", 0.0),
            memory=options.get("memory", 0),
            gpus=options.get("gpus", 0),
            limits=options.get("limits"),
        )
        self.priority = options.get("priority", 0)
        self.packages = _names(options.get("packages", ()))
        self.isolated = options.get("isolated", False) or bool(self.packages)
        self.on_failure = options.get("on_failure")
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
def step(**options: Unpack[StepOptions]) -> Callable[[Callable[P, R]], Step[P, R]]: ...


def step(function: Callable[..., Any] | None = None, /, **options: Unpack[StepOptions]) -> Any:
    """Makes a step of a function: `@fb.step`, or `@fb.step(retries=2, timeout="10m")`.

    In a pipeline run it gives a handle at once and runs as soon as its inputs are there; its result is kept, and taken again
    where its code, the code it reaches, its inputs and its params are the same. Anywhere else it is just the function.

    Args:
        function: The function.
        **options: See `StepOptions`.
    """
    if function is not None:
        return Step(function, **options)
    return lambda function: Step(function, **options)


def parts_of(step: Step[..., Any], value: Any) -> list[Any]:
    """What a step gave, output by output.

    Raises:
        WorkFailed: it gave another number of values than it is annotated to.
    """
    count = step.parts
    if count is None:
        return [value]
    if not isinstance(value, tuple) or len(value) != count:
        given = f"{len(value)} values" if isinstance(value, tuple) else f"a {type(value).__name__}"
        raise WorkFailed(f"It is annotated to return {count} values and returned {given}.")
    return list(value)


def _names(given: Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(map(str, given))


def _seconds(what: str, given: str | float | timedelta | None) -> float | None:
    if given is None:
        return None
    found = float(given) if isinstance(given, int | float) else parse_duration(given).total_seconds()
    if found <= 0:
        raise InvalidInput(f"A {what} of {given!r} leaves no time.", hint="Give a length such as '10m'.")
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
