"""`flyball clock`: the workspace's time."""

from __future__ import annotations

from typing import Any

import click

from flyball.cli.output import print_json, workspace_options
from flyball.errors import InvalidInput


@click.command()
@click.argument("moment", required=False)
@workspace_options
def clock(workspace: Any, moment: str | None, as_json: bool) -> None:
    """Show the workspace's time, or move it on to MOMENT where it is virtual."""
    kind = workspace.settings.clock
    if moment is not None:
        if kind != "virtual":
            raise InvalidInput("This workspace lives in system time.", hint='Set clock = "virtual" in flyball.toml.')
        workspace.clock.set(moment)
    now, settled = workspace.clock.state() if kind == "virtual" else (workspace.time.now(), True)
    if as_json:
        print_json({"now": now, "clock": kind, "settled": settled})
    else:
        click.echo(f"{now:%Y-%m-%d %H:%M:%S} UTC ({kind}{'' if settled else ', something is left to do'})")
