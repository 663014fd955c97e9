"""`flyball runs why` and `flyball runs logs`: what became of the steps of a run, and what they printed."""

from __future__ import annotations

import re
from typing import Any

import click

from flyball.cli.output import print_json, workspace_options
from flyball.errors import InvalidInput


@click.command()
@click.argument("run")
@click.argument("step", required=False, default="")
@workspace_options
def why(workspace: Any, run: str, step: str, as_json: bool) -> None:
    """Say why the steps of RUN ran, or STEP alone, with what has changed in the code."""
    from flyball.pipelines.reasons import why_steps

    found = why_steps(workspace, run, step)
    if as_json:
        print_json(found)
        return
    for each in found:
        mark = {"hit": "=", "off": "▸"}.get(each.cache, "✓" if each.state == "finished" else "✗")
        click.echo(f"{mark} {each.step}: {each.reason}")
        for change in each.changes:
            click.echo(f"    {change.file}: {change.name}, since run {each.compared_with}")
            for line in change.diff.splitlines():
                colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
                click.echo(f"      {click.style(line, fg=colour)}")


@click.command()
@click.argument("run")
@click.argument("step", required=False, default="")
@click.option("--search", default="", metavar="PATTERN", help="Only lines that match this regular expression.")
@workspace_options
def logs(workspace: Any, run: str, step: str, search: str, as_json: bool) -> None:
    """Show what the steps of RUN printed, or STEP alone."""
    from flyball.pipelines.reasons import log_of, steps_of

    try:
        pattern = re.compile(search, re.IGNORECASE)
    except re.error as error:
        raise InvalidInput(f"'{search}' is no regular expression: {error}.") from error
    found = {each.name: log_of(workspace, each.id) for each in steps_of(workspace, run, step)}
    lines = {name: [line for line in text.splitlines() if pattern.search(line)] for name, text in found.items()}
    if as_json:
        print_json([{"step": name, "lines": kept} for name, kept in lines.items()])
        return
    for name, kept in lines.items():
        for line in kept:
            click.echo(line if step else f"{click.style(name, fg='cyan')}  {line}")
    if not any(lines.values()):
        click.echo("No line matches." if search else "The steps printed nothing.", err=True)


@click.command()
@click.argument("run")
@workspace_options
def cancel(workspace: Any, run: str, as_json: bool) -> None:
    """Ask a RUN that is under way to stop; its process learns of it within seconds."""
    found = workspace.tracking.get_run(run)
    if found.tags.get("errand") == run:
        workspace.errands.cancel(run)
    else:
        workspace.tracking.finish_run(run, "cancelled")
    found = workspace.tracking.get_run(run)
    if as_json:
        print_json(found)
    else:
        click.echo(f"{run} is {'being stopped' if found.state == 'running' else found.state}.")


COMMANDS = (why, logs, cancel)
