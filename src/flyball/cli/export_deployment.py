"""`flyball export kubernetes`, `helm` and the like: deployments written down for others to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flyball.cli.output import print_facts, print_json, workspace_options

_FOLDER = click.Path(path_type=Path, file_okay=False)
FORMATS = {
    "kubernetes": "Kubernetes objects: servers, service, autoscaling, network.",
    "kserve": "an InferenceService of KServe.",
    "helm": "a chart of Helm.",
    "kustomize": "a base and an overlay of Kustomize.",
    "argocd": "an Application of Argo CD, and the objects it follows.",
    "tekton": "a pipeline of Tekton that builds the image and writes the manifests.",
    "systemd": "a unit of systemd, for a server without containers.",
}


def commands() -> list[click.Command]:
    """A command for each format."""
    return [*(_command(name, summary) for name, summary in FORMATS.items()), edge, check]


def _command(name: str, summary: str) -> click.Command:
    @click.command(name, help=f"Write DEPLOYMENT down as {summary} Committing them is the deployment.")
    @click.argument("deployment")
    @click.option(
        "--output",
        "-o",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        required=True,
        help="Folder to write.",
    )
    @click.option("--image", default="", help="Container image of the model server (see `flyball image build`).")
    @click.option("--name", default="", help="Name of the objects, where the deployment's cannot be.")
    @click.option("--namespace", default="", help="Namespace to put them into.")
    @click.option(
        "--objects", default="", help="s3://bucket/prefix with the packages, for logs too; else the image has all."
    )
    @click.option(
        "--secret", default="", help="Secret whose keys become environment variables, such as those of the bucket."
    )
    @click.option(
        "--replicas", nargs=2, type=int, default=(2, 10), show_default=True, help="The fewest and the most servers."
    )
    @click.option("--cpu", default="500m", show_default=True, help="Processors of each.")
    @click.option("--memory", default="512Mi", show_default=True, help="Memory of each.")
    @click.option(
        "--requests",
        type=int,
        default=500,
        show_default=True,
        help="Requests a second for one server.",
    )
    @click.option("--repository", default="", help="Git repository that these files are committed to.")
    @click.option("--path", default="", help="Of the folder in that repository.")
    @click.option("--revision", default="main", show_default=True, help="Branch or tag of the repository.")
    @click.option("--server", default="", help="Address of the team server, for pipelines that ask it.")
    @workspace_options
    def command(workspace: Any, deployment: str, folder: Path, as_json: bool, server: str, **given: Any) -> None:
        from flyball.packaging.exporters.base import ExportPlan
        from flyball.packaging.exporting import export_deployment

        image = given.pop("image") or ("none" if name == "systemd" else "")
        made = export_deployment(workspace, deployment, name, ExportPlan(image=image, url=server, **given), folder)
        if as_json:
            print_json(made)
        else:
            print_facts({"folder": str(folder), "files": made.files})
            click.echo(
                f"Commit them; `flyball export check {folder}` says later whether they still are what is deployed."
            )

    return command


@click.command()
@click.argument("deployment")
@click.option(
    "--output", "-o", "file", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Zip file to write."
)
@workspace_options
def edge(workspace: Any, deployment: str, file: Path, as_json: bool) -> None:
    """Write DEPLOYMENT's model as a zip file with a runner that needs only numpy and ONNX Runtime."""
    from flyball.packaging.edge_bundle import write_edge_bundle

    made = write_edge_bundle(workspace, deployment, file)
    if as_json:
        print_json(made)
    else:
        click.echo(f"{made.model} is in {file}, {made.size / 1e3:.1f} kB. Unpack it, and: python run.py '[{{...}}]'")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@workspace_options
def check(workspace: Any, folder: Path, as_json: bool) -> int:
    """Say whether FOLDER still is what its deployment is; exit code 1 and the difference if it is not."""
    from flyball.packaging.exporting import check_export

    found = check_export(workspace, folder)
    if as_json:
        print_json(
            {
                "drifted": not found.is_none,
                "changed": found.changed,
                "missing": found.missing,
                "difference": found.difference,
            }
        )
    elif found.is_none:
        click.echo(f"{folder} is what is deployed.")
    else:
        if found.missing:
            click.echo(f"Missing: {', '.join(found.missing)}")
        click.echo(found.difference)
    return 0 if found.is_none else 1
