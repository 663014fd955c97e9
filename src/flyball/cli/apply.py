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
    """Hand the project's loops, datasets and feature views to the workspace.

    The code is kept as a snapshot: the loop retrains with what was applied, whatever happens to the folder.
    """
    from flyball.data.datasets import Dataset
    from flyball.features.views import views_among
    from flyball.loops.loop import Loop
    from flyball.pipelines.code_snapshot import load_project, snapshot_code

    settings = workspace.settings
    project = load_project(settings.root, settings.module)
    loops = [item for item in project.declarations if isinstance(item, Loop)]
    if not (
        loops or any(isinstance(item, Dataset) for item in project.declarations) or views_among(project.declarations)
    ):
        raise InvalidInput(
            f"{settings.root / settings.module} declares nothing that could be applied.",
            hint="Call fb.loop(...), fb.dataset(...) or fb.feature_view(...) at its top level.",
        )
    code = snapshot_code(settings.root, workspace.blobs)
    declared: list[tuple[str, str, Any]] = [
        *(("dataset", item.name, item) for item in project.declarations if isinstance(item, Dataset)),
        *(("feature view", view.name, view) for view in views_among(project.declarations)),
    ]
    for loop in loops:
        if loop.pipeline not in project.pipelines:
            raise InvalidInput(
                f"Loop '{loop.name}' names the pipeline '{loop.pipeline}', which is not in {settings.module}."
            )
        project.pipelines[loop.pipeline].bind(loop.params)
        whole = replace(loop, code=code.digest, module=settings.module, source_root=str(settings.root))
        declared.append(("loop", loop.name, whole))
    rows = [(kind, name, _change(workspace, kind, name, noun)) for kind, name, noun in declared]
    if not plan:
        for (kind, _, noun), (_, _, what) in zip(declared, rows, strict=True):
            if what != "unchanged":
                {
                    "dataset": workspace.data.declare,
                    "feature view": workspace.features.declare,
                    "loop": workspace.loops.apply,
                }[kind](noun)
    if as_json:
        print_json(
            {
                "code": code.digest,
                "planned": plan,
                "changes": [dict(zip(("kind", "name", "change"), r, strict=True)) for r in rows],
            }
        )
        return
    print_table(["kind", "name", "would be" if plan else "is"], rows)
    if not plan:
        click.echo(
            f"Code {code.digest[:12]} is applied. `flyball up` keeps {'the loops' if loops else 'watched sources'} going."
        )


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
