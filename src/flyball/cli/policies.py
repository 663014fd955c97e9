"""`flyball policies`: what the project rules, and what its policies say."""

from __future__ import annotations

from typing import Any

import click

from flyball.cli.output import print_json, print_table, workspace_options


@click.group()
def policies() -> None:
    """Policies as code: list them, ask them."""


@policies.command("list")
@workspace_options
def list_(workspace: Any, as_json: bool) -> None:
    """The policies in force."""
    found = workspace.policies.list()
    if as_json:
        print_json(found)
        return
    rows = [(each.name, each.kind, each.risk or "all", each.models or "all", _params(each.params)) for each in found]
    print_table(
        ["policy", "kind", "risk", "models", "says"], rows, empty="There is no policy yet: fb.rule in the project file."
    )


@policies.command()
@click.argument("version")
@click.option("--deployment", default="", help="Where it would be served; by default under the model's name.")
@workspace_options
@click.pass_context
def check(ctx: click.Context, /, workspace: Any, version: str, deployment: str, as_json: bool) -> None:
    """Ask all policies whether VERSION (models:/NAME/3) may be served; ends with 3 if one says no."""
    found = workspace.policies.check_version(version, deployment)
    if as_json:
        print_json(found)
    else:
        rows = [(each.policy, each.why, each.mend) for each in found]
        print_table(["policy", "why not", "how to mend"], rows, empty="All policies let it.")
    ctx.exit(3 if found else 0)


def policies_of(workspace: Any, declarations: list[object]) -> list[Any] | None:
    """The policies that a project declares, in its file and in `policies.yaml`; None if it says nothing of any."""
    from flyball.governance.rule import FILE, read_policies
    from flyball.governance.rules.base import PolicySpec

    found: list[Any] = [item for item in declarations if isinstance(item, PolicySpec)]
    path = workspace.settings.root / FILE
    if path.is_file():
        return found + read_policies(path)
    return found or None


def refuse_loops(workspace: Any, loops: list[Any], declared: list[Any] | None, *, plan: bool) -> list[Any]:
    """What policies say against loops, those that are about to come into force among them.

    Args:
        plan: Whether it is only to be told.

    Raises:
        PermissionDenied: a policy speaks against a loop.
    """
    from flyball.governance.policies import refused

    said = []
    for loop in loops:
        found = workspace.policies.check_loop(loop.name, [gate.gate for gate in loop.gates], declared)
        if found and not plan:
            raise refused(f"The loop '{loop.name}' is not applied", found)
        said += [(f"loop {loop.name}", each.policy, each.why, each.mend) for each in found]
    return said


def _params(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value not in ("", [], False, ["*"])}
