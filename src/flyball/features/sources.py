"""The source that a function needs: itself, and what it reaches at the top level of its file."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from flyball.errors import Corrupt, InvalidInput
from flyball.serialization import digest


def standalone_source(function: Callable[..., object], *, whole: bool) -> str:
    """A Python file that holds a function and all that it reaches in its own file; comments and docstrings are left out.

    Args:
        whole: Whether the file must run by itself, elsewhere; then what is imported must be installed there, and must not be
            a neighbour of the file. Otherwise the text of what is imported from neighbours is added, so that it counts.

    Raises:
        InvalidInput: its source is not to be had, or it cannot run elsewhere.
    """
    name, path, tree = _file_of(function)
    defined = _defined(tree)
    wanted = [name] if name in defined else []
    if not wanted:  # it was made in a place that its file does not name; the function alone has to do
        return _plain(ast.parse(textwrap.dedent(inspect.getsource(function))))
    parts: dict[int, ast.stmt] = {}
    neighbours = []
    while wanted:
        for place, part in defined.get(wanted.pop(), ()):
            if place in parts:
                continue
            parts[place] = part
            neighbours += [found for found in _imported(part) if _is_neighbour(found, path)]
            wanted += _names(part, name)
    if neighbours and whole:
        raise InvalidInput(
            f"'{name}' imports '{neighbours[0]}', which stands beside it in the project.",
            hint="Move what it needs into the same file: a model server has no more than that.",
        )
    text = _plain(ast.Module(body=[_undecorated(parts[place], name) for place in sorted(parts)], type_ignores=[]))
    return text + "".join(_neighbour_text(found, path) for found in sorted(set(neighbours)))


def run_source(source: str, name: str) -> Callable[..., Any]:
    """The function of that name in a kept source; this runs the source.

    Raises:
        InvalidInput: it imports what is not installed here.
        Corrupt: it has no such function.
    """
    module = ModuleType(f"flyball_feature_{digest(source.encode())[:16]}")
    sys.modules[module.__name__] = module  # dataclasses look their module up by its name
    try:
        exec(compile(source, module.__name__, "exec"), module.__dict__)  # noqa: S102  # a kept function is code
    except ImportError as error:
        raise InvalidInput(f"On-demand feature '{name}' imports what is not installed here: {error}.") from error
    found: Callable[..., Any] | None = module.__dict__.get(name)
    if not callable(found):
        raise Corrupt(f"The kept source has no function '{name}'.")
    return found


def _file_of(function: Callable[..., object]) -> tuple[str, Path, ast.Module]:
    name = getattr(function, "__qualname__", "")
    try:
        path = Path(inspect.getsourcefile(function) or "")
        text = "".join(inspect.findsource(function)[0])
    except (OSError, TypeError) as error:
        raise InvalidInput(f"The source of '{name}' is not to be had.", hint="Write the function to a file.") from error
    if "<" in name:
        raise InvalidInput(
            f"'{name}' has no place in a file that another process could find.",
            hint="Define the function with `def` at the top level of a file.",
        )
    return name, path, ast.parse(text)


def _defined(tree: ast.Module) -> dict[str, list[tuple[int, ast.stmt]]]:
    """The statements at the top level that give a name its value, with their places."""
    found: dict[str, list[tuple[int, ast.stmt]]] = {}
    for place, part in enumerate(tree.body):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [part.name]
        elif isinstance(part, ast.Import | ast.ImportFrom):
            names = [alias.asname or alias.name.partition(".")[0] for alias in part.names]
        else:
            names = [
                node.id for node in ast.walk(part) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            ]
        for name in names:
            found.setdefault(name, []).append((place, part))
    future = [
        (p, part)
        for p, part in enumerate(tree.body)
        if isinstance(part, ast.ImportFrom) and part.module == "__future__"
    ]
    for parts in found.values():
        parts[:0] = [item for item in future if item not in parts]
    return found


def _names(part: ast.stmt, function: str) -> list[str]:
    roots: list[ast.AST] = [part]
    if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
        # Annotations say something about a function, and so do the marks above the one that is kept; neither is run there.
        roots = [
            *part.body,
            *part.args.defaults,
            *(default for default in part.args.kw_defaults if default is not None),
        ]
        roots += [] if part.name == function else part.decorator_list
    return [node.id for root in roots for node in ast.walk(root) if isinstance(node, ast.Name)]


def _undecorated(part: ast.stmt, name: str) -> ast.stmt:
    if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
        if part.name == name:
            part.decorator_list = []
        for argument in ast.walk(part.args):
            if isinstance(argument, ast.arg):
                argument.annotation = None
        part.returns = None
    return part


def _plain(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _imported(part: ast.stmt) -> Iterator[str]:
    for node in ast.walk(part):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def _is_neighbour(module: str, path: Path) -> bool:
    return module.startswith(".") or _neighbour_file(module, path) is not None


def _neighbour_file(module: str, path: Path) -> Path | None:
    relative = Path(*module.lstrip(".").split("."))
    places = (path.parent / relative.with_suffix(".py"), path.parent / relative / "__init__.py")
    found = next((place for place in places if place.is_file()), None)
    return None if found is None or "site-packages" in found.parts else found


def _neighbour_text(module: str, path: Path) -> str:
    found = _neighbour_file(module, path)
    return "" if found is None else _plain(ast.parse(found.read_text(encoding="utf-8")))
