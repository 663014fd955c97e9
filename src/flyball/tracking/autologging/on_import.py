"""Calls back when a library is imported, so that it is not imported before the user does."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

Callback = Callable[[ModuleType], None]


class OnImport(MetaPathFinder):
    """Waits for modules; each callback is called once, at once for a module that is there already."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Callback]] = {}
        self._looking: set[str] = set()

    def when(self, module: str, callback: Callback) -> None:
        """Calls back with the module when it has been imported."""
        found = sys.modules.get(module)
        if found is not None and not getattr(getattr(found, "__spec__", None), "_initializing", False):
            callback(found)
            return
        self._waiting.setdefault(module, []).append(callback)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def stop(self) -> None:
        """Waits no longer."""
        self._waiting.clear()
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """The module's own spec, with a loader that calls back afterwards."""
        if fullname not in self._waiting or fullname in self._looking:
            return None
        self._looking.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._looking.discard(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Then(spec.loader, self)
        return spec

    def imported(self, module: ModuleType) -> None:
        """Tells those who wait for the module."""
        for callback in self._waiting.pop(module.__name__, []):
            callback(module)


class _Then(Loader):
    def __init__(self, loader: Loader, around: OnImport) -> None:
        self._loader = loader
        self._around = around

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # The module gets its own loader back first: some read their own files with it.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._around.imported(module)
