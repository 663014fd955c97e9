"""Pipelines: functions that call steps."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, Generic, ParamSpec, TypeVar, overload

from flyball.errors import InvalidInput, did_you_mean
from flyball.refs import check_name
from flyball.serialization import convert, from_json
from flyball.tracking.runs import Run

P = ParamSpec("P")
R = TypeVar("R")
Hook = Callable[[Run], object]


class Pipeline(Generic[P, R]):
    """A function that calls steps. Called directly, it is just the function.

    Args:
        function: The function; its parameters are those of the pipeline.
        name: Name of the pipeline; that of the function by default.
        on_success: Called with the run when it has finished.
        on_failure: Called with the run when it has failed.

    Attributes:
        params: Default value of each parameter; `inspect.Parameter.empty` where it must be given.
        types: Type of each parameter, as far as it can be told.
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str = "",
        on_success: Hook | None = None,
        on_failure: Hook | None = None,
    ) -> None:
        if not callable(function):
            raise InvalidInput(f"{function!r} cannot be a pipeline.", hint="Put @fb.pipeline above a function.")
        functools.update_wrapper(self, function)
        self.function = function
        self.name = check_name(name or function.__name__.strip("<>"), "pipeline")
        self.on_success = on_success
        self.on_failure = on_failure
        self.signature = inspect.signature(function)
        for parameter in self.signature.parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise InvalidInput(
                    f"Pipeline '{self.name}' takes '{parameter}', which cannot be given by name.",
                    hint="Give each parameter a name.",
                )
        self.params = {name: parameter.default for name, parameter in self.signature.parameters.items()}

    def __call__(self, *given: P.args, **named: P.kwargs) -> R:
        """Runs the function."""
        return self.function(*given, **named)

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"

    @functools.cached_property
    def types(self) -> dict[str, Any]:
        """Type of each parameter: its hint, else that of its default; left out where neither tells."""
        try:
            hints = typing.get_type_hints(self.function)
        except (NameError, TypeError, AttributeError):  # names that stand under TYPE_CHECKING only
            hints = {}
        found = {}
        for name, default in self.params.items():
            if name in hints:
                found[name] = hints[name]
            elif default is not inspect.Parameter.empty and default is not None:
                found[name] = type(default)
        return found

    def bind(self, params: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Every parameter's value: the given ones, texts read by the parameter's type, and the defaults.

        Raises:
            InvalidInput: a parameter is unknown or missing, or a value does not fit its type.
        """
        given = dict(params or {})
        unknown = sorted(set(given) - set(self.params))
        if unknown:
            raise InvalidInput(
                f"Pipeline '{self.name}' has no parameter '{unknown[0]}'.", hint=did_you_mean(unknown[0], self.params)
            )
        bound = {}
        for name, default in self.params.items():
            if name in given:
                bound[name] = self._read(name, given[name])
            elif default is inspect.Parameter.empty:
                raise InvalidInput(
                    f"Pipeline '{self.name}' needs the parameter '{name}'.", hint=f"Give it with -p {name}=VALUE."
                )
            else:
                bound[name] = default
        return bound

    def _read(self, name: str, value: object) -> Any:
        kind = self.types.get(name)
        if kind is None or kind is Any or kind is str or not isinstance(value, str):
            return value
        try:
            if value.lstrip()[:1] in ("[", "{"):
                return from_json(value, kind)
            return convert(value, kind, strict=False)
        except InvalidInput as error:
            raise InvalidInput(
                f"Parameter '{name}' of pipeline '{self.name}' cannot be {value[:80]!r}.", hint=error.message
            ) from error
        except TypeError:  # a type that texts are not read as
            return value


@overload
def pipeline(function: Callable[P, R], /) -> Pipeline[P, R]: ...


@overload
def pipeline(
    *, name: str = "", on_success: Hook | None = None, on_failure: Hook | None = None
) -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...


def pipeline(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    on_success: Hook | None = None,
    on_failure: Hook | None = None,
) -> Any:
    """Makes a pipeline of a function: `@fb.pipeline`.

    Args:
        function: The function; it calls steps, and its parameters are those of the pipeline.
        name: Name of the pipeline; that of the function by default.
        on_success: Called with the run when it has finished; what it raises is logged and changes nothing.
        on_failure: The same when it has failed or was cancelled; `run.error` says why.
    """
    settings: dict[str, Any] = {"name": name, "on_success": on_success, "on_failure": on_failure}
    if function is not None:
        return Pipeline(function, **settings)
    return lambda function: Pipeline(function, **settings)
