"""Plug-ins found by the name of their file, or by entry point.

A kind of plug-in is a package: each module in it that does not begin with an underscore and is not `base` holds
one plug-in in a variable `plugin`; the file's name is the plug-in's name. Third parties use the entry-point group
`flyball.<kind>`; a plug-in of the house wins over one of the same name from outside. Listing imports nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from flyball.errors import InvalidInput, NotFound, did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")


class PluginGroup(Generic[T]):
    """The plug-ins of one kind, loaded on demand.

    Args:
        kind: Name of the kind, and of the entry-point group `flyball.<kind>`.
        package: Dotted name of the package with one file each.

    Attributes:
        kind: Name of the kind.
        package: Dotted name of the package.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._loaded: dict[str, T] = {}

    def names(self) -> list[str]:
        """Names of all plug-ins of this kind, sorted, without importing them."""
        return sorted({*self._own_names(), *(name for name, _ in self._entry_points())})

    def get(self, name: str) -> T:
        """The plug-in of that name.

        Raises:
            NotFound: there is none; the hint names near ones.
            InvalidInput: its module has no variable `plugin`.
        """
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def all(self) -> dict[str, T]:
        """Every plug-in by name, loaded."""
        return {name: self.get(name) for name in self.names()}

    def _load(self, name: str) -> T:
        # Our own files are asked first: an entry-point look-up costs 50 ms of CPU.
        if name in self._own_names():
            module = importlib.import_module(f"{self.package}.{name}")
            if not hasattr(module, "plugin"):
                raise InvalidInput(
                    f"Module '{module.__name__}' is in the folder of the {self.kind} plug-ins but has no `plugin`.",
                    hint="End it with `plugin = Name()`.",
                )
            loaded: T = module.plugin
            return loaded
        for found, entry_point in self._entry_points():
            if found == name:
                outside: T = entry_point.load()
                return outside
        raise NotFound(
            f"There is no {self.kind} plug-in '{name}'.",
            hint=did_you_mean(name, self.names()),
            kind=self.kind,
        )

    def _own_names(self) -> list[str]:
        spec = importlib.util.find_spec(self.package)
        paths = spec.submodule_search_locations if spec else None
        found = (module.name for module in pkgutil.iter_modules(paths or []))
        return [name for name in found if name != "base" and not name.startswith("_")]

    def _entry_points(self) -> Iterator[tuple[str, EntryPoint]]:
        from importlib.metadata import entry_points

        for entry_point in entry_points(group=f"flyball.{self.kind}"):
            yield entry_point.name, entry_point
