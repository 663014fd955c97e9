"""The import rule that a module named `_x` belongs to its own package alone."""

from __future__ import annotations

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, output


class PrivateModulesContract(Contract):
    """What begins with an underscore is imported from inside its parent package only.

    `flyball.registry._store` may be imported by `flyball.registry` and by whatever stands below it. What stands below
    a private package is as private as the package.
    """

    type_name = "private"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Looks at each import of a private module."""
        roots = set(self.session_options["root_packages"])
        breaches = [
            f"{importer} -> {module} (l.{_line(graph, importer, module)}): private to {home}"
            for module in sorted(graph.modules)
            if module.partition(".")[0] in roots
            for importer in sorted(graph.find_modules_that_directly_import(module))
            for home in _homes(module)
            if not f"{importer}.".startswith(f"{home}.")
        ]
        return ContractCheck(kept=not breaches, metadata={"breaches": breaches})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Prints one line for each import that breaks the rule."""
        for breach in check.metadata["breaches"]:
            output.print_error(breach, bold=False)


def _homes(module: str) -> list[str]:
    """The packages from inside which a module may be imported: one for each private name in its path."""
    names = module.split(".")
    return [
        ".".join(names[:depth])
        for depth, name in enumerate(names)
        if depth and name.startswith("_") and not name.endswith("__")
    ]


def _line(graph: ImportGraph, importer: str, module: str) -> int | str:
    details = graph.get_import_details(importer=importer, imported=module)
    return details[0]["line_number"] if details else "?"
