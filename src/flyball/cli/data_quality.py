"""`flyball data check`, `profile`, `suggest`, `pii`, `clean`, `forget`: the quality of datasets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flyball.cli.output import print_json, print_table, workspace_options

if TYPE_CHECKING:
    from flyball.data.manifest import Snapshot
    from flyball.data.profile import TableProfile

_FILE = "checks.yaml"
dataset_argument = click.argument("dataset", metavar="DATASET[@VERSION]")


@click.command()
@dataset_argument
@click.option("--checks", "file", type=click.Path(dir_okay=False), help=f"File of checks (default {_FILE}).")
@click.option("--sample", type=click.IntRange(min=1), help="Look at so many rows only, drawn at random.")
@workspace_options
def check(workspace: Any, dataset: str, file: str | None, sample: int | None, as_json: bool) -> None:
    """Check a version of a dataset; ends with 1 if a check fails."""
    from flyball.data.assess import check_snapshot
    from flyball.data.checks_file import read_checks
    from flyball.errors import InvalidInput

    snapshot = find_snapshot(workspace, dataset)
    place = Path(file) if file else workspace.root / _FILE
    if not place.exists():
        raise InvalidInput(
            f"There is no file '{place.name}' with checks.",
            hint=f"Propose some: flyball data suggest {snapshot.dataset} --write {place.name}",
        )
    report = check_snapshot(
        workspace.data,
        workspace.quality,
        workspace.blobs,
        snapshot,
        read_checks(place),
        now=workspace.time.now(),
        sample=sample,
    )
    if as_json:
        print_json(report)
    else:
        click.echo(f"{snapshot.dataset}/{snapshot.id[:12]}: {report}")
    if not report.passed:
        raise click.exceptions.Exit(1)


@click.command()
@dataset_argument
@click.option("--html", "page", type=click.Path(dir_okay=False), help="Write a page to this file.")
@click.option("--again", is_flag=True, help="Make it anew, though one is kept.")
@workspace_options
def profile(workspace: Any, dataset: str, page: str | None, again: bool, as_json: bool) -> None:
    """Show what a version of a dataset looks like, column by column."""
    from flyball.data.assess import profile_snapshot

    snapshot = find_snapshot(workspace, dataset)
    found = profile_snapshot(workspace.quality, workspace.blobs, snapshot, again=again)
    if page:
        from flyball.data.profile_page import to_html

        Path(page).write_text(to_html(found, f"{snapshot.dataset}/{snapshot.id[:12]}"), encoding="utf-8")
    if as_json:
        print_json(found)
    elif page:
        click.echo(f"Wrote {page}.")
    else:
        _print_profile(snapshot, found)


@click.command()
@click.argument("dataset")
@click.option("--versions", default=10, show_default=True, help="How many of the latest versions to learn from.")
@click.option("--python", "as_python", is_flag=True, help="As Python instead of YAML.")
@click.option("--write", "file", type=click.Path(dir_okay=False), help="Write to this file; .py is Python.")
@workspace_options
def suggest(workspace: Any, dataset: str, versions: int, as_python: bool, file: str | None, as_json: bool) -> None:
    """Propose checks for a dataset, from its profile and the history of its versions."""
    from flyball.data.assess import suggest_for
    from flyball.data.checks_file import to_code, to_yaml
    from flyball.errors import AlreadyExists

    if file and Path(file).exists():
        raise AlreadyExists(f"'{file}' is there already.", hint="Give another name, or remove it first.")
    found = suggest_for(workspace.data, workspace.quality, workspace.blobs, dataset, versions=versions)
    if as_json:
        print_json(found)
    is_python = as_python or (file or "").endswith(".py")
    text = to_code(found, title=f"Checks of {dataset}.") if is_python else to_yaml(found)
    if file:
        Path(file).write_text(text, encoding="utf-8")
        click.echo(f"Wrote {len(found)} checks to {file}. Read them before you rely on them.", err=as_json)
    elif not as_json:
        click.echo(text, nl=False)


@click.command()
@click.argument("dataset")
@click.argument("column", required=False)
@click.argument("kind", required=False)
@workspace_options
def pii(workspace: Any, dataset: str, column: str | None, kind: str | None, as_json: bool) -> None:
    """Show which columns hold personal data; with COLUMN and KIND, say so: `mail`, `phone`, `name` ..., or `none`."""
    from flyball.data.assess import profile_snapshot
    from flyball.errors import InvalidInput

    snapshot = find_snapshot(workspace, dataset)
    if column:
        if not kind:
            raise InvalidInput(f"What does '{column}' hold?", hint=f"flyball data pii {dataset} {column} mail")
        if snapshot.schema is not None:
            snapshot.schema.column(column)
        workspace.quality.declare_pii(snapshot.dataset, column, kind)
    # What was said changes the kept profile: values of a flagged column must not stay in it.
    found = profile_snapshot(workspace.quality, workspace.blobs, snapshot, again=bool(column))
    if as_json:
        print_json(found.flags)
        return
    rows = [[flag.column, flag.kind, f"{flag.confidence:.0%}", flag.reason] for flag in found.flags]
    print_table(
        ["column", "class", "confidence", "because"], rows, empty="No column holds personal data, as far as is seen."
    )


@click.command()
@dataset_argument
@click.option("--test", metavar="DATASET[@VERSION]", help="Rows that a model is judged on, to look for overlap.")
@click.option("--group", "groups", multiple=True, help="Column whose groups shall be treated alike; may be repeated.")
@click.option("--kind", "kinds", multiple=True, help="Only this kind of finding; may be repeated.")
@workspace_options
def clean(
    workspace: Any, dataset: str, test: str | None, groups: tuple[str, ...], kinds: tuple[str, ...], as_json: bool
) -> None:
    """Say what is wrong with a dataset, and by which line of code each finding is mended."""
    from flyball.data.assess import clean_snapshot

    found = clean_snapshot(
        workspace.data, workspace.quality, workspace.blobs, find_snapshot(workspace, dataset),
        test=find_snapshot(workspace, test) if test else None, groups=groups, kinds=kinds,
    )  # fmt: skip
    if as_json:
        print_json(found)
    else:
        click.echo(str(found))


@click.command()
@click.argument("dataset")
@click.option("--key", "value", required=True, help="What names the person, as it stands in the column.")
@click.option("--column", default="", help="Column that names the person; the dataset's key by default.")
@click.option("--dry-run", is_flag=True, help="Only say what would be purged.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@workspace_options
def forget(
    workspace: Any, dataset: str, value: str, column: str, dry_run: bool, yes: bool, as_json: bool
) -> None:  # fmt: skip
    """Purge a person's rows from every version of a dataset, and from what was copied out of it. It cannot be undone."""
    from flyball.governance.forgetting import forget_everywhere as purge

    if not dry_run and not yes and sys.stdin.isatty():
        would = purge(workspace, dataset, value, column=column, dry_run=True)
        copies = sum(one.is_purged for one in would.copies)
        also = f" and {copies} copies of them" if copies else ""
        click.confirm(
            f"Purge {sum(would.rows.values()):,} rows from {len(would.rows)} versions{also} for good?", abort=True
        )
    found = purge(workspace, dataset, value, column=column, dry_run=dry_run, cache=workspace.cache)
    if as_json:
        print_json(found)
        return
    would_be = "would be" if dry_run else "were"
    print_table(
        ["version", "rows"], [[id[:12], rows] for id, rows in found.rows.items()], empty="No version holds such a row."
    )
    if found.rows:
        click.echo(
            f"{sum(found.rows.values()):,} rows {would_be} purged from {len(found.rows)} versions of '{dataset}'."
        )
    if found.copies:
        rows = [
            [one.where, one.what, "" if one.rows is None else one.rows, would_be if one.is_purged else "left for you"]
            for one in found.copies
        ]
        print_table(["copied to", "as", "rows", "purged"], rows)
    if found.models:
        click.echo(f"Models that came of these versions, and have learned from the rows: {', '.join(found.models)}.")


def find_snapshot(workspace: Any, dataset: str) -> Snapshot:
    """The version that `DATASET` or `DATASET@VERSION` names; the latest by default."""
    name, _, version = dataset.partition("@")
    workspace.data.get(name)
    found: Snapshot = workspace.data.get_snapshot(name, version or "latest")
    return found


def print_rows(workspace: Any, snapshot: Snapshot, rows: int, *, reveal: bool) -> None:
    """Prints the first rows of a snapshot, personal data masked unless it is to be revealed."""
    from flyball.data.assess import preview

    table, flags = preview(workspace.quality, workspace.blobs, snapshot, rows, reveal=reveal)
    print_table(table.column_names, [list(row.values()) for row in table.to_pylist()])
    if flags:
        named = ", ".join(f"{flag.column} ({flag.kind})" for flag in flags)
        click.echo(f"Masked as personal: {named}. --reveal shows it, and is recorded.")


def _print_profile(snapshot: Snapshot, found: TableProfile) -> None:
    from flyball.data.profile_page import summary_rows

    repeated = "" if found.duplicates is None else f", {found.duplicates:,} of them repeat others"
    click.echo(f"{snapshot.dataset}/{snapshot.id[:12]}: {found.rows:,} rows{repeated}, {len(found.columns)} columns")
    columns = ["column", "type", "missing", "distinct", "least", "mean or first", "greatest", "histogram", "personal"]
    print_table(columns, summary_rows(found))
    strong = [each for each in found.correlations if abs(each.value) >= 0.5][:8]
    for each in strong:
        click.echo(f"{each.one} and {each.other}: {each.value:+.2f} ({each.kind})")


COMMANDS = (check, profile, suggest, pii, clean, forget)
