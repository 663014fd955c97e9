"""What a model is made of, as a tree that can be built and can be written as Python: both from the same values.

So a file that is written of a candidate makes what was tried, and not something like it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_WIDTH = 116


@dataclass(frozen=True, slots=True)
class Part:
    """A call of something that is imported, such as `Part("sklearn.linear_model:Ridge", named={"alpha": 1.0})`.

    Attributes:
        place: Module and name.
        given: Its arguments: plain values, lists, tuples, mappings, other parts.
        named: Those with a name.
    """

    place: str
    given: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name in Python."""
        return self.place.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Name:
    """A constant of the file that a part is written to.

    Attributes:
        value: What stands behind the name.
    """

    text: str
    value: Any


def build(part: Any) -> Any:
    """The object that a tree stands for."""
    if isinstance(part, Name):
        return build(part.value)
    if isinstance(part, Part):
        module, _, name = part.place.partition(":")
        maker = getattr(importlib.import_module(module), name)
        return maker(*map(build, part.given), **{key: build(value) for key, value in part.named.items()})
    if isinstance(part, list | tuple):
        return type(part)(map(build, part))
    if isinstance(part, Mapping):
        return {key: build(value) for key, value in part.items()}
    return part


def imports_of(part: Any) -> dict[str, set[str]]:
    """The names that the code of a tree needs, by module."""
    found: dict[str, set[str]] = {}
    for one in _parts(part):
        module, _, name = one.place.partition(":")
        found.setdefault(module, set()).add(name)
    return found


def names_of(part: Any) -> dict[str, Any]:
    """The constants that the code of a tree refers to."""
    if isinstance(part, Name):
        return {part.text: part.value}
    found: dict[str, Any] = {}
    for child in _children(part):
        found |= names_of(child)
    return found


def code_of(part: Any, indent: int = 0, before: int = 0) -> str:
    """A tree as Python.

    Args:
        indent: Of the line that it begins in, in spaces.
        before: How much stands before it in that line.
    """
    flat = _flat(part)
    items = _items(part)
    if items is None or indent + before + len(flat) <= _WIDTH:
        return flat
    opening, closing, inside = items
    inner = indent + 4
    lines = [" " * inner + label + code_of(value, inner, len(label) + 1) + "," for label, value in inside]
    return f"{opening}\n" + "\n".join(lines) + f"\n{' ' * indent}{closing}"


def _flat(part: Any) -> str:
    items = _items(part)
    if items is None:
        return part.text if isinstance(part, Name) else _plain(part)
    opening, closing, inside = items
    text = ", ".join(label + _flat(value) for label, value in inside)
    return f"{opening}{text}{',' if isinstance(part, tuple) and len(part) == 1 else ''}{closing}"


def _items(part: Any) -> tuple[str, str, list[tuple[str, Any]]] | None:
    """What opens and closes a value that holds others, and what stands between."""
    if isinstance(part, Part):
        return f"{part.name}(", ")", [("", v) for v in part.given] + [(f"{k}=", v) for k, v in part.named.items()]
    if isinstance(part, Mapping):
        return "{", "}", [(f"{_plain(key)}: ", value) for key, value in part.items()]
    if isinstance(part, list):
        return "[", "]", [("", value) for value in part]
    if isinstance(part, tuple):
        return "(", ")", [("", value) for value in part]
    return None


def _plain(value: object) -> str:
    if isinstance(value, float) and value != value:
        return 'float("nan")'
    if isinstance(value, str):
        return '"' + repr(value)[1:-1].replace('"', '\\"').replace("\\'", "'") + '"'
    return repr(value)


def _children(part: Any) -> Sequence[Any]:
    if isinstance(part, Part):
        return (*part.given, *part.named.values())
    if isinstance(part, Mapping):
        return tuple(part.values())
    return part if isinstance(part, list | tuple) else ()


def _parts(part: Any) -> list[Part]:
    inner = [found for child in _children(part) for found in _parts(child)]
    return [part, *inner] if isinstance(part, Part) else inner
