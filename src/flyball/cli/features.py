"""`flyball features`: feature views."""

from __future__ import annotations

from typing import Any

import click

from flyball.cli.output import print_json, print_table, workspace_options


@click.group()
def features() -> None:
    """Feature views."""


@features.command("list")
@workspace_options
def list_views(workspace: Any, as_json: bool) -> None:
    """List the feature views."""
    found = workspace.features.list(limit=1000)
    if as_json:
        print_json(found)
        return
    rows = [[v.name, v.source, v.entity, v.time, v.ttl_seconds, v.columns or "all", v.description] for v in found]
    print_table(["view", "source", "entity", "time", "ttl (s)", "columns", "description"], rows)
