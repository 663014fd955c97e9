"""`flyball run`: a pipeline of the project, here and now."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from flyball.cli.output import open_workspace, print_facts, print_json, print_table
from flyball.errors import InvalidInput, NotFound, did_you_mean

if TYPE_CHECKING:
    from flyball.pipelines.result import StepEvent


@click.command()
@click.argument("pipeline", required=False)
@click.option("-p", "--param", "given", multiple=True, metavar="NAME=VALUE", help="A parameter of the pipeline.")
@click.option("--no-cache", is_flag=True, help="Run every step, whatever has been run before.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--url", help="Address of a team server; by default FLYBALL_URL, else the local workspace.")
@click.option("--workspace", "workspace_folder", metavar="DIR", help="Folder of the workspace (default .flyball).")
def run(
    pipeline: str | None,
    given: tuple[str, ...],
    no_cache: bool,
    as_json: bool,
    url: str | None,
    workspace_folder: str | None,
) -> None:
    """Run PIPELINE of the project. Without a name, list the project's pipelines."""
    from flyball.pipelines.code_snapshot import load_project, snapshot_code
    from flyball.pipelines.engine import run_pipeline
    from flyball.server.worker import RunServices

    with open_workspace(workspace_folder, url) as workspace:
        root = workspace.settings.project
        project = load_project(root, workspace.settings.module)
        if pipeline is None:
            found = project.pipelines.values()
            if as_json:
                print_json([{"name": p.name, "params": {k: repr(v) for k, v in p.params.items()}} for p in found])
            else:
                print_table(
                    ["pipeline", "params"],
                    [[p.name, dict(p.params)] for p in found],
                    empty="The project has no pipeline.",
                )
            return
        if pipeline not in project.pipelines:
            raise NotFound(f"The project has no pipeline '{pipeline}'.", hint=did_you_mean(pipeline, project.pipelines))
        chosen = project.pipelines[pipeline]
        code = snapshot_code(root, workspace.blobs)
        services = RunServices(workspace=workspace, project_root=root, source_root=root, code=code.digest)
        show = None if as_json else _Progress()
        result = run_pipeline(
            chosen,
            chosen.bind(dict(_pair(text) for text in given)),
            services=services,
            experiment=pipeline,
            use_cache=not no_cache,
            on_event=show,
        )
        if as_json:
            print_json({"run": result.run, "steps": result.steps})
        else:
            print_facts({"run": result.run.id, "state": result.run.state, **result.run.metrics})


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise InvalidInput(f"'{text}' is no parameter.", hint="Write it as -p name=value.")
    return name, value


class _Progress:
    """Says what each step is doing: in place on a terminal, a line at the end of each step elsewhere."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()

    def __call__(self, event: StepEvent) -> None:
        name, state = event.name, event.state
        if state == "running":
            if self._live:
                sys.stderr.write(f"\r\x1b[K  … {name}")
                sys.stderr.flush()
            return
        mark = {"finished": "✓", "cached": "=", "failed": "✗"}.get(state, "-")
        clear = "\r\x1b[K" if self._live else ""
        seconds = f"{event.seconds:.2f} s" if state != "cached" else "from the cache"
        why = f"  ({event.reason})" if event.reason else ""
        sys.stderr.write(f"{clear}  {mark} {name}  {seconds}{why}\n")
