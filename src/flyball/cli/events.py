"""`flyball events`: the event log."""

from __future__ import annotations

from typing import Any

import click

from flyball.cli.output import print_json, print_table, workspace_options


@click.command()
@click.option("--kind", "kinds", multiple=True, help="Only this kind; one that ends with a dot is a whole room's.")
@click.option("--subject", default="", help="Only those about this.")
@click.option("--after", default=0, help="Only those after this id, oldest first.")
@click.option("--limit", default=50, show_default=True, help="How many to show.")
@workspace_options
def events(workspace: Any, kinds: tuple[str, ...], subject: str, after: int, limit: int, as_json: bool) -> None:
    """Show the event log: the newest events, or those after an id."""
    found = workspace.events.list(after=after, kinds=list(kinds), subject=subject, limit=limit, newest_first=not after)
    if as_json:
        print_json(found)
    else:
        print_table(
            ["id", "at", "kind", "about", "facts"], [[str(e.id), e.at, e.kind, e.subject, e.facts] for e in found]
        )
