"""Marks on the methods that a room offers to the outside: `@read` and `@change`.

The HTTP API, its OpenAPI description and the remote client are all made from these marks and the methods' type hints,
so a verb is written once. A read changes nothing and may be repeated; a change may be refused or run once only. A mark says
too which role it takes: a viewer reads and a contributor changes, where nothing else is said. While a change is under way,
`under_way` says which one it is, so that what writes the audit log need not be told.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Hashable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, wraps
from typing import Any, Literal, TypeVar, overload

from flyball.principals import Role

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "__flyball_verb__"
_NAMING = ("ref", "subject", "model", "dataset", "run", "experiment", "name", "id")
_NOT_FIRST = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One argument of a verb."""

    name: str
    kind: Any
    required: bool
    default: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A method that can be called from outside."""

    name: str
    effect: Literal["read", "change"]
    role: Role
    parameters: tuple[Parameter, ...]
    returns: Any
    summary: str
    doc: str

    @property
    def by_query(self) -> bool:
        """Whether it is asked with GET: a read whose arguments all fit into an address."""
        return self.effect == "read" and all(_is_flat(parameter.kind) for parameter in self.parameters)


@overload
def read(method: F, /) -> F: ...
@overload
def read(*, role: Role) -> Callable[[F], F]: ...
def read(method: F | None = None, /, *, role: Role = "viewer") -> F | Callable[[F], F]:
    """Offers a method as a read: GET with query parameters, or POST where it takes nouns.

    Args:
        role: The least role in the project that may ask it.
    """
    return _marked(method, "read", role)


@overload
def change(method: F, /) -> F: ...
@overload
def change(*, role: Role = ..., audited: bool = ...) -> Callable[[F], F]: ...
def change(method: F | None = None, /, *, role: Role = "contributor", audited: bool = True) -> F | Callable[[F], F]:
    """Offers a method as a change: POST with a JSON body.

    Args:
        role: The least role in the project that may do it.
        audited: Whether what it writes stands in the audit log. Only what happens all the time and tells nobody anything may
            be left out, such as a sign of life; what is written for it as an event stands there all the same.
    """
    return _marked(method, "change", role, audited=audited)


@dataclass(slots=True)
class Call:
    """A change that is under way.

    Attributes:
        name: `<room>.<verb>`.
        is_told: Whether the audit log holds a row of it.
    """

    name: str
    arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
    method: Any = None
    is_told: bool = field(default=False, init=False)

    def subject(self) -> str:
        """What it is done to, by that of its arguments which names it; empty if none does."""
        try:
            given = inspect.signature(self.method).bind_partial(None, *self.arguments[0], **self.arguments[1]).arguments
        except TypeError:
            return ""
        named = [given[name] for name in _NAMING if name in given]
        values = [*named, *list(given.values())[1:]]
        return next((name for value in values if (name := _name_of(value))), "")


_under_way: ContextVar[Call | None] = ContextVar("flyball_under_way", default=None)


def under_way() -> Call | None:
    """The change that is being done here and now, if it belongs into the audit log; of changes in each other the outermost."""
    return _under_way.get()


def room_of(service: type[Any]) -> str:
    """The name of a service's room as the audit log has it: `ModelVersions` is `model_versions`."""
    return _NOT_FIRST.sub("_", service.__name__).lower()


def _name_of(value: object) -> str:
    if isinstance(value, str):
        return value[:300]
    for name in ("ref", "name", "id", "label"):
        found = getattr(value, name, None)
        if isinstance(found, str) and found:
            return found[:300]
    if isinstance(value, list | tuple) and value:
        first = _name_of(value[0])
        return f"{first} and {len(value) - 1} more" if first and len(value) > 1 else first
    return ""


def _announced(method: F) -> F:
    @wraps(method)
    def announced(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _under_way.get() is not None:
            return method(self, *args, **kwargs)
        call = Call(f"{room_of(type(self))}.{method.__name__}", (args, kwargs), method)
        token = _under_way.set(call)
        try:
            return method(self, *args, **kwargs)
        finally:
            _under_way.reset(token)

    return typing.cast("F", announced)


def _marked(method: F | None, effect: str, role: Role, *, audited: bool = True) -> F | Callable[[F], F]:
    def mark(marked: F) -> F:
        offered = _announced(marked) if effect == "change" and audited else marked
        setattr(offered, _MARK, (effect, role))
        return offered

    return mark if method is None else mark(method)


def verbs_of(service: Any) -> dict[str, Verb]:
    """The verbs that a service class offers, by name, with their types resolved."""
    return _described(service)


def _is_flat(kind: Any) -> bool:
    """Whether a value of that kind is a text in an address, or several."""
    if isinstance(kind, type) and not typing.get_args(kind):
        return issubclass(kind, str | int | float | datetime | type(None))
    origin = typing.get_origin(kind)
    if origin is Literal:
        return True
    several = origin in (list, tuple, set, frozenset, Sequence, typing.Union, types.UnionType)
    return several and all(_is_flat(part) for part in typing.get_args(kind) if part is not Ellipsis)


@lru_cache(maxsize=64)
def _described(service: Hashable) -> dict[str, Verb]:
    found = {}
    for name, method in inspect.getmembers(service, inspect.isfunction):
        mark = getattr(method, _MARK, None)
        if mark is None:
            continue
        effect, role = mark
        hints = typing.get_type_hints(method)
        parameters = [
            Parameter(
                name=parameter.name,
                kind=hints[parameter.name],
                required=parameter.default is inspect.Parameter.empty,
                default=None if parameter.default is inspect.Parameter.empty else parameter.default,
            )
            for parameter in list(inspect.signature(method).parameters.values())[1:]
        ]
        doc = inspect.getdoc(method) or ""
        found[name] = Verb(
            name=name,
            effect=effect,
            role=role,
            parameters=tuple(parameters),
            returns=hints.get("return", type(None)),
            summary=doc.partition("\n")[0],
            doc=doc,
        )
    return found
