"""`flyball runs`: runs, their metrics, artifacts and logs."""

from __future__ import annotations

from typing import Any

import click

from flyball.cli.output import plain, print_facts, print_json, print_table, workspace_options


@click.group()
def runs() -> None:
    """Runs, their metrics, artifacts and logs."""


@runs.command("list")
@click.option("--experiment", default="", help="Only those of this experiment.")
@click.option("--kind", default="pipeline", show_default=True, help="Only those of this kind; '' for all.")
@click.option("--limit", default=20, show_default=True, help="How many to show.")
@workspace_options
def list_runs(workspace: Any, experiment: str, kind: str, limit: int, as_json: bool) -> None:
    """List runs, newest first."""
    found = workspace.tracking.list_runs(experiment=experiment, kind=kind, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [[r.id, r.experiment, r.name, r.state, r.started, _seconds(r), r.metrics] for r in found]
    print_table(["run", "experiment", "name", "state", "started", "seconds", "metrics"], rows)


@runs.command()
@click.argument("run")
@workspace_options
def show(workspace: Any, run: str, as_json: bool) -> None:
    """Show a run: params, metrics, steps, artifacts."""
    found = workspace.tracking.get_run(run)
    steps = workspace.tracking.list_runs(parent=run, limit=1000)
    artifacts = workspace.tracking.list_artifacts(run)
    if as_json:
        print_json({"run": found, "steps": steps, "artifacts": artifacts})
        return
    facts = {key: value for key, value in plain(found).items() if key not in ("environment", "metrics", "error")}
    print_facts({**facts, **{f"metric {name}": value for name, value in found.metrics.items()}})
    if steps:
        rows = [[s.name, s.state, _seconds(s), s.tags.get("why", ""), s.params] for s in reversed(steps)]
        print_table(["step", "state", "seconds", "why", "params"], rows)
    if artifacts:
        print_table(
            ["artifact", "kind", "bytes", "digest"], [[a.name, a.kind, a.size, a.digest[:12]] for a in artifacts]
        )
    if found.error:
        click.echo(f"\n{found.error}")


@runs.command()
@click.argument("run")
@click.argument("metric")
@workspace_options
def metric(workspace: Any, run: str, metric: str, as_json: bool) -> None:
    """Show every value of a METRIC of a RUN."""
    found = workspace.tracking.metric_history(run, metric, limit=10_000)
    if as_json:
        print_json(found)
    else:
        print_table(["step", "value", "at"], [[point.step, point.value, point.at] for point in found])


@runs.command()
@click.argument("run")
def delete(run: str) -> None:
    """Put a run into the trash; `flyball runs restore` brings it back."""
    from flyball.cli.output import open_workspace

    with open_workspace() as workspace:
        workspace.tracking.delete_run(run)
    click.echo(f"Run {run} is in the trash.")


@runs.command()
@click.argument("run")
def restore(run: str) -> None:
    """Bring a run back from the trash."""
    from flyball.cli.output import open_workspace

    with open_workspace() as workspace:
        workspace.tracking.restore_run(run)
    click.echo(f"Run {run} is back.")


def _seconds(run: Any) -> float | None:
    return None if run.ended is None else (run.ended - run.started).total_seconds()
