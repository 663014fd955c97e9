"""Which code a step stands on: itself and all project code it reaches, the libraries' versions, Python's version.

The key follows names: helpers, what they call, constants, classes with their methods, also across the project's modules. It
does not change with comments, format or docstrings. What is chosen at run time only, by `getattr` or through a table of
functions built elsewhere, it cannot see: a step that lives from such says so with `version=`.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
import textwrap
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

from flyball.pipelines._distributions import is_standard, version_of
from flyball.pipelines._modules import ProjectModule, ProjectModules
from flyball.pipelines._names import dump, free_names, without_docstrings
from flyball.pipelines.step import Step
from flyball.serialization import canonical_json, digest

_PACKAGE = "package "
_MOST_ITEMS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeKey:
    """The state of the code that something stands on.

    Attributes:
        digest: Of all parts.
        parts: Digest of each piece of project code by `file:name`, version of each library by `package name`, and `python`.
    """

    digest: str
    parts: dict[str, str] = field(default_factory=dict)


def code_key(function: Callable[..., Any] | type, *, project_root: Path) -> CodeKey:
    """The state of the code that a step, a function or a class of the project stands on."""
    return ProjectCode(project_root).key(function)


def explain(before: CodeKey, after: CodeKey) -> list[str]:
    """What is different between two states of code, a sentence each.

    >>> old = CodeKey(digest="1", parts={"features.py:age_bucket": "1"})
    >>> explain(old, CodeKey(digest="2", parts={"features.py:age_bucket": "2"}))
    ['`features.py: age_bucket` changed']
    """
    said = []
    for part in sorted(before.parts.keys() | after.parts.keys()):
        old, new = before.parts.get(part), after.parts.get(part)
        if old == new:
            continue
        if part == "python":
            said.append(f"Python went from {old} to {new}")
        elif part.startswith(_PACKAGE):
            said.append(_package_change(part.removeprefix(_PACKAGE), old, new))
        else:
            shown = f"`{part.replace(':', ': ', 1)}`"
            said.append(f"{shown} {'changed' if old and new else 'is used now' if new else 'is no longer used'}")
    # What a person wrote comes first; a library that is new with it is only a consequence.
    return sorted(said, key=lambda sentence: not sentence.startswith("`"))


class ProjectCode:
    """The code of one project as it was loaded; each module is read once.

    Args:
        root: Folder of the project. All Python code in it is the project's; everything else is a library.
    """

    def __init__(self, root: Path) -> None:
        self._modules = ProjectModules(root)
        self._keys: dict[int, tuple[object, CodeKey]] = {}
        self._values: dict[tuple[str, str], str] = {}
        self._lock = threading.RLock()

    @property
    def root(self) -> Path:
        """Folder of the project."""
        return self._modules.root

    def key(self, target: Callable[..., Any] | type) -> CodeKey:
        """The state of the code that a step, a function or a class stands on."""
        found = self._keys.get(id(target))
        if found is None:
            with self._lock:
                # Seen once: what a step does to the values around it while it runs is not a change of its code.
                found = self._keys.get(id(target)) or self._walk(target)
                self._keys[id(target)] = found  # it holds the target, so its id is not given to another one
        return found[1]

    def _walk(self, target: Callable[..., Any] | type) -> tuple[object, CodeKey]:
        walk = _Walk(self)
        walk.see(target)
        parts = dict(sorted(walk.parts.items()))
        return target, CodeKey(digest=digest(canonical_json(parts)), parts=parts)

    def is_project(self, target: object) -> bool:
        """Whether a class or function is the project's, or was typed in where it is run."""
        name = getattr(target, "__module__", None) or ""
        if name == "__main__" or self._modules.get(name) is not None:
            return True
        module = sys.modules.get(name)
        return module is None and not is_standard(name.partition(".")[0]) and name != "flyball"

    def module(self, name: str) -> ProjectModule | None:
        """The project's module of that name; None if it is none of the project's."""
        return self._modules.get(name)

    def constant(self, module: ProjectModule, name: str) -> str:
        """The value of a module's constant as text, as it was when it was first asked for; empty if it is not a plain one."""
        place = (module.name, name)
        if place not in self._values:
            value = vars(module.live).get(name) if module.live else None
            self._values[place] = _plain_text(value, str(self._modules.root))
        return self._values[place]


class _Walk:
    """One walk over all that a piece of code reaches."""

    def __init__(self, project: ProjectCode) -> None:
        self._project = project
        self._seen: set[object] = set()
        self.parts = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}

    def see(self, target: Any) -> None:
        """Takes in a live thing: a step, function, class, module or value."""
        target = target.function if isinstance(target, Step) else target
        if isinstance(target, types.ModuleType):
            self._follow(target.__name__, ())
        elif isinstance(target, type | types.FunctionType):
            self._see_code(target)
        elif isinstance(target, types.MethodType):
            self.see(target.__func__)
        elif inspect.unwrap(target) is not target:
            self.see(inspect.unwrap(target))
        elif type(target).__module__ != "builtins":
            self.see(type(target))

    def _see_code(self, target: type | types.FunctionType) -> None:
        module = self._project.module(target.__module__)
        if module is not None and target.__qualname__ in module.statements:
            self._visit(module, target.__qualname__)
            return
        if target.__module__ and not self._project.is_project(target):
            self._library(target.__module__)
            if not is_standard(target.__module__.partition(".")[0]):
                self.parts[f"{target.__module__}:{target.__qualname__}"] = "library"
            if "<" not in target.__qualname__:  # what is made inside a function has no name in its module
                return
        if target not in self._seen:
            self._seen.add(target)
            self._see_live(target)

    def _visit(self, module: ProjectModule, name: str) -> None:
        """Takes in a top-level name of a module, and what its statements use."""
        if (module.name, name) in self._seen:
            return
        self._seen.add((module.name, name))
        statements = [_without_step(statement) for statement in module.statements[name]]
        shown = [dump(statement) for statement in statements]
        if not any(isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for s in statements):
            shown.append(self._project.constant(module, name))
        self.parts[f"{module.label}:{name}"] = digest("\n".join(shown).encode())
        for statement in statements:
            self._imports_inside(module, statement)
            for root, attributes in free_names(statement):
                self._resolve(module, root, attributes)

    def _imports_inside(self, module: ProjectModule, statement: ast.stmt) -> None:
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                for item in node.names:
                    self._follow(item.name, ())
            elif isinstance(node, ast.ImportFrom):
                for item in node.names:
                    self._follow(module.absolute(node), () if item.name == "*" else (item.name,))

    def _resolve(self, module: ProjectModule, name: str, attributes: tuple[str, ...]) -> bool:
        """Takes in what a name of a module stands for; False if the module has no such name."""
        known = name in module.statements
        if known:
            self._visit(module, name)
        for target, attribute in module.imports.get(name, ()):
            known = True
            self._follow(target, attributes if attribute is None else (attribute, *attributes))
        if not known and not hasattr(builtins, name):
            for star in module.stars:
                found = self._project.module(star)
                if found is None:
                    self._library(star)
                known |= found is not None and self._resolve(found, name, attributes)
        return known

    def _follow(self, target: str, attributes: tuple[str, ...]) -> None:
        """Takes in what is asked of an imported module."""
        module = self._project.module(target)
        if module is None:
            self._follow_outside(target, attributes)
        elif not attributes:
            # The module itself is handed about: whatever is in it may be used.
            for name in list(module.statements):
                self._visit(module, name)
        elif not self._resolve(module, attributes[0], attributes[1:]):
            inner = f"{target}.{attributes[0]}"
            if self._project.module(inner) is not None:
                self._follow(inner, attributes[1:])
            elif "__getattr__" in module.statements:
                self._follow(target, ())

    def _follow_outside(self, target: str, attributes: tuple[str, ...]) -> None:
        inner = f"{target}.{attributes[0]}" if attributes else ""
        if inner and self._project.module(inner) is not None:  # a folder without __init__.py
            self._follow(inner, attributes[1:])
        else:
            self._library(target)

    def _library(self, module: str) -> None:
        package = module.partition(".")[0]
        if package and not is_standard(package):
            self.parts[f"{_PACKAGE}{package}"] = version_of(package)

    def _see_live(self, target: type | types.FunctionType) -> None:
        """Takes in code that stands in no module's file: typed into a notebook, or defined inside a function."""
        label = f"{Path(_file_of(target)).name or target.__module__}:{target.__qualname__}"
        tree = _source_tree(target)
        if tree is None:
            self._see_bytecode(target, label)
            return
        statement = _without_step(tree.body[0])
        self.parts[label] = digest(dump(statement).encode())
        for root, attributes in free_names(statement):
            self._see_free(target, label, root, attributes)

    def _see_bytecode(self, target: type | types.FunctionType, label: str) -> None:
        functions = [target] if isinstance(target, types.FunctionType) else _methods(target)
        self.parts[label] = digest(repr([_code_text(function.__code__) for function in functions]).encode())
        for function in functions:
            names = _code_names(function.__code__)
            for name in sorted(names):
                value = function.__globals__.get(name)
                asked = [other for other in names if hasattr(value, other)]
                if isinstance(value, types.ModuleType) and asked:
                    for other in asked:
                        self._see_free(function, label, name, (other,))
                else:
                    self._see_free(function, label, name, ())

    def _see_free(self, target: Any, label: str, name: str, attributes: tuple[str, ...]) -> None:
        scope = _scope_of(target)
        if name not in scope or scope[name] is target:
            return
        value = scope[name]
        if isinstance(value, types.ModuleType):
            self._follow(value.__name__, attributes)
            return
        text = _plain_text(value, "") or _noun_text(value)
        if text:
            self.parts[f"{label.partition(':')[0]}:{name}"] = digest(text.encode())
        if not _plain_text(value, ""):
            self.see(value)


def _package_change(name: str, old: str | None, new: str | None) -> str:
    if old is None:
        return f"{name} {new} is used now"
    return f"{name} {old} is no longer used" if new is None else f"{name} went from {old} to {new}"


def _without_step(statement: ast.stmt) -> ast.stmt:
    """The statement without its step decorator, whose settings do not change what the function gives."""
    if not isinstance(statement, ast.FunctionDef):
        return statement
    kept = [item for item in statement.decorator_list if _decorator_name(item) not in ("step", "pipeline")]
    if len(kept) == len(statement.decorator_list):
        return statement
    return ast.FunctionDef(**{**dict(ast.iter_fields(statement)), "decorator_list": kept})


def _decorator_name(node: ast.expr) -> str:
    called = node.func if isinstance(node, ast.Call) else node
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def _source_tree(target: type | types.FunctionType) -> ast.Module | None:
    try:
        tree = without_docstrings(ast.parse(textwrap.dedent(inspect.getsource(target))))
    except (OSError, TypeError, SyntaxError):
        return None
    return tree if tree.body else None


def _file_of(target: type | types.FunctionType) -> str:
    if isinstance(target, types.FunctionType):
        return target.__code__.co_filename.strip("<>")
    return next((method.__code__.co_filename.strip("<>") for method in _methods(target)), "")


def _methods(target: type) -> list[types.FunctionType]:
    found = [
        getattr(value, "fget", None) or getattr(value, "__func__", None) or value for value in vars(target).values()
    ]
    found = [inspect.unwrap(value) for value in found]
    return [method for method in found if isinstance(method, types.FunctionType)]


def _scope_of(target: Any) -> dict[str, Any]:
    function = target if isinstance(target, types.FunctionType) else next(iter(_methods(target)), None)
    if function is None:
        return dict(vars(sys.modules.get(target.__module__, types.ModuleType("none"))))
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    held = {name: cell.cell_contents for name, cell in cells if _is_filled(cell)}
    return {**function.__globals__, **held}


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # reading it says whether it is filled
    except ValueError:
        return False
    return True


def _code_text(code: types.CodeType) -> list[object]:
    """The compiled code without line numbers and docstring."""
    constants = [
        _constant_text(item) for place, item in enumerate(code.co_consts) if place or not isinstance(item, str)
    ]
    return [code.co_code.hex(), constants, code.co_names, code.co_varnames, code.co_freevars]


def _constant_text(item: object) -> object:
    if isinstance(item, types.CodeType):
        return _code_text(item)
    return sorted(map(repr, item)) if isinstance(item, frozenset) else repr(item)


def _code_names(code: types.CodeType) -> set[str]:
    found = {*code.co_names, *code.co_freevars}
    for item in code.co_consts:
        if isinstance(item, types.CodeType):
            found |= _code_names(item)
    return found


def _noun_text(value: object) -> str:
    """A dataclass's values as text; empty for anything else, and where an address is part of it."""
    text = repr(value) if is_dataclass(value) and not isinstance(value, type) else ""
    return "" if " at 0x" in text else text


def _plain_text(value: object, root: str) -> str:
    """A plain value as text that is the same everywhere; empty for any other."""
    count = 0

    def text(item: object) -> str:
        nonlocal count
        count += 1
        if count > _MOST_ITEMS:
            raise ValueError("too large")
        kind = type(item)
        if kind is str:
            # A folder of the project may stand elsewhere tomorrow.
            return repr(str(item).replace(root, "<project>") if root else item)
        if item is None or kind in (bool, int, float, bytes):
            return repr(item)
        if kind in (tuple, list):
            return f"{kind.__name__}({','.join(map(text, item))})"  # type: ignore[call-overload]  # `in` and `is` narrow nothing here
        if kind in (set, frozenset):
            return f"set({','.join(sorted(map(text, item)))})"  # type: ignore[call-overload]  # `in` and `is` narrow nothing here
        if kind is dict:
            return f"dict({','.join(f'{text(k)}:{text(v)}' for k, v in item.items())})"  # type: ignore[attr-defined]  # `in` and `is` narrow nothing here
        raise ValueError("not plain")

    try:
        return text(value)
    except (ValueError, RecursionError):
        return ""
