"""`flyball data`: datasets and snapshots."""

from __future__ import annotations

from typing import Any

import click

from flyball.cli import copying, data_content, data_quality, data_versions
from flyball.cli.output import print_facts, print_json, print_table, workspace_options
from flyball.clock import parse_time


@click.group()
def data() -> None:
    """Datasets and snapshots."""


for _command in (*data_versions.COMMANDS, *data_content.COMMANDS, *data_quality.COMMANDS, copying.copy_data):
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
@click.option("--version", default="latest", show_default=True, help="Branch, tag, id, or the beginning of one.")
@click.option("--as-of", default="", help="The version of that moment, such as 2026-01-31T12:00:00Z.")
@click.option("--rows", default=5, show_default=True, help="How many rows to show.")
@click.option("--reveal", is_flag=True, help="Show personal data as it is; that you did is recorded.")
@workspace_options
def show(workspace: Any, name: str, version: str, as_of: str, rows: int, reveal: bool, as_json: bool) -> None:
    """Show a snapshot of the dataset NAME: its columns and first rows, personal data masked."""
    workspace.data.get(name)
    found = workspace.data.get_snapshot(name, version, parse_time(as_of) if as_of else None)
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
            **{kind.kind: f"{kind.files:,} files, {kind.size:,} bytes" for kind in found.media},
        }
    )
    if found.schema is None:
        from flyball.data.manifest import snapshot_files

        print_table(
            ["file", "bytes"], [[file.path, file.size] for file in snapshot_files(workspace.blobs, found)[:rows]]
        )
        return
    print_table(["column", "type", "nullable"], [[c.name, c.type, c.nullable] for c in found.schema.columns])
    data_quality.print_rows(workspace, found, rows, reveal=reveal)
