"""`flyball models copy` and `flyball data copy`: from one project to another."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from flyball.cli.output import print_facts, print_json, workspace_options

if TYPE_CHECKING:
    from flyball.client import RemoteWorkspace
    from flyball.governance.copying import Copied
    from flyball.workspace import Workspace


@click.command("copy")
@click.argument("version")
@click.option("--to", "to", required=True, metavar="PROJECT", help="The project that it comes to.")
@click.option("--to-url", metavar="URL", help="The server of that project; by default the same.")
@click.option("--as", "model", default="", metavar="NAME", help="What the model is called there; by default as here.")
@click.option("--with-data", is_flag=True, help="Also the snapshots that it was made from.")
@workspace_options
def copy_model(
    workspace: Any, version: str, to: str, to_url: str | None, model: str, with_data: bool, as_json: bool
) -> None:
    """Copy VERSION (`name/3`, `name@champion`) to another project, where it is a candidate.

    The bytes are the same by digest; the copy says where it comes from. To copy it again changes nothing.
    """
    from flyball.governance.copying import copy_version

    with open_other(workspace, to, to_url) as target:
        _show(copy_version(workspace, target, version, model=model, with_data=with_data, progress=_progress), as_json)


@click.command("copy")
@click.argument("snapshot")
@click.option("--to", "to", required=True, metavar="PROJECT", help="The project that it comes to.")
@click.option("--to-url", metavar="URL", help="The server of that project; by default the same.")
@click.option("--branch", default="", help="The branch there that it is put on.")
@workspace_options
def copy_data(workspace: Any, snapshot: str, to: str, to_url: str | None, branch: str, as_json: bool) -> None:
    """Copy SNAPSHOT (`name`, `name@v1`, `name/3f2a`) to another project; its id stays the same."""
    from flyball.governance.copying import copy_snapshot

    with open_other(workspace, to, to_url) as target:
        _show(copy_snapshot(workspace, target, snapshot, branch=branch, progress=_progress), as_json)


def open_other(workspace: Any, project: str, url: str | None) -> Workspace | RemoteWorkspace:
    """Another project of the same workspace, or of another server."""
    from flyball.client import open_workspace
    from flyball.settings import check_project

    settings = workspace.settings.home or workspace.settings
    elsewhere = {} if url is None else {"url": url, "token": ""}
    return open_workspace(replace(settings, project=check_project(project), **elsewhere))


def _progress(done: int, files: int) -> None:
    if sys.stderr.isatty() and files > 1:
        click.echo(f"\r{done} of {files} files", nl=done == files, err=True)


def _show(copied: Copied, as_json: bool) -> None:
    if as_json:
        print_json(copied)
        return
    print_facts({
        "copied": copied.origin, "is now": copied.ref, "files": copied.files, "sent": copied.sent,
        "was there before": not copied.is_new,
    })  # fmt: skip
