"""Which names a piece of code takes from outside of itself, and its syntax tree without what does not matter."""

from __future__ import annotations

import ast
from collections.abc import Iterator

Chain = tuple[str, tuple[str, ...]]
"""A name and the attributes asked of it: `features.buckets.age` is `("features", ("buckets", "age"))`."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def without_docstrings(tree: ast.Module) -> ast.Module:
    """The same tree, its docstrings taken out."""
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and node.body and _is_docstring(node.body[0]):
            node.body[:1] = [] if len(node.body) > 1 or isinstance(node, ast.Module) else [ast.Pass()]
    return tree


def dump(node: ast.AST) -> str:
    """The tree as text, without places, comments and format."""
    return ast.dump(node, annotate_fields=False, include_attributes=False)


def free_names(node: ast.AST) -> set[Chain]:
    """The names that the code takes from outside, with the attributes asked of them."""
    found: set[Chain] = set()
    _Scopes(found).visit(node)
    return found


def chain_of(node: ast.AST) -> Chain | None:
    """The name and attributes of an expression such as `a.b.c`; None for any other."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node.id, tuple(reversed(attributes))) if isinstance(node, ast.Name) else None


def bound_names(target: ast.AST) -> Iterator[str]:
    """The names that an assignment's target binds or changes: `a`, `a, b`, `a.x`, `a["x"]`."""
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Tuple | ast.List):
        for item in target.elts:
            yield from bound_names(item)
    elif isinstance(target, ast.Starred | ast.Attribute | ast.Subscript):
        yield from bound_names(target.value)


class _Scopes(ast.NodeVisitor):
    """Walks code with a list of the names that are local at each place."""

    def __init__(self, found: set[Chain]) -> None:
        self._found = found
        self._locals: list[set[str]] = []

    def visit_Name(self, node: ast.Name) -> None:
        self._use(node.id, ())

    def visit_Attribute(self, node: ast.Attribute) -> None:
        chain = chain_of(node)
        if chain is None:
            self.visit(node.value)
        else:
            self._use(*chain)

    def generic_visit(self, node: ast.AST) -> None:
        if isinstance(node, _FUNCTIONS):
            self._visit_function(node)
        elif isinstance(node, _COMPREHENSIONS):
            self._within(_targets(node), node)
        elif isinstance(node, ast.ClassDef):
            self._visit_class(node)
        else:
            super().generic_visit(node)

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        arguments = node.args
        # Defaults, decorators and annotations belong to the scope around.
        for outer in (
            *arguments.defaults,
            *(d for d in arguments.kw_defaults if d),
            *getattr(node, "decorator_list", ()),
        ):
            self.visit(outer)
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [extra for extra in (arguments.vararg, arguments.kwarg) if extra]
        for annotation in (*(argument.annotation for argument in every), getattr(node, "returns", None)):
            if annotation is not None:
                self.visit(annotation)
        body = node.body if isinstance(node.body, list) else [node.body]
        names = {argument.arg for argument in every} | _assigned(body)
        self._within(names, *body)

    def _visit_class(self, node: ast.ClassDef) -> None:
        for outer in (*node.bases, *node.keywords, *node.decorator_list):
            self.visit(outer)
        # Names of a class body are not seen by its methods, so only statements at its own level count them as local.
        own = _assigned(node.body)
        for statement in node.body:
            self._within(set() if isinstance(statement, _FUNCTIONS) else own, statement)

    def _within(self, names: set[str], *nodes: ast.AST) -> None:
        self._locals.append(names)
        for node in nodes:
            if isinstance(node, _COMPREHENSIONS) and node is nodes[0]:
                super().generic_visit(node)
            else:
                self.visit(node)
        self._locals.pop()

    def _use(self, name: str, attributes: tuple[str, ...]) -> None:
        if not any(name in names for names in self._locals):
            self._found.add((name, attributes))


def _assigned(body: list[ast.stmt] | list[ast.expr]) -> set[str]:
    """The names that a body binds in its own scope."""
    found: set[str] = set()
    outer: set[str] = set()
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            found.add(node.id)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            outer.update(node.names)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            found.update([node.name] if node.name else [])
        pending.extend(ast.iter_child_nodes(node))
    return found - outer


def _targets(node: ast.AST) -> set[str]:
    return {name for part in getattr(node, "generators", ()) for name in bound_names(part.target)}


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
