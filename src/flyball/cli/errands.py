"""`flyball errands`: work that the workspace's own workers do, asked for from anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from flyball.cli.output import print_facts, print_json, print_table, split_pair, workspace_options

if TYPE_CHECKING:
    from flyball.pipelines.errand import Errand

_PARAM = click.option(
    "-p", "--param", "given", multiple=True, metavar="NAME=VALUE", help="A parameter of the pipeline."
)
_LIKE = click.option("--like", metavar="RUN", default="", help="The run whose code is run; the newest by default.")


@click.group()
def errands() -> None:
    """Work for the workers of a workspace: ask for it, look at it, pause, resume, cancel."""


@errands.command("list")
@click.option("--about", default="", help="Only of this pipeline or dataset.")
@click.option("--state", default="", help="Only in this state.")
@click.option("--limit", default=50, show_default=True, help="How many.")
@workspace_options
def list_errands(workspace: Any, about: str, state: str, limit: int, as_json: bool) -> None:
    """List what was asked for, newest first."""
    found = workspace.errands.list(about=about, state=state, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [[e.id, e.kind, e.about, e.state, e.created, e.by, e.done or e.error] for e in found]
    print_table(["errand", "kind", "of", "state", "asked", "by", ""], rows, empty="Nothing was asked for yet.")


@errands.command()
@click.argument("errand")
@workspace_options
def show(workspace: Any, errand: str, as_json: bool) -> None:
    """Show an ERRAND and what came of it."""
    _show(workspace.errands.get(errand), as_json)


@errands.command()
@click.argument("pipeline")
@_PARAM
@click.option("--step", "only", multiple=True, metavar="STEP", help="Run this step alone; may be repeated.")
@click.option("--from", "again_from", multiple=True, metavar="STEP", help="Run this step again, and all behind it.")
@click.option("--no-cache", is_flag=True, help="Run every step, whatever has been run before.")
@_LIKE
@workspace_options
def run(
    workspace: Any, pipeline: str, given: tuple[str, ...], only: tuple[str, ...], again_from: tuple[str, ...],
    no_cache: bool, like: str, as_json: bool,
) -> None:  # fmt: skip
    """Ask a worker to run PIPELINE again, with the code of an earlier run."""
    params = dict(split_pair(text) for text in given)
    made = workspace.errands.run(pipeline, params, list(only), list(again_from), not no_cache, like)
    _show(made, as_json)


@errands.command()
@click.argument("pipeline")
@click.option("--start", required=True, metavar="TIME", help="Where the first window begins.")
@click.option("--end", required=True, metavar="TIME", help="Where the last window ends.")
@click.option("--every", default="1d", show_default=True, help="Length of a window.")
@click.option("--again", is_flag=True, help="Also run windows that an earlier run has finished.")
@_PARAM
@_LIKE
@workspace_options
def backfill(
    workspace: Any, pipeline: str, start: str, end: str, every: str, again: bool, given: tuple[str, ...], like: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Ask a worker to run PIPELINE once for each window from --start to --end."""
    from flyball.clock import parse_time

    params = dict(split_pair(text) for text in given)
    _show(
        workspace.errands.back_fill(pipeline, parse_time(start), parse_time(end), every, params, again, like), as_json
    )


@errands.command()
@click.argument("dataset")
@workspace_options
def profile(workspace: Any, dataset: str, as_json: bool) -> None:
    """Ask a worker for a profile of DATASET."""
    _show(workspace.errands.profile(dataset), as_json)


@errands.command()
@click.argument("dataset")
@workspace_options
def clean(workspace: Any, dataset: str, as_json: bool) -> None:
    """Ask a worker what is wrong with DATASET."""
    _show(workspace.errands.clean(dataset), as_json)


@errands.command()
@click.argument("errand")
@workspace_options
def cancel(workspace: Any, errand: str, as_json: bool) -> None:
    """Stop an ERRAND for good."""
    _show(workspace.errands.cancel(errand), as_json)


@errands.command()
@click.argument("errand")
@workspace_options
def pause(workspace: Any, errand: str, as_json: bool) -> None:
    """Stop an ERRAND so that it can go on from its last finished step."""
    _show(workspace.errands.pause(errand), as_json)


@errands.command()
@click.argument("errand")
@workspace_options
def resume(workspace: Any, errand: str, as_json: bool) -> None:
    """Let an ERRAND go on that was paused or has failed."""
    _show(workspace.errands.resume(errand), as_json)


def _show(errand: Errand, as_json: bool) -> None:
    if as_json:
        print_json(errand)
        return
    asked = {"go": "", "pause": "to pause", "cancel": "to stop"}[errand.wish] if errand.ended is None else ""
    print_facts({
        "errand": errand.id, "kind": errand.kind, "of": errand.about, "state": errand.state, "asked": asked,
        "params": errand.params, "done": errand.done, "error": errand.error,
    })  # fmt: skip
