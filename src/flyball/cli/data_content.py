"""`flyball data diff|checkout|verify|watch`: what is in versions of datasets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flyball.cli.data_versions import progress_bar, reference, service_of
from flyball.cli.output import format_value, print_facts, print_json, print_table, workspace_options
from flyball.data.manifest import format_size

if TYPE_CHECKING:
    from flyball.data.diff import DataDiff, RowDiff
    from flyball.data.manifest import Snapshot

_PAGE = 1000
_FILES_SHOWN = 20


@click.command()
@click.argument("before", metavar="DATASET[@VERSION]")
@click.argument("after", metavar="[DATASET[@VERSION]]", required=False)
@click.option("--key", multiple=True, help="Column that names a row; may be repeated. By default the dataset's key.")
@click.option("--examples", default=5, show_default=True, help="How many rows of each kind to show.")
@workspace_options
def diff(workspace: Any, before: str, after: str | None, key: tuple[str, ...], examples: int, as_json: bool) -> None:
    """Tell what differs between two versions: files, columns, rows, spread of values.

    With one version only, what it changed against the one before it.
    """
    from flyball.data.diff import diff_snapshots
    from flyball.errors import InvalidInput

    new = workspace.data.find_snapshot(after or before)
    if after is None and not new.parent:
        raise InvalidInput(f"There is none before {new.dataset}/{new.id[:12]}.", hint="Name two versions.")
    old = workspace.data.find_snapshot(before) if after else workspace.data.get_snapshot(new.dataset, new.parent)
    declared = workspace.data.get(new.dataset).key
    found = diff_snapshots(workspace.blobs, old, new, key=key or ((declared,) if declared else ()), examples=examples)
    if as_json:
        print_json(found)
    else:
        _print_diff(found)


def _print_diff(found: DataDiff) -> None:
    print_facts({"before": found.before, "after": found.after, "changed": found.summary})
    if found.schema:
        click.echo()
        print_table(
            ["column", "change", "before", "after"], [[c.column, c.change, c.before, c.after] for c in found.schema]
        )
    if found.files and (found.rows is None or len(found.files) > 1):
        click.echo()
        shown = found.files[:_FILES_SHOWN]
        print_table(
            ["file", "change", "bytes before", "after"],
            [[f.path, f.change, f.size_before, f.size_after] for f in shown],
        )
        more = len(found.files) - len(shown) + found.files_left_out
        if more:
            click.echo(f"and {more:,} more files")
    if found.rows is not None:
        click.echo()
        _print_rows(found.rows)
    if found.columns:
        click.echo()
        rows = [
            [
                c.column,
                *(
                    f"{format_value(getattr(c.before, what))} > {format_value(getattr(c.after, what))}"
                    for what in _SPREAD
                ),
            ]
            for c in found.columns
        ]
        print_table(["column", *_SPREAD], rows)


_SPREAD = ("missing", "mean", "deviation", "low", "high", "distinct")


def _print_rows(rows: RowDiff) -> None:
    facts: dict[str, object] = {
        "rows": f"{rows.before:,} before, {rows.after:,} after",
        "added": rows.added,
        "removed": rows.removed,
    }
    if rows.key:
        facts |= {"changed": rows.changed, "same": rows.same, "changed columns": rows.columns}
    print_facts(facts)
    if rows.examples:
        click.echo()
        shown = [[one.change, one.key, one.before, one.after] for one in rows.examples]
        print_table(["row", "key" if rows.key else "values", "before", "after"], shown)


@click.command()
@reference
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--as-of", default="", help="The version of that moment, such as 2026-01-31T12:00:00Z.")
@click.option("--force", is_flag=True, help="Write over files that hold something else.")
@click.option("--link", is_flag=True, help="Link read-only to the store where possible, instead of copying.")
@workspace_options
def checkout(workspace: Any, ref: str, folder: str, as_of: str, force: bool, link: bool, as_json: bool) -> None:
    """Write the files of a version into FOLDER. Files that hold something else are not touched without --force."""
    from flyball.clock import parse_time
    from flyball.data.checkout import check_out

    found = workspace.data.find_snapshot(ref)
    if as_of:
        found = workspace.data.get_snapshot(found.dataset, "latest", parse_time(as_of))
    with progress_bar("writing", hidden=as_json) as progress:
        done = check_out(workspace.blobs, found, Path(folder), force=force, link=link, progress=progress)
    if as_json:
        print_json(done)
    else:
        click.echo(f"{done.written:,} files written ({format_size(done.size)}), {done.unchanged:,} were there already.")


@click.command()
@click.argument("names", nargs=-1, metavar="[DATASET]...")
@workspace_options
def verify(workspace: Any, names: tuple[str, ...], as_json: bool) -> None:
    """Read every byte of all versions, or of those of DATASET, and name what is broken. Ends with 1 if something is."""
    from flyball.data.verify import verify_snapshots

    for name in names:
        workspace.data.get(name)
    found = list(_snapshots(workspace, names))
    with progress_bar("reading", hidden=as_json) as progress:
        broken = verify_snapshots(workspace.blobs, found, progress=progress)
    if as_json:
        print_json(broken)
    elif broken:
        print_table(
            ["dataset", "version", "file", "is", "blob"],
            [[b.dataset, b.version[:12], b.path, b.found, b.digest[:12]] for b in broken],
        )
    else:
        click.echo(f"{len(found):,} snapshots, all whole.")
    if broken:
        raise click.exceptions.Exit(1)


def _snapshots(workspace: Any, names: tuple[str, ...]) -> Iterator[Snapshot]:
    for name in names or [one.name for one in _datasets(workspace)]:
        before = ""
        while page := workspace.data.list_snapshots(name, limit=_PAGE, before=before):
            yield from page
            before = page[-1].id


def _datasets(workspace: Any) -> Iterator[Any]:
    after = ""
    while page := workspace.data.list(limit=_PAGE, after=after):
        yield from page
        after = page[-1].name


@click.command()
@click.argument("names", nargs=-1, metavar="[DATASET]...")
@click.option(
    "--every", default="1m", show_default=True, help="How often to look at DATASET; without one, each as declared."
)
@click.option("--once", is_flag=True, help="Look once and end.")
@workspace_options
def watch(workspace: Any, names: tuple[str, ...], every: str, once: bool, as_json: bool) -> None:
    """Look at the sources of datasets again and again, and take a snapshot when there is something new.

    Without DATASET, at all that are declared with `watch`.
    """
    from flyball.clock import parse_duration
    from flyball.data.watch import Watcher

    watcher = Watcher(
        workspace.data, workspace.blobs, workspace.time, root=workspace.root, cache=workspace.cache,
        service=service_of(workspace), only={name: parse_duration(every) for name in names},
    )  # fmt: skip
    while True:
        for one in watcher.look():
            if as_json:
                print_json(one)
            elif one.problem:
                click.echo(f"{one.dataset}: {one.problem}", err=True)
            elif one.snapshot is not None:
                click.echo(f"{one.dataset}/{one.snapshot.id[:12]}: {one.snapshot.summary}")
        if once:
            return
        time.sleep(1)


@click.command()
@click.argument("name")
@click.option("--version", default="", help="Branch, tag, id, or the beginning of one; the latest by default.")
@click.option("--offset", default=0, show_default=True, help="How many rows to pass over.")
@click.option("--limit", default=20, show_default=True, help="How many rows to show.")
@click.option("--order", default="", metavar="COLUMN", help="Order by it; -COLUMN for the greatest first.")
@click.option("--column", default="", help="Only rows that have --contains in this column.")
@click.option("--contains", default="", help="A text, whatever its case.")
@workspace_options
def rows(
    workspace: Any, name: str, version: str, offset: int, limit: int, order: str, column: str, contains: str, as_json: bool
) -> None:  # fmt: skip
    """Show rows of the dataset NAME, personal data masked."""
    found = workspace.rows.of_snapshot(name, version, offset, limit, order, column, contains)
    if as_json:
        print_json(found)
        return
    print_table([each.name for each in found.columns], found.rows, empty="No row fits.")
    click.echo(f"{found.total:,} rows", err=True)


COMMANDS = (diff, checkout, verify, watch, rows)
