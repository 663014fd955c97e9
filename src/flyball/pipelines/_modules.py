"""A project's modules as they were loaded: which top-level statements make each name, and where imports lead."""

from __future__ import annotations

import ast
import importlib.util
import linecache
import sys
from pathlib import Path
from types import ModuleType

from flyball.pipelines._names import bound_names, chain_of, without_docstrings

_BLOCKS = (ast.If, ast.Try, ast.With, ast.For, ast.While)
_NOT_CODE = {"site-packages", "dist-packages", "node_modules", "__pycache__", "venv", "env"}


class ProjectModule:
    """One module of the project.

    Attributes:
        label: Its file, relative to the project.
        statements: The top-level statements that bind or change each name, imports apart.
        imports: What each imported name may stand for: a module, and the name in it if it is not the module itself.
        stars: Modules whose names are all imported.
    """

    def __init__(self, name: str, path: Path, label: str, live: ModuleType | None) -> None:
        self.name = name
        self.path = path
        self.label = label
        self.live = live
        self.package = (live and live.__package__) or (name if path.name == "__init__.py" else name.rpartition(".")[0])
        self.statements: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, list[tuple[str, str | None]]] = {}
        self.stars: list[str] = []
        self._read(without_docstrings(ast.parse(_text(path, live))).body, None)

    def _read(self, body: list[ast.stmt], whole: ast.stmt | None) -> None:
        for statement in body:
            for name in _names_made_by(statement):
                if not self._is_declaration(statement, name):
                    self._add(name, whole or statement)
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._read_import(statement)
            elif isinstance(statement, _BLOCKS) and not _is_main_guard(statement):
                self._read_block(statement, whole or statement)

    def _read_block(self, statement: ast.If | ast.Try | ast.With | ast.For | ast.While, whole: ast.stmt) -> None:
        for part in ("body", "orelse", "finalbody"):
            self._read(getattr(statement, part, []), whole)
        for handler in getattr(statement, "handlers", []):
            self._read(handler.body, whole)

    def _add(self, name: str, statement: ast.stmt) -> None:
        kept = self.statements.setdefault(name, [])
        if statement not in kept:
            kept.append(statement)

    def _is_declaration(self, statement: ast.stmt, name: str) -> bool:
        # `fb.loop(...)` says what becomes of the pipelines, not what a step does.
        targets = [target for target, _ in self.imports.get(name, ())]
        return isinstance(statement, ast.Expr) and any(target.partition(".")[0] == "flyball" for target in targets)

    def _read_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        if isinstance(statement, ast.Import):
            for item in statement.names:
                # `import a.b` binds `a`; `import a.b as c` binds `a.b`.
                target = item.name if item.asname else item.name.partition(".")[0]
                self.imports.setdefault(item.asname or target, []).append((target, None))
            return
        target = self.absolute(statement)
        for item in statement.names:
            if item.name == "*":
                self.stars.append(target)
            else:
                self.imports.setdefault(item.asname or item.name, []).append((target, item.name))

    def absolute(self, statement: ast.ImportFrom) -> str:
        """The module that a `from ... import` asks."""
        if not statement.level:
            return statement.module or ""
        try:
            return importlib.util.resolve_name("." * statement.level + (statement.module or ""), self.package)
        except ImportError:
            return statement.module or ""


class ProjectModules:
    """The modules under a project's root, each read once."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._found: dict[str, ProjectModule | None] = {}

    def get(self, name: str) -> ProjectModule | None:
        """The project's module of that name; None if it is none of the project's."""
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def label(self, path: str | Path | None) -> str:
        """The file's place in the project; empty if it is not the project's code."""
        return project_label(self.root, path)

    def _find(self, name: str) -> ProjectModule | None:
        if not name or name.partition(".")[0] == "flyball":
            return None
        live = sys.modules.get(name)
        place = getattr(live, "__file__", None) if live is not None else _origin(name)
        label = self.label(place)
        if not label or not str(place).endswith(".py"):
            return None
        return ProjectModule(name, Path(str(place)), label, live)


def project_label(root: Path, path: str | Path | None) -> str:
    """The file's place under the root; empty if it is elsewhere, or in a folder that is not the project's own code."""
    if not path:
        return ""
    try:
        relative = Path(path).resolve().relative_to(root)
    except (ValueError, OSError):
        return ""
    foreign = any(part in _NOT_CODE or part.startswith(".") for part in relative.parts)
    return "" if foreign else relative.as_posix()


def _text(path: Path, live: ModuleType | None) -> str | bytes:
    # linecache keeps the text that was loaded, also when the file has been edited since.
    return path.read_bytes() if live is None else "".join(linecache.getlines(str(path), vars(live)))


def _origin(name: str) -> str | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    return spec.origin if spec else None


def _names_made_by(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        return [name for target in statement.targets for name in bound_names(target)]
    if isinstance(statement, ast.AnnAssign | ast.AugAssign):
        return list(bound_names(statement.target))
    if isinstance(statement, ast.For):
        return list(bound_names(statement.target))
    if isinstance(statement, ast.With):
        return [name for item in statement.items if item.optional_vars for name in bound_names(item.optional_vars)]
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        # `LEVELS.append(3)` and `np.random.seed(0)` change what their first name stands for.
        chain = chain_of(statement.value.func)
        return [chain[0]] if chain and chain[1] else []
    alias = getattr(statement, "name", None)  # `type X = ...`
    return [alias.id] if isinstance(alias, ast.Name) else []


def _is_main_guard(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and any(
        (isinstance(node, ast.Name) and node.id in ("__name__", "TYPE_CHECKING"))
        or (isinstance(node, ast.Attribute) and node.attr == "TYPE_CHECKING")
        for node in ast.walk(statement.test)
    )  # fmt: skip
