"""`flyball sync`: what runs logged and could not send."""

from __future__ import annotations

from typing import Any

import click

from flyball.cli.output import print_facts, print_json, workspace_options


@click.command()
@click.option("--refused", is_flag=True, help="Also try again what was refused before.")
@workspace_options
def sync(workspace: Any, refused: bool, as_json: bool) -> None:
    """Send what runs logged and could not send: after a crash, without a network, or offline on purpose."""
    from flyball.client import address_of
    from flyball.tracking import sync as syncing

    settings = workspace.settings
    folder = settings.folder / "spool"
    found = syncing.sync(workspace, folder, address_of(settings) if settings.url else "", refused_too=refused)
    kept = syncing.count_refused(folder)
    if as_json:
        print_json({"synced": found, "refused_and_kept": kept})
        return
    print_facts(
        {"processes sent": found.sent, "processes that send by themselves": found.alive, "records refused": kept}
    )
    for url, count in sorted(found.elsewhere.items()):
        where = f"--url {url}" if url else "no FLYBALL_URL set"
        click.echo(f"What {count} more processes left belongs elsewhere; send it with {where}.")
    if kept:
        click.echo(f"What was refused is kept in {folder / 'refused'}; `flyball sync --refused` tries it again.")
