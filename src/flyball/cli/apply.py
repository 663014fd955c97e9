"""`flyball apply`: hands over what the project declares."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from flyball.cli.output import print_json, print_table, workspace_options
from flyball.errors import InvalidInput, NotFound


@click.command()
@click.option("--plan", is_flag=True, help="Only show what would change.")
@workspace_options
def apply(workspace: Any, plan: bool, as_json: bool) -> None:
    """Hand the project's policies, loops, datasets and feature views to the workspace.

    Policies are those of fb.rule and of policies.yaml beside the project file; those that are no longer declared end. The code is
    kept as a snapshot: the loop retrains with what was applied, whatever happens to the folder.
    """
    from flyball.cli.policies import policies_of, refuse_loops
    from flyball.loops.loop import Loop
    from flyball.pipelines.code_snapshot import load_project, snapshot_code

    settings = workspace.settings
    project = load_project(settings.root, settings.module)
    rules = policies_of(workspace, project.declarations)
    code = snapshot_code(settings.root, workspace.blobs)
    declared = _declared(project, settings, code.digest, has_rules=rules is not None)
    loops = [noun for _, _, noun in declared if isinstance(noun, Loop)]
    against = refuse_loops(workspace, loops, rules, plan=plan)
    changes = workspace.policies.plan(rules) if rules is not None else []
    rows = [
        *(("policy", each.name, each.change) for each in changes),
        *((kind, name, _change(workspace, kind, name, noun)) for kind, name, noun in declared),
    ]
    if not plan:
        if any(each.change != "unchanged" for each in changes):
            workspace.policies.apply(rules)
        _apply(workspace, declared, rows[len(changes) :])
    if as_json:
        named = [dict(zip(("kind", "name", "change"), row, strict=True)) for row in rows]
        refusals = [dict(zip(("what", "policy", "why", "mend"), row, strict=True)) for row in against]
        print_json({"code": code.digest, "planned": plan, "changes": named, "refused": refusals})
        return
    print_table(["kind", "name", "would be" if plan else "is"], rows)
    if against:
        click.echo("")
        print_table(["would be refused", "by the policy", "because", "how to mend"], against)
    if not plan:
        click.echo(
            f"Code {code.digest[:12]} is applied. `flyball up` keeps {'the loops' if loops else 'watched sources'} going."
        )


def _declared(project: Any, settings: Any, code: str, *, has_rules: bool) -> list[tuple[str, str, Any]]:
    """Datasets, feature views and loops of the project: kind, name and noun of each."""
    from flyball.data.datasets import Dataset
    from flyball.features.views import views_among
    from flyball.loops.loop import Loop

    declared: list[tuple[str, str, Any]] = [
        *(("dataset", item.name, item) for item in project.declarations if isinstance(item, Dataset)),
        *(("feature view", view.name, view) for view in views_among(project.declarations)),
    ]
    for loop in [item for item in project.declarations if isinstance(item, Loop)]:
        if loop.pipeline not in project.pipelines:
            raise InvalidInput(
                f"Loop '{loop.name}' names the pipeline '{loop.pipeline}', which is not in {settings.module}."
            )
        project.pipelines[loop.pipeline].bind(loop.params)
        whole = replace(loop, code=code, module=settings.module, source_root=str(settings.root))
        declared.append(("loop", loop.name, whole))
    if not declared and not has_rules:
        raise InvalidInput(
            f"{settings.root / settings.module} declares nothing that could be applied.",
            hint="Call fb.loop(...), fb.dataset(...), fb.feature_view(...) or fb.rule... at its top level.",
        )
    return declared


def _apply(workspace: Any, declared: list[tuple[str, str, Any]], rows: list[tuple[str, str, str]]) -> None:
    take = {
        "dataset": workspace.data.declare, "feature view": workspace.features.declare, "loop": workspace.loops.apply,
    }  # fmt: skip
    for (kind, _, noun), (_, _, what) in zip(declared, rows, strict=True):
        if what != "unchanged":
            take[kind](noun)


def _change(workspace: Any, kind: str, name: str, noun: Any) -> str:
    try:
        if kind == "loop":
            before = workspace.loops.get(name).loop
            noun = replace(noun, paused=before.paused)
        else:
            before = (workspace.data if kind == "dataset" else workspace.features).get(name)
            noun = replace(noun, version=before.version) if kind == "feature view" else noun
    except NotFound:
        return "new"
    return "unchanged" if before == noun else "changed"
