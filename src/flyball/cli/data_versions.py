"""`flyball data snapshot|status|history|refs|branch|tag|move|rollback`: versions of datasets."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flyball.cli.output import print_facts, print_json, print_table, workspace_options
from flyball.errors import NotFound

if TYPE_CHECKING:
    from flyball.data._prefixes import Service

reference = click.argument("ref", metavar="DATASET[@VERSION]")


@contextmanager
def progress_bar(label: str, *, hidden: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal that is told how much is done, and of how much."""
    with click.progressbar(length=1000, label=label, file=sys.stderr, hidden=hidden or not sys.stderr.isatty()) as bar:
        shown = 0

        def tell(done: int, total: int) -> None:
            nonlocal shown
            here = 1000 * done // max(total, 1)
            if here > shown:
                bar.update(here - shown)
                shown = here

        yield tell


def service_of(workspace: Any) -> Service:
    """Where buckets are, as the settings say."""
    from flyball.data.snapshot import Service

    return Service(endpoint=workspace.settings.s3_endpoint, region=workspace.settings.s3_region)


@click.command()
@click.argument("name")
@click.argument("source", required=False)
@click.option("--branch", default="latest", show_default=True, help="The branch that it is put on.")
@workspace_options
def snapshot(workspace: Any, name: str, source: str | None, branch: str, as_json: bool) -> None:
    """Take a snapshot of the dataset NAME: of SOURCE (a file, pattern, folder, s3://bucket/prefix), or of its own source."""
    from flyball.data.snapshot import take_snapshot

    root = Path.cwd() if source else workspace.root
    if not source:
        _learn(workspace, name)
    before = workspace.data.list_snapshots(name, limit=1)
    with progress_bar("reading", hidden=as_json) as progress:
        taken = take_snapshot(
            workspace.data,
            workspace.blobs,
            name,
            source,
            root=root,
            cache=workspace.cache,
            branch=branch,
            progress=progress,
            service=service_of(workspace),
        )
    if source:
        _remember(workspace, name, source)
    if as_json:
        print_json(taken)
    elif before and before[0] == taken:
        click.echo(f"{taken.dataset}/{taken.id[:12]}: nothing changed since {taken.created:%Y-%m-%d %H:%M}")
    else:
        click.echo(f"{taken.dataset}/{taken.id[:12]}: {taken.summary}")


def _learn(workspace: Any, name: str) -> None:
    """Declares a dataset that the project has and the workspace does not know yet."""
    from flyball.cli.features import declarations_of
    from flyball.data.dataset import Dataset

    try:
        workspace.data.get(name)
    except NotFound:
        for item in declarations_of(workspace):
            if isinstance(item, Dataset) and item.name == name:
                workspace.data.declare(item)


def _remember(workspace: Any, name: str, source: str) -> None:
    """Lets a dataset that has no source have the one that was just taken, so that it need not be named again."""
    declared = workspace.data.get(name)
    if declared.source or ("://" in source and not source.startswith("s3://")):
        return
    if "://" not in source:
        place = Path.cwd() / source
        source = str(place.relative_to(workspace.root) if place.is_relative_to(workspace.root) else place)
    workspace.data.declare(replace(declared, source=source))


@click.command()
@click.argument("name")
@click.argument("source", required=False)
@workspace_options
def status(workspace: Any, name: str, source: str | None, as_json: bool) -> None:
    """Tell what changed in the source of the dataset NAME since its latest snapshot. Ends with 1 if something did."""
    from flyball.data.status import source_status

    root = Path.cwd() if source else workspace.root
    found = source_status(workspace.data, workspace.blobs, name, source or "", root=root, cache=workspace.cache)
    if as_json:
        print_json(found)
    elif not found.is_changed:
        click.echo(f"{name}: {found.files:,} file{'s' if found.files != 1 else ''}, as in {found.latest[:12]}.")
    else:
        rows = [[what, path] for what in ("added", "removed", "changed") for path in getattr(found, what)]
        print_table(["change", "file"], rows)
    if found.is_changed:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("name")
@click.option("--limit", default=20, show_default=True, help="How many to show.")
@click.option("--moves", is_flag=True, help="Show what each branch pointed at, and why it moved.")
@workspace_options
def history(workspace: Any, name: str, limit: int, moves: bool, as_json: bool) -> None:
    """List the snapshots of the dataset NAME, newest first."""
    workspace.data.get(name)
    if moves:
        _print_moves(workspace.data_versions.history(name, limit=limit), as_json=as_json)
        return
    found = workspace.data.list_snapshots(name, limit=limit)
    if as_json:
        print_json(found)
        return
    names: dict[str, list[str]] = {}
    for ref in workspace.data_versions.refs(name):
        names.setdefault(ref.snapshot, []).append(ref.name)
    rows = [[s.id[:12], names.get(s.id, []), s.created, s.rows, s.file_count, s.size, s.summary] for s in found]
    print_table(["snapshot", "refs", "taken", "rows", "files", "bytes", "what changed"], rows)


def _print_moves(found: list[Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    rows = [[m.at, m.branch, m.snapshot[:12], m.previous[:12], m.cause.replace("_", " "), m.summary] for m in found]
    print_table(["at", "branch", "snapshot", "before", "cause", "what"], rows)


@click.command()
@click.argument("name")
@workspace_options
def refs(workspace: Any, name: str, as_json: bool) -> None:
    """List the branches and tags of the dataset NAME."""
    workspace.data.get(name)
    found = workspace.data_versions.refs(name)
    if as_json:
        print_json(found)
    else:
        print_table(["name", "kind", "snapshot", "moved"], [[r.name, r.kind, r.snapshot[:12], r.moved] for r in found])


@click.command()
@click.argument("name")
@click.argument("branch")
@click.option(
    "--from", "version", default="latest", show_default=True, help="Snapshot, branch or tag that it begins at."
)
@workspace_options
def branch(workspace: Any, name: str, branch: str, version: str, as_json: bool) -> None:
    """Make a BRANCH of the dataset NAME; `flyball data snapshot --branch` goes on from there."""
    _tell_ref(workspace.data_versions.create_branch(name, branch, version), as_json=as_json)


@click.command()
@click.argument("name")
@click.argument("tag")
@click.option("--version", default="latest", show_default=True, help="Snapshot or branch that is given the name.")
@workspace_options
def tag(workspace: Any, name: str, tag: str, version: str, as_json: bool) -> None:
    """Give a snapshot of the dataset NAME the name TAG, which stays with it."""
    _tell_ref(workspace.data_versions.create_tag(name, tag, version), as_json=as_json)


@click.command()
@click.argument("name")
@click.argument("ref")
@click.argument("version")
@click.option("--expected", default="", help="Id of what it points at now; if it points elsewhere, nothing is done.")
@workspace_options
def move(workspace: Any, name: str, ref: str, version: str, expected: str, as_json: bool) -> None:
    """Let the branch or tag REF of the dataset NAME point at another VERSION."""
    _tell_ref(workspace.data_versions.move_ref(name, ref, version, expected), as_json=as_json)


def _tell_ref(found: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found.dataset}@{found.name} is {found.snapshot[:12]}.")


@click.command()
@click.argument("name")
@click.argument("version")
@click.option("--branch", default="latest", show_default=True, help="The branch that goes back.")
@click.option("--reason", default="", help="Why, for history.")
@workspace_options
def rollback(workspace: Any, name: str, version: str, branch: str, reason: str, as_json: bool) -> None:
    """Let the dataset NAME stand at an older VERSION again. Nothing is lost."""
    found = workspace.data_versions.roll_back(name, version, branch, reason)
    if as_json:
        print_json(found)
    else:
        click.echo(f"{name}@{branch} is {found.id[:12]} again, taken {found.created:%Y-%m-%d %H:%M}.")


@click.command()
@reference
@click.option("--force", is_flag=True, help="Also if a model or a run needs it.")
@workspace_options
def delete(workspace: Any, ref: str, force: bool, as_json: bool) -> None:
    """Delete a version, a branch or a tag of a dataset, or the whole of it. Bytes go with `flyball data gc`."""
    from flyball.refs import Ref

    found = Ref.parse(ref, kind="snapshots")
    version = found.version or found.alias
    named = {one.name for one in workspace.data_versions.refs(found.name)}
    if version in named and version != "latest":
        workspace.data_versions.delete_ref(found.name, version)
        done = f"The name {found.name}@{version} is gone; the snapshot stays."
    elif version:
        gone = workspace.data_versions.delete_snapshot(found.name, version, force)
        done = f"The snapshot {gone.dataset}/{gone.id[:12]} is gone."
    else:
        workspace.data_versions.delete_dataset(found.name, force)
        done = f"The dataset {found.name} is gone, with all its snapshots."
    if as_json:
        print_json({"deleted": ref})
    else:
        click.echo(done)


@click.command()
@click.option("--grace", default=7.0, show_default=True, help="Days that bytes are kept, at least 2.")
@click.option("--remove", is_flag=True, help="Remove them.")
@click.option("--dry-run", is_flag=True, help="Tell only what would be removed; that is so without --remove too.")
@workspace_options
def gc(workspace: Any, grace: float, remove: bool, dry_run: bool, as_json: bool) -> None:
    """Remove bytes for good that nothing refers to any more. Runs in the trash are left to `flyball runs gc`."""
    removes = remove and not dry_run
    found = workspace.trash.gc(_NO_RUNS, not removes, grace)
    if as_json:
        print_json(found)
        return
    print_facts(
        {
            f"blobs {'removed' if removes else 'to be removed'}": found.blobs,
            "bytes": found.bytes,
            "too young": found.young,
        }
    )
    if not removes and found.blobs:
        click.echo("Nothing was removed; `flyball data gc --remove` does it.")


_NO_RUNS = 36_000.0  # days; no run lies in the trash for as long
COMMANDS = (snapshot, status, history, refs, branch, tag, move, rollback, delete, gc)
