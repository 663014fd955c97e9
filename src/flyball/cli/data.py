"""`flyball data`: datasets and snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flyball.cli import data_quality
from flyball.cli.output import print_facts, print_json, print_table, workspace_options


@click.group()
def data() -> None:
    """Datasets and snapshots."""


for _command in data_quality.COMMANDS:
    data.add_command(_command)


@data.command("list")
@workspace_options
def list_datasets(workspace: Any, as_json: bool) -> None:
    """List the datasets."""
    found = workspace.data.list(limit=1000)
    if as_json:
        print_json(found)
        return
    columns = ["dataset", "source", "key", "time", "label", "description"]
    print_table(columns, [[d.name, d.source, d.key, d.time, d.label, d.description] for d in found])


@data.command()
@click.argument("name")
@click.option("--limit", default=20, show_default=True, help="How many to show.")
@workspace_options
def history(workspace: Any, name: str, limit: int, as_json: bool) -> None:
    """List the snapshots of the dataset NAME, newest first."""
    workspace.data.get(name)
    found = workspace.data.list_snapshots(name, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [[s.id[:12], s.created, s.rows, s.file_count, s.size, s.summary] for s in found]
    print_table(["snapshot", "taken", "rows", "files", "bytes", "what changed"], rows)


@data.command()
@click.argument("name")
@click.argument("source", required=False)
@workspace_options
def snapshot(workspace: Any, name: str, source: str | None, as_json: bool) -> None:
    """Take a snapshot of the dataset NAME: of SOURCE (a file, glob or folder), or of its declared source."""
    from flyball.data.snapshot import take_snapshot

    root = Path.cwd() if source else workspace.project
    taken = take_snapshot(workspace.data, workspace.blobs, name, source, root=root, cache=workspace.cache)
    if as_json:
        print_json(taken)
    else:
        click.echo(f"{taken.dataset}/{taken.id[:12]}: {taken.summary}")


@data.command()
@click.argument("name")
@click.option("--version", default="latest", show_default=True, help="Snapshot id, or a prefix of it.")
@click.option("--rows", default=5, show_default=True, help="How many rows to show.")
@click.option("--reveal", is_flag=True, help="Show personal data as it is; that you did is recorded.")
@workspace_options
def show(workspace: Any, name: str, version: str, rows: int, reveal: bool, as_json: bool) -> None:
    """Show a snapshot of the dataset NAME: its columns and first rows, personal data masked."""
    workspace.data.get(name)
    found = workspace.data.get_snapshot(name, version)
    if as_json:
        print_json(found)
        return
    print_facts(
        {
            "snapshot": found.id,
            "taken": found.created,
            "rows": found.rows,
            "files": found.file_count,
            "bytes": found.size,
        }
    )
    if found.schema is None:
        print_table(["file", "bytes"], [[file.path, file.size] for file in found.files[:rows]])
        return
    print_table(["column", "type", "nullable"], [[c.name, c.type, c.nullable] for c in found.schema.columns])
    data_quality.print_rows(workspace, found, rows, reveal=reveal)
