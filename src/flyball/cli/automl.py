"""`flyball automl`: searches the model that predicts a column best. `flyball searches`: what was searched."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flyball.cli.output import open_workspace, print_facts, print_json, print_table, workspace_options

if TYPE_CHECKING:
    from flyball.model_search.search import Candidate, Search

_SHOWN = 15


@click.command()
@click.argument("dataset")
@click.option("--label", required=True, help="Column that shall be predicted.")
@click.option("--budget", default="120", show_default=True, metavar="TIME", help="Seconds, or a length such as 10m.")
@click.option("--metric", default="", help="What counts; by default roc_auc, log_loss or rmse, by the label.")
@click.option("--task", default=None, type=click.Choice(["classification", "regression", "forecasting"]),
              help="Told from the label by default; forecasting must be asked for.")  # fmt: skip
@click.option("--time", default="", metavar="COLUMN", help="Time of a row: candidates are judged on what came later.")
@click.option("--group", "groups", multiple=True, metavar="COLUMN",
              help="Rows of one group are not divided; in forecasting it names a series.")  # fmt: skip
@click.option("--horizon", default=0, help="How many steps ahead to forecast.")
@click.option("--jobs", default=1, show_default=True, help="How many candidates are tried at once.")
@click.option("--family", "families", multiple=True, metavar="KIND", help="Only such models: linear, lightgbm, ...")
@click.option("--seed", default=0, show_default=True, help="Of all that is drawn.")
@click.option("--name", default="", help="Name of the search, and of the model; from dataset and label by default.")
@click.option(
    "--file", "file", default=None, metavar="FILE", help="Where the winner's project file goes; NAME.py by default."
)
@click.option("--force", is_flag=True, help="Replace the file that is there.")
@click.option("--background", is_flag=True, help="Leave the work to the workers of `flyball up`, and return.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--url", help="Address of a team server; by default FLYBALL_URL, else the local workspace.")
@click.option("--workspace", "workspace_folder", metavar="DIR", help="Folder of the workspace (default .flyball).")
def automl(
    dataset: str,
    label: str,
    budget: str,
    name: str,
    file: str | None,
    force: bool,
    background: bool,
    as_json: bool,
    url: str | None,
    workspace_folder: str | None,
    **settings: Any,
) -> None:
    """Search the model that predicts a column of DATASET best: the name of a dataset, or a file.

    The winner is written down as a project file, which is yours. Called again, it goes on with the search.
    """
    from flyball.model_search.run import automl as search
    from flyball.model_search.run import check_free, seconds
    from flyball.model_search.run import start as start_search
    from flyball.run_services import RunServices

    with open_workspace(workspace_folder, url) as workspace:
        root = workspace.settings.root
        services = RunServices(workspace=workspace, project_root=root, source_root=root)
        settings = {**settings, "time_budget": seconds(budget), "name": name}
        if background:
            begun = start_search(dataset, label, services=services, **settings)
            _show(begun, [], as_json=as_json)
            return
        if file is not None:
            check_free(root / file, "", force=force)
        watch = None if as_json else _Watch()
        found = search(dataset, label, services=services, on_change=watch, **settings)
        written = None
        if found.search.result is not None:
            written = found.write(root / (file or f"{found.search.name.replace('-', '_')}.py"), force=force)
        _show(found.search, list(found.leaderboard), as_json=as_json, file=written)


@click.group()
def searches() -> None:
    """Searches for the best model, their leaderboards and files."""


@searches.command("list")
@workspace_options
def list_searches(workspace: Any, as_json: bool) -> None:
    """List the searches."""
    found = workspace.automl.list(limit=1000)
    if as_json:
        print_json(found)
        return
    rows = [
        [
            each.name,
            each.wanted.dataset,
            each.wanted.label,
            each.task,
            each.state,
            each.metric,
            each.best,
            each.candidates,
        ]
        for each in found
    ]
    print_table(["search", "dataset", "label", "task", "state", "metric", "best", "tried"], rows)


@searches.command()
@click.argument("name")
@workspace_options
def show(workspace: Any, name: str, as_json: bool) -> None:
    """Show the search NAME and its leaderboard, also while it runs."""
    _show(workspace.automl.get(name), workspace.automl.leaderboard(name), as_json=as_json)


@searches.command()
@click.argument("name")
@click.option("--to", "path", default=None, metavar="FILE", help="Write it there instead of printing it.")
@click.option("--force", is_flag=True, help="Replace the file that is there.")
@workspace_options
def file(workspace: Any, name: str, path: str | None, force: bool, as_json: bool) -> None:
    """Print the project file of the winner of the search NAME."""
    from flyball.model_search.run import check_free

    text = workspace.automl.file(name)
    if path is not None:
        check_free(Path(path), text, force=force)
        Path(path).write_text(text, encoding="utf-8")
    if as_json:
        print_json({"file": path, "text": text})
    elif path is None:
        sys.stdout.write(text)
    else:
        click.echo(f"Written to {path}.")


@searches.command()
@click.argument("name")
@workspace_options
def cancel(workspace: Any, name: str, as_json: bool) -> None:
    """Ask the search NAME to stop."""
    found = workspace.automl.cancel(name)
    if as_json:
        print_json(found)
    else:
        click.echo(f"'{name}' is {found.state}." if not found.is_cancelled or found.ended else f"'{name}' stops soon.")


@searches.command()
@click.argument("name")
@workspace_options
def delete(workspace: Any, name: str, as_json: bool) -> None:
    """Remove the search NAME; runs and models stay."""
    workspace.automl.delete(name)
    if as_json:
        print_json({"deleted": name})
    else:
        click.echo(f"'{name}' is removed.")


class _Watch:
    """Tells on the terminal how each candidate does, as it becomes known."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._told: set[tuple[int, int]] = set()

    def __call__(self, one: Candidate) -> None:
        if one.state == "running" or (one.number, len(one.rungs)) in self._told:
            return
        self._told.add((one.number, len(one.rungs)))
        spent = f"{time.monotonic() - self._began:6.1f} s"
        said = one.error.splitlines()[0][:80] if one.error else f"{one.score:.4f}" if one.score is not None else "-"
        folds = (
            f" in {one.rungs[-1].folds} {'fold' if one.rungs[-1].folds == 1 else 'folds'} of {one.rungs[-1].rows:,} rows"
            if one.rungs and not one.error
            else ""
        )
        click.echo(f"{spent}  {one.number:>3} {one.family:<24} {said}{folds}", err=True)


def _show(search: Search, board: list[Candidate], *, as_json: bool, file: Path | None = None) -> None:
    if as_json:
        print_json({"search": search, "leaderboard": board, "file": None if file is None else str(file)})
        return
    rows = [
        [
            one.number, one.family, one.score, one.holdout, one.predict_ms, None if one.size is None else one.size // 1000,
            one.fit_seconds, one.state,
        ]
        for one in board[:_SHOWN]
    ]  # fmt: skip
    metric = search.metric or "score"
    print_table(
        ["no", "model", metric, "held out", "ms a row", "kB", "fit s", "state"], rows, empty="Nothing was tried yet."
    )
    facts: dict[str, object] = {"search": search.name, "state": search.state, "spent": f"{search.spent:.0f} s"}
    if search.error:
        facts["error"] = search.error
    if search.result is not None:
        found = search.result
        facts |= {"winner": f"{found.winner} {found.family}", "stopped because": found.stopped}
        if found.importance is not None:
            worth = ", ".join(f"{each.column} {each.value:.3g}" for each in found.importance.columns[:6])
            facts[f"worth in {found.importance.metric}"] = worth
    for number, note in enumerate(search.notes, 1):
        facts[f"note {number}"] = note
    if file is not None:
        facts["file"] = str(file)
    click.echo()
    print_facts(facts)
