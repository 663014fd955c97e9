"""`flyball run`: a pipeline of the project, here and now; `flyball run-step`: one step of a run that others share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from flyball.cli.output import open_workspace, print_facts, print_json, print_table, split_pair
from flyball.errors import InvalidInput, NotFound, did_you_mean

if TYPE_CHECKING:
    from flyball.pipelines.pipeline import Pipeline
    from flyball.run_services import RunServices

_PARAM = click.option(
    "-p", "--param", "given", multiple=True, metavar="NAME=VALUE", help="A parameter of the pipeline."
)
_EXECUTOR = click.option("--executor", help="Where steps run: local, ray, ...; by default as the settings say.")
_URL = click.option("--url", help="Address of a team server; by default FLYBALL_URL, else the local workspace.")
_WORKSPACE = click.option(
    "--workspace", "workspace_folder", metavar="DIR", help="Folder of the workspace (default .flyball)."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.command()
@click.argument("pipeline", required=False)
@_PARAM
@click.option("--no-cache", is_flag=True, help="Run every step, whatever has been run before.")
@click.option(
    "--step", "only", multiple=True, metavar="STEP", help="Run this step alone, on what is kept; may be repeated."
)
@click.option("--from", "again_from", multiple=True, metavar="STEP", help="Run this step again, and all behind it.")
@click.option("--resume", metavar="RUN", default="", help="Go on with a run that failed or was killed.")
@click.option("--workers", type=click.IntRange(min=1), help="How many steps run at once.")
@_EXECUTOR
@_JSON
@_URL
@_WORKSPACE
def run(
    pipeline: str | None,
    given: tuple[str, ...],
    no_cache: bool,
    only: tuple[str, ...],
    again_from: tuple[str, ...],
    resume: str,
    workers: int | None,
    executor: str | None,
    as_json: bool,
    url: str | None,
    workspace_folder: str | None,
) -> None:
    """Run PIPELINE of the project. Without a name, list the project's pipelines."""
    from contextlib import nullcontext

    from flyball.cli.run_display import display
    from flyball.pipelines.engine import run_pipeline

    with open_workspace(workspace_folder, url) as workspace:
        if pipeline is None:
            _list(workspace, as_json=as_json)
            return
        chosen, services = prepare(workspace, pipeline, executor)
        params = dict(split_pair(text) for text in given)
        if resume:
            params = {**_params_of(workspace, resume, chosen), **params}
        shown: Any = nullcontext() if as_json else display()
        with shown as show:
            result = run_pipeline(
                chosen, chosen.bind(params), services=services, experiment=pipeline, use_cache=not no_cache, on_event=show,
                only=only, again_from=again_from, run_id=resume, max_workers=workers,
            )  # fmt: skip
        if as_json:
            print_json({"run": result.run, "steps": result.steps})
        else:
            print_facts({"run": result.run.id, "state": result.run.state, **result.run.metrics})


@click.command("run-step")
@click.argument("pipeline")
@click.argument("step", required=False)
@click.option("--run", "run_id", required=True, help="The run that the steps share; made by the first.")
@click.option("--finish", is_flag=True, help="End the run, for better or worse, by what its steps did.")
@_PARAM
@_JSON
@_URL
@_WORKSPACE
def run_step(
    pipeline: str,
    step: str | None,
    run_id: str,
    finish: bool,
    given: tuple[str, ...],
    as_json: bool,
    url: str | None,
    workspace_folder: str | None,
) -> None:
    """Run one STEP of PIPELINE, where another system decides when: what `flyball export pipeline` writes calls this.

    What the steps before it gave is taken from the workspace, by its key; so cache and lineage are those of any run.
    """
    from flyball.cli.run_display import Lines
    from flyball.pipelines.engine import run_pipeline

    if bool(step) == finish:
        raise InvalidInput("Name a STEP, or give --finish.")
    with open_workspace(workspace_folder, url) as workspace:
        chosen, services = prepare(workspace, pipeline, None)
        params = chosen.bind(dict(split_pair(text) for text in given))
        result = run_pipeline(
            chosen, params, services=services, experiment=pipeline, run_id=run_id, shared=True,
            only=(step,) if step else (), on_event=Lines(),
        )  # fmt: skip
        if as_json:
            print_json({"run": result.run, "steps": result.steps})


def prepare(workspace: Any, name: str, executor: str | None) -> tuple[Pipeline[..., Any], RunServices]:
    """A pipeline of the project as it is now, and what its runs work with.

    Raises:
        NotFound: the project has no such pipeline.
    """
    from flyball.pipelines.code_snapshot import load_project, snapshot_code
    from flyball.run_services import RunServices

    root = workspace.settings.root
    project = load_project(root, workspace.settings.module)
    if name not in project.pipelines:
        raise NotFound(f"The project has no pipeline '{name}'.", hint=did_you_mean(name, project.pipelines))
    if executor:
        workspace.settings = replace(workspace.settings, executor=executor)
    code = snapshot_code(root, workspace.blobs)
    return project.pipelines[name], RunServices(
        workspace=workspace, project_root=root, source_root=root, code=code.digest
    )


def _list(workspace: Any, *, as_json: bool) -> None:
    from flyball.pipelines.code_snapshot import load_project

    found = load_project(workspace.settings.root, workspace.settings.module).pipelines.values()
    if as_json:
        print_json([{"name": p.name, "params": {key: repr(value) for key, value in p.params.items()}} for p in found])
    else:
        print_table(
            ["pipeline", "params"], [[p.name, dict(p.params)] for p in found], empty="The project has no pipeline."
        )


def _params_of(workspace: Any, run: str, pipeline: Pipeline[..., Any]) -> dict[str, Any]:
    found = workspace.tracking.get_run(run)
    if found.tags.get("pipeline") != pipeline.name:
        raise InvalidInput(f"Run '{run}' is none of the pipeline '{pipeline.name}'.")
    return {name: value for name, value in found.params.items() if name in pipeline.params}
