"""`flyball experiments`: groups of runs."""

from __future__ import annotations

from typing import Any

import click

from flyball.cli.output import print_facts, print_json, print_table, workspace_options


@click.group()
def experiments() -> None:
    """Experiments: list, show, create, rename, delete."""


@experiments.command("list")
@click.option("--filter", "filter_", default="", help="Such as \"name LIKE 'churn%'\".")
@click.option("--order", "order_by", multiple=True, help="Such as 'name'; may be repeated.")
@click.option("--deleted", is_flag=True, help="Those in the trash.")
@click.option("--limit", default=50, show_default=True, help="How many to show.")
@workspace_options
def list_experiments(
    workspace: Any, filter_: str, order_by: tuple[str, ...], deleted: bool, limit: int, as_json: bool
) -> None:
    """List experiments, newest first, or those that a filter finds."""
    which = "deleted" if deleted else "active"
    page = workspace.run_search.search_experiments(filter_, list(order_by), limit, deleted=which)
    if as_json:
        print_json(page.experiments)
        return
    rows = [[e.id, e.name, e.runs, e.last_started, e.created, e.tags] for e in page.experiments]
    print_table(["id", "experiment", "runs", "last run", "created", "tags"], rows)


@experiments.command()
@click.argument("experiment")
@workspace_options
def show(workspace: Any, experiment: str, as_json: bool) -> None:
    """Show an EXPERIMENT, and what its runs log."""
    found = workspace.experiments.get(experiment)
    columns = workspace.run_search.columns([found.id])
    if as_json:
        print_json({"experiment": found, "columns": columns})
        return
    facts = {name: getattr(found, name) for name in found.__dataclass_fields__ if name != "location" or found.location}
    print_facts({**facts, "params": columns.params, "metrics": columns.metrics, "tags of runs": columns.tags})


@experiments.command()
@click.argument("name")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag; may be repeated.")
@workspace_options
def create(workspace: Any, name: str, tags: tuple[str, ...], as_json: bool) -> None:
    """Make an experiment of that NAME."""
    found = workspace.experiments.create(name, dict(text.partition("=")[::2] for text in tags))
    if as_json:
        print_json(found)
    else:
        click.echo(f"Experiment {found.id} is '{found.name}'.")


@experiments.command()
@click.argument("experiment")
@click.argument("name")
@workspace_options
def rename(workspace: Any, experiment: str, name: str, as_json: bool) -> None:
    """Give an EXPERIMENT another NAME."""
    found = workspace.experiments.rename(experiment, name)
    if as_json:
        print_json(found)
    else:
        click.echo(f"Experiment {found.id} is '{found.name}' now.")


@experiments.command()
@click.argument("experiment")
@workspace_options
def delete(workspace: Any, experiment: str, as_json: bool) -> None:
    """Put an EXPERIMENT and its runs into the trash."""
    workspace.experiments.delete(experiment)
    if as_json:
        print_json({"deleted": experiment})
    else:
        click.echo(f"Experiment {experiment} is in the trash; `flyball experiments restore` brings it back.")


@experiments.command()
@click.argument("experiment")
@workspace_options
def restore(workspace: Any, experiment: str, as_json: bool) -> None:
    """Bring an EXPERIMENT and its runs back from the trash."""
    found = workspace.experiments.restore(experiment)
    if as_json:
        print_json(found)
    else:
        click.echo(f"Experiment {found.id}, '{found.name}', is back.")
