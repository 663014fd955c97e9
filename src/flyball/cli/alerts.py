"""`flyball alerts`: what someone should know of."""

from __future__ import annotations

from typing import Any

import click

from flyball.cli.output import print_facts, print_json, print_table, workspace_options
from flyball.clock import parse_duration


@click.group()
def alerts() -> None:
    """Alerts: list, acknowledge, assign, silence, resolve."""


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
        "acknowledged by": found.acknowledged_by, "assigned to": found.assigned_to, "resolution": found.resolution,
    })  # fmt: skip
    print_facts({
        "how sure": found.facts.get("confidence", ""), "what follows": found.facts.get("consequence", ""),
        "what Flyball did": found.facts.get("done", ""), "to decide": found.facts.get("decide", ""),
    })  # fmt: skip
    click.echo(f"\n{found.detail}")
    rows = [[d.at, d.what, d.channel, d.state, d.attempt, d.error] for d in workspace.alerts.list_deliveries(alert)]
    if rows:
        print_table(["told", "what", "channel", "state", "attempt", "error"], rows)


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
@click.argument("to")
@click.option("--by", default="", help="Who asks.")
@workspace_options
def assign(workspace: Any, alert: str, to: str, by: str, as_json: bool) -> None:
    """Ask someone to take care of an alert; '' takes it back."""
    found = workspace.alerts.assign(alert, to, by)
    print_json(found) if as_json else click.echo(f"Assigned to {to}." if to else "Assigned to nobody.")


@alerts.command()
@click.option("--for", "span", required=True, metavar="TIME", help="How long, such as 30m, 2h or 3d.")
@click.option("--subject", default="*", show_default=True, help="Which alerts by what they are about.")
@click.option("--cause", default="*", show_default=True, help="Which alerts by what brought them about.")
@click.option("--reason", default="", help="Why.")
@click.option("--by", default="", help="Who wants it.")
@workspace_options
def silence(workspace: Any, span: str, subject: str, cause: str, reason: str, by: str, as_json: bool) -> None:
    """Keep channels from telling certain alerts for a while."""
    until = workspace.time.now() + parse_duration(span)
    made = workspace.alerts.silence(until, subject=subject, cause=cause, reason=reason, by=by)
    print_json(made) if as_json else click.echo(f"Silence {made.id} until {made.until:%Y-%m-%d %H:%M} UTC.")


@alerts.command()
@click.option("--all", "with_past", is_flag=True, help="Show those that are over as well.")
@workspace_options
def silences(workspace: Any, with_past: bool, as_json: bool) -> None:
    """List silences."""
    found = workspace.alerts.list_silences(with_past=with_past)
    if as_json:
        print_json(found)
        return
    rows = [[each.id, each.subject, each.cause, each.until, each.reason, each.by] for each in found]
    print_table(["silence", "about", "cause", "until", "why", "by"], rows, empty="Nothing is silenced.")


@alerts.command()
@click.argument("silence")
@workspace_options
def unsilence(workspace: Any, silence: str, as_json: bool) -> None:
    """End a silence."""
    workspace.alerts.end_silence(silence)
    print_json({"ended": silence}) if as_json else click.echo("Ended.")


@alerts.command()
@click.argument("alert")
@click.option("--reason", default="", help="How it was mended.")
@workspace_options
def resolve(workspace: Any, alert: str, reason: str, as_json: bool) -> None:
    """Say that an alert is over."""
    found = workspace.alerts.resolve(alert, reason)
    print_json(found) if as_json else click.echo("Resolved.")
