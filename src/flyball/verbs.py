"""Marks on the methods that a room offers to the outside: `@read` and `@change`.

The HTTP API, its OpenAPI description and the remote client are all made from these marks and the methods' type hints,
so a verb is written once. A read changes nothing and may be repeated; a change may be refused or run once only. A mark says
too which role it takes: a viewer reads and a contributor changes, where nothing else is said.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, TypeVar, overload

from flyball.principals import Role

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "__flyball_verb__"


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
def change(*, role: Role) -> Callable[[F], F]: ...
def change(method: F | None = None, /, *, role: Role = "contributor") -> F | Callable[[F], F]:
    """Offers a method as a change: POST with a JSON body.

    Args:
        role: The least role in the project that may do it.
    """
    return _marked(method, "change", role)


def _marked(method: F | None, effect: str, role: Role) -> F | Callable[[F], F]:
    def mark(marked: F) -> F:
        setattr(marked, _MARK, (effect, role))
        return marked

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
