"""`flyball runs tag|delete|restore|gc|views`: many runs at once, the trash, and searches that are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from flyball.cli.output import print_facts, print_json, print_table, workspace_options
from flyball.errors import Conflict, InvalidInput, NotFound

F = TypeVar("F", bound=Callable[..., Any])


def meaning(command: F) -> F:
    """Adds what says which runs are meant: their ids, or a filter and experiments."""
    for option in (
        click.option("--experiment", "experiments", multiple=True, help="Name or id; may be repeated."),
        click.option("--filter", "filter_", default="", help='Such as "metrics.accuracy < 0.5".'),
        click.argument("runs", nargs=-1),
    ):
        command = option(command)
    return command


@click.command()
@click.option("--set", "tags", multiple=True, required=True, metavar="KEY=VALUE", help="A tag; may be repeated.")
@meaning
@workspace_options
def tag(
    workspace: Any,
    tags: tuple[str, ...],
    runs: tuple[str, ...],
    filter_: str,
    experiments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write tags to RUNS, or to those that a filter finds."""
    given = dict(text.partition("=")[::2] for text in tags)
    if not all("=" in text for text in tags):
        raise InvalidInput("A tag has no value.", hint="Write it as --set team=red.")
    _tell(workspace.trash.bulk_tag(given, **_which(runs, filter_, experiments)), "tagged", as_json)


@click.command()
@meaning
@workspace_options
def delete(workspace: Any, runs: tuple[str, ...], filter_: str, experiments: tuple[str, ...], as_json: bool) -> None:
    """Put RUNS into the trash; `flyball runs restore` brings them back."""
    _tell(workspace.trash.bulk_delete(**_which(runs, filter_, experiments)), "in the trash", as_json)


@click.command()
@meaning
@workspace_options
def restore(workspace: Any, runs: tuple[str, ...], filter_: str, experiments: tuple[str, ...], as_json: bool) -> None:
    """Bring RUNS back from the trash."""
    _tell(workspace.trash.bulk_restore(**_which(runs, filter_, experiments)), "back", as_json)


@click.command()
@click.option("--older-than", "days", default=30.0, show_default=True, help="Days that runs have been in the trash.")
@click.option("--grace", default=7.0, show_default=True, help="Days that bytes are kept, at least 2.")
@click.option("--remove/--dry-run", help="Remove them. Without it, only what would be removed is told.")
@workspace_options
def gc(workspace: Any, days: float, grace: float, remove: bool, as_json: bool) -> None:
    """Remove what lies in the trash for long, and bytes that nothing refers to, for good."""
    found = workspace.trash.gc(days, not remove, grace)
    if as_json:
        print_json(found)
        return
    done = "removed" if remove else "would be removed"
    rows = {f"rows of {table}": count for table, count in found.rows.items()}
    print_facts(
        {
            f"runs {done}": found.runs,
            f"experiments {done}": found.experiments,
            f"logged models {done}": found.logged_models,
            f"traces {done}": found.traces,
            **rows,
            f"blobs {done}": found.blobs,
            "bytes": found.bytes,
            "too young": found.young,
        }
    )
    if not remove and (found.runs or found.experiments or found.logged_models or found.blobs):
        click.echo("Nothing was removed; `flyball runs gc --remove` does it.")


@click.group()
def views() -> None:
    """Searches that are kept under a name, for `flyball runs list --view`."""


@views.command("list")
@workspace_options
def list_views(workspace: Any, as_json: bool) -> None:
    """List the searches that are kept."""
    found = workspace.saved_views.list(limit=1000)
    if as_json:
        print_json(found)
    else:
        rows = [[v.name, v.filter, v.order_by, v.columns, v.experiments] for v in found]
        print_table(["view", "filter", "order", "columns", "experiments"], rows)


@views.command()
@click.argument("name")
@click.option("--filter", "filter_", default="", help='Such as "metrics.accuracy > 0.9".')
@click.option("--experiment", "experiments", multiple=True, help="Name or id; may be repeated.")
@click.option("--order", "order_by", multiple=True, help="Such as 'metrics.accuracy DESC'; may be repeated.")
@click.option("--column", "columns", multiple=True, help="Such as params.depth; may be repeated.")
@workspace_options
def save(
    workspace: Any,
    name: str,
    filter_: str,
    experiments: tuple[str, ...],
    order_by: tuple[str, ...],
    columns: tuple[str, ...],
    as_json: bool,
) -> None:
    """Keep a search under NAME."""
    found = workspace.saved_views.save(name, filter_, list(order_by), list(columns), "runs", list(experiments))
    if as_json:
        print_json(found)
    else:
        click.echo(f"`flyball runs list --view {name}` shows it.")


@views.command("delete")
@click.argument("name")
@workspace_options
def delete_view(workspace: Any, name: str, as_json: bool) -> None:
    """Remove the search that is kept under NAME."""
    workspace.saved_views.delete(name)
    if as_json:
        print_json({"deleted": name})
    else:
        click.echo(f"The view {name} is removed.")


COMMANDS: tuple[click.Command, ...] = (tag, delete, restore, gc, views)


def _which(runs: tuple[str, ...], filter_: str, experiments: tuple[str, ...]) -> dict[str, Any]:
    return {"runs": list(runs) if runs else None, "filter": filter_, "experiments": list(experiments)}


def _tell(changed: Any, what: str, as_json: bool) -> None:
    left = [f"{run}: {why}" for run, why in changed.left.items()]
    if left and not changed.runs:
        if all(why == "There is none." for why in changed.left.values()):
            raise NotFound(f"There is no run '{next(iter(changed.left))[:128]}'.")
        raise Conflict(f"Nothing was changed. {'; '.join(left[:5])}", left=changed.left)
    if as_json:
        print_json(changed)
        return
    one = len(changed.runs) == 1
    click.echo(f"Run {changed.runs[0]} is {what}." if one else f"{len(changed.runs)} runs are {what}.")
    if left:
        click.echo("Left as they are:\n  " + "\n  ".join(left[:20]), err=True)
