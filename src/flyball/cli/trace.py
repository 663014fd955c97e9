"""`flyball trace`: where a prediction came from."""

from __future__ import annotations

from typing import Any

import click

from flyball.cli.output import print_facts, print_json, workspace_options


@click.command()
@click.argument("prediction_id")
@click.option("--deployment", default="", help="Where to look; every deployment by default.")
@workspace_options
def trace(workspace: Any, prediction_id: str, deployment: str, as_json: bool) -> None:
    """Follow PREDICTION_ID back to model version, run, code and the exact data."""
    from flyball.governance.trace import trace_prediction

    found = trace_prediction(
        prediction_id,
        deployment=deployment,
        deployments=workspace.deployments,
        registry=workspace.registry,
        tracking=workspace.tracking,
        data=workspace.data,
        monitoring=workspace.monitoring,
        store=workspace.store,
    )
    if as_json:
        print_json(found)
        return
    row, version = found.prediction, found.version
    click.echo(f"Prediction {prediction_id} of '{found.deployment}'")
    print_facts(
        {
            "  at": row.get("at"),
            "  answer": row.get("prediction"),
            "  probability": row.get("probability"),
            "  truth": found.truth,
        }
    )
    click.echo(f"Model {version.model}, version {version.version} ({version.stage})")
    print_facts({"  package": version.package.id[:16], "  registered": version.created})
    if found.run is not None:
        click.echo(f"Run {found.run.id}")
        print_facts({"  started": found.run.started, "  params": found.run.params, "  code": found.code[:16]})
    for snapshot in found.snapshots:
        click.echo(f"Snapshot {snapshot.dataset}/{snapshot.id[:16]}")
        print_facts({"  taken": snapshot.created, "  rows": snapshot.rows, "  files": snapshot.file_count})
