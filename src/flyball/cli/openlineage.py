"""`flyball openlineage`: events of runs and data, told to other tools and taken from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flyball.cli.output import print_json, workspace_options
from flyball.errors import FlyballError, InvalidInput, WorkFailed
from flyball.serialization import from_json


@click.group()
def openlineage() -> None:
    """Tell runs and data to other tools, and learn of theirs."""


@openlineage.command()
@click.option("--all", "from_start", is_flag=True, help="All that the event log holds, not only what is new.")
@workspace_options
def send(workspace: Any, from_start: bool, as_json: bool) -> None:
    """Send what is to be sent now; `flyball up` does so by itself. Where to says the setting `openlineage`."""
    emitter = getattr(workspace, "openlineage", None)
    if emitter is None:
        raise InvalidInput("A server sends its events by itself.", hint="Run this where the workspace is.")
    emitter.start(from_start=from_start)
    done = emitter.send()
    if as_json:
        print_json(done)
    else:
        click.echo(f"{done.sent:,} events sent." + (f" {done.refused:,} were refused." if done.refused else ""))
    if done.error:
        raise WorkFailed(f"Not all could be sent: {done.error}", hint="It goes on from there the next time.")


@openlineage.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@workspace_options
def import_file(workspace: Any, file: Path, as_json: bool) -> None:
    """Take the events in FILE, one JSON object a line, as the file transport of OpenLineage's clients writes them."""
    from flyball.server.protocols.openlineage import read_event

    taken, wrong = 0, []
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                workspace.external.record(read_event(from_json(line, object)))
                taken += 1
            except FlyballError as error:
                wrong.append({"line": number, "error": str(error)})
    if as_json:
        print_json({"taken": taken, "wrong": wrong})
    else:
        click.echo(f"{taken:,} events taken.")
        for each in wrong[:20]:
            click.echo(f"  line {each['line']}: {each['error']}")
    if wrong:
        raise InvalidInput(f"{len(wrong):,} lines of {file} are no events.")
