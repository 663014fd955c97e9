"""`flyball import` and `flyball export`: exchange with other systems."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flyball.cli import export_deployment
from flyball.cli.output import print_facts, print_json, split_pair, workspace_options
from flyball.errors import InvalidInput, NotFound, did_you_mean

if TYPE_CHECKING:
    from flyball.interchange.mlflow.copying import Progress, Report


@click.group(name="import")
def import_() -> None:
    """Copy what another system holds into the workspace."""


@click.group()
def export() -> None:
    """Copy what the workspace holds to another system, or write it down for one."""


_ONLY = click.option("--experiment", "experiments", multiple=True, help="Only this experiment; can be given again.")
_TOKEN = click.option("--token", default="", help="Bearer token for the MLflow server.")


@import_.command("mlflow")
@click.argument("place")
@_ONLY
@_TOKEN
@click.option(
    "--artifacts", metavar="DIR", type=click.Path(path_type=Path), help="The folder of the server's proxied artifacts."
)
@workspace_options
def import_mlflow(
    workspace: Any, place: str, experiments: tuple[str, ...], token: str, artifacts: Path | None, as_json: bool
) -> int:
    """Copy what MLflow holds at PLACE: a server's address, an `mlruns` folder, or a database.

    It can be broken off and repeated: what was copied and has not changed is not copied again. Runs keep their ids. What
    was copied is read back and compared.
    """
    from flyball.interchange.mlflow.opening import import_from

    with _progress(shown=not as_json) as progress:
        report = import_from(
            workspace, place, token=token, artifacts=artifacts, experiments=experiments, progress=progress
        )
    return _told(report, as_json)


@export.command("mlflow")
@click.argument("place")
@_ONLY
@_TOKEN
@workspace_options
def export_mlflow(workspace: Any, place: str, experiments: tuple[str, ...], token: str, as_json: bool) -> int:
    """Copy runs and models to PLACE: an MLflow server's address, or an `mlruns` folder."""
    from flyball.interchange.mlflow.opening import export_to

    with _progress(shown=not as_json) as progress:
        report = export_to(workspace, place, token=token, experiments=experiments, progress=progress)
    return _told(report, as_json)


@export.command("pipeline")
@click.argument("pipeline")
@click.option("--to", "language", required=True, help="argo, tekton, kubeflow or airflow.")
@click.option("--image", default="", help="Container image with Flyball and the project; not needed for Airflow.")
@click.option("--url", "server", required=True, help="Address of the team server, as the steps reach it.")
@click.option("--secret", default="flyball", show_default=True, help="Secret with the token and the steps' secrets.")
@click.option("--schedule", default="", help="Cron expression.")
@click.option("--namespace", default="", help="Namespace to put it into.")
@click.option("-p", "--param", "given", multiple=True, metavar="NAME=VALUE", help="A parameter of the pipeline.")
@click.option("--whole", is_flag=True, help="Write it down as one step, which runs all of it.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write; else it is printed."
)
def export_pipeline(
    pipeline: str,
    language: str,
    image: str,
    server: str,
    secret: str,
    schedule: str,
    namespace: str,
    given: tuple[str, ...],
    whole: bool,
    output: Path | None,
) -> None:
    """Write PIPELINE of the project down for another scheduler.

    Each of its steps is then a container that calls `flyball run-step`, so cache, runs and lineage stay here.
    """
    from flyball.pipelines.code_snapshot import load_project
    from flyball.pipelines.exporters.base import EXPORTERS, ExportSettings
    from flyball.pipelines.plan import plan_pipeline
    from flyball.pipelines.plan import whole as as_one
    from flyball.settings import load_settings

    exporter = EXPORTERS.get(language)
    if exporter.needs_image and not image:
        raise InvalidInput(f"Steps on {language} need a container image.", hint="Give it with --image.")
    settings = load_settings()
    found = load_project(settings.root, settings.module).pipelines
    if pipeline not in found:
        raise NotFound(f"The project has no pipeline '{pipeline}'.", hint=did_you_mean(pipeline, found))
    params = dict(split_pair(text) for text in given)
    plan = (as_one if whole else plan_pipeline)(found[pipeline], params)
    text = exporter.write(
        plan, ExportSettings(image=image, url=server, secret=secret, schedule=schedule, namespace=namespace)
    )
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"{output} is written: {len(plan.steps) or 1} steps.")


for written_down in export_deployment.commands():
    export.add_command(written_down)
export.add_command(export_deployment.check)


def _told(report: Report, as_json: bool) -> int:
    if as_json:
        print_json(report)
    else:
        facts: dict[str, object] = {f"{kind} copied": count for kind, count in report.copied.items()}
        facts |= {f"{kind} unchanged": count for kind, count in report.present.items()}
        facts |= {"metric points": report.points, "files": report.files, "bytes": report.size}
        print_facts(
            {**facts, "verified": f"{report.verified} runs, logged models and traces read back and found the same"}
        )
        for problem in report.problems:
            click.echo(f"Problem: {problem}", err=True)
    return 1 if report.problems else 0


@contextmanager
def _progress(*, shown: bool) -> Iterator[Progress | None]:
    """A bar on a terminal, nothing elsewhere."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, of: int) -> None:
            if what not in tasks:
                for former in tasks.values():
                    bars.update(former, visible=former == tasks.get("experiments"))
                tasks[what] = bars.add_task(what, total=of or None)
            bars.update(tasks[what], completed=done)

        yield show
