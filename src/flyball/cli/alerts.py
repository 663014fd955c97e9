"""`flyball alerts`: what someone should know of."""

from __future__ import annotations

from typing import Any

import click

from flyball.cli.output import print_facts, print_json, print_table, workspace_options


@click.group()
def alerts() -> None:
    """Alerts: list, acknowledge, resolve."""


@alerts.command("list")
@click.option("--state", default="open", show_default=True, help="open, acknowledged or resolved; '' for all.")
@click.option("--limit", default=50, show_default=True, help="How many to show.")
@workspace_options
def list_alerts(workspace: Any, state: str, limit: int, as_json: bool) -> None:
    """List alerts, newest first."""
    found = workspace.alerts.list(state=state, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [[a.id, a.severity, a.kind, a.subject, a.title, a.count, a.opened, a.last_seen] for a in found]
    print_table(
        ["alert", "severity", "kind", "about", "what", "times", "since", "last seen"], rows, empty="Nothing to see to."
    )


@alerts.command()
@click.argument("alert")
@workspace_options
def show(workspace: Any, alert: str, as_json: bool) -> None:
    """Show an alert."""
    found = workspace.alerts.get(alert)
    if as_json:
        print_json(found)
        return
    print_facts({
        "alert": found.id, "severity": found.severity, "about": found.subject, "what": found.title, "state": found.state,
        "since": found.opened, "last seen": found.last_seen, "times": found.count,
    })  # fmt: skip
    click.echo(f"\n{found.detail}")


@alerts.command()
@click.argument("alert")
@click.option("--by", default="", help="Who has seen it.")
@workspace_options
def ack(workspace: Any, alert: str, by: str, as_json: bool) -> None:
    """Say that an alert has been seen."""
    found = workspace.alerts.acknowledge(alert, by)
    print_json(found) if as_json else click.echo("Acknowledged.")


@alerts.command()
@click.argument("alert")
@click.option("--reason", default="", help="How it was mended.")
@workspace_options
def resolve(workspace: Any, alert: str, reason: str, as_json: bool) -> None:
    """Say that an alert is over."""
    found = workspace.alerts.resolve(alert, reason)
    print_json(found) if as_json else click.echo("Resolved.")
