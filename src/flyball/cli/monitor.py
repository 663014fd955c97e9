"""`flyball monitor`: windows of predictions, and their ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flyball.cli.monitor_tables import compare_tables, show_window, spark
from flyball.cli.output import print_facts, print_json, print_table, workspace_options


@click.group()
def monitor() -> None:
    """Windows of predictions: drift, quality, performance; ground truth."""


@monitor.command("list")
@click.argument("deployment")
@click.option("--limit", default=20, show_default=True, help="How many windows to show.")
@workspace_options
def list_windows(workspace: Any, deployment: str, limit: int, as_json: bool) -> None:
    """List the examined windows of DEPLOYMENT, newest first."""
    workspace.deployments.get(deployment)
    found = workspace.monitoring.list_windows(deployment, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [
        [
            w.start,
            w.end,
            w.predictions,
            w.labelled,
            _drift(w),
            {m.name.split()[0]: m.value for m in w.performance},
            "; ".join(w.findings[:2]),
        ]
        for w in found
    ]
    print_table(["from", "to", "predictions", "labelled", "drift", "performance", "findings"], rows)
    _show_trends(found[::-1])


@monitor.command()
@click.argument("deployment")
@click.argument("start")
@workspace_options
def show(workspace: Any, deployment: str, start: str, as_json: bool) -> None:
    """Show the window of DEPLOYMENT that begins at START, column by column."""
    found = workspace.monitoring.get_window(deployment, start)
    if as_json:
        print_json(found)
        return
    print_facts(
        {
            "from": found.start,
            "to": found.end,
            "predictions": found.predictions,
            "labelled": found.labelled,
            "versions": found.versions,
        }
    )
    show_window(found)


@monitor.command()
@click.argument("deployment")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--id", "id_column", default="prediction_id", show_default=True, help="Column of the prediction ids.")
@click.option("--value", "value_column", default="truth", show_default=True, help="Column of what turned out to be so.")
@workspace_options
def truth(workspace: Any, deployment: str, file: Path, id_column: str, value_column: str, as_json: bool) -> None:
    """Hand in the ground truth of predictions from FILE (Parquet, CSV, JSON lines)."""
    from flyball.data.snapshot import read_files
    from flyball.errors import InvalidInput, did_you_mean

    rows = read_files(Path.cwd(), str(file))
    for name in (id_column, value_column):
        if name not in rows.column_names:
            raise InvalidInput(f"'{file}' has no column '{name}'.", hint=did_you_mean(name, rows.column_names))
    ids = [str(value) for value in rows[id_column].to_pylist()]
    taken = workspace.monitoring.add_ground_truth(deployment, ids, rows[value_column].to_pylist())
    if as_json:
        print_json({"rows": len(ids), "new_or_changed": taken})
    else:
        click.echo(f"{len(ids):,} labels, {taken:,} of them new or changed.")


def _show_trends(windows: list[Any]) -> None:
    """One line of bars for each number that the windows tell, the oldest window first."""
    if len(windows) < 2:
        return
    names = dict.fromkeys(m.name for w in windows for m in w.performance)
    for name in names:
        values = [next((m.value for m in w.performance if m.name == name), None) for w in windows]
        click.echo(f"{name.split()[0]:>20}  {spark(values)}")
    shares = [None if w.drift is None else w.drift.share for w in windows]
    click.echo(f"{'drifted columns':>20}  {spark(shares)}")
    click.echo(f"{'labelled':>20}  {spark([w.labelled / w.predictions if w.predictions else None for w in windows])}")


def _drift(window: Any) -> str:
    if window.drift is None:
        return ""
    drifted = [column.column for column in window.drift.columns if column.drifted]
    return f"{len(drifted)} of {len(window.drift.columns)}: {', '.join(drifted[:3])}" if drifted else "none"


monitor.add_command(compare_tables)
