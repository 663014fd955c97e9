"""`flyball catalog`: find data and what is made of it, say what it is, see what uses it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import click

from flyball.cli.output import print_facts, print_json, print_table, workspace_options
from flyball.clock import format_duration
from flyball.errors import FlyballError, InvalidInput

_DEEP = click.option("--depth", default=10, show_default=True, help="How many steps to follow.")


@click.group()
def catalog() -> None:
    """Find, describe and follow datasets, features, models, loops and deployments."""


@catalog.command()
@click.argument("words", nargs=-1)
@click.option(
    "--kind", "kinds", multiple=True, help="Only these, such as datasets, features or models; may be repeated."
)
@click.option("--owner", default="", help="Only things of this owner.")
@click.option("--tag", default="", metavar="KEY[=VALUE]", help="Only things with this tag.")
@click.option("--limit", default=20, show_default=True, help="How many to show.")
@workspace_options
def search(
    workspace: Any, words: tuple[str, ...], kinds: tuple[str, ...], owner: str, tag: str, limit: int, as_json: bool
) -> None:
    """Find things by WORDS of their names, columns, descriptions, tags and owners; all things without WORDS.

    Each word counts as the beginning of one. Words in quotes must stand one after the other.
    """
    typed = " ".join(f'"{word}"' if " " in word else word for word in words)
    found = workspace.catalog.search(typed, kinds=list(kinds), owner=owner, tag=tag, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [[hit.ref, hit.owner, hit.description, ", ".join(hit.columns), hit.tags] for hit in found]
    print_table(["what", "owner", "description", "columns that fit", "tags"], rows, empty="Nothing fits.")


@catalog.command()
@click.argument("ref")
@click.option("--rows", default=3, show_default=True, help="How many rows of a dataset to show, personal data masked.")
@workspace_options
def show(workspace: Any, ref: str, rows: int, as_json: bool) -> None:
    """Show all that is known of REF: a name, or such as datasets:/flights."""
    from flyball.governance.samples import sample_rows

    found = workspace.catalog.get(ref)
    if as_json:
        print_json(found)
        return
    print_facts({
        "what": found.ref, "description": found.description, "owner": found.owner, "licence": found.licence,
        "personal data": found.pii, "tags": found.tags, "links": found.links, "freshness": _freshness(found.freshness),
        "quality": _badge(found.quality),
    })  # fmt: skip
    if found.columns:
        click.echo()
        columns = [[c.name, c.type, c.pii, c.description] for c in found.columns]
        print_table(["column", "type", "personal data", "description"], columns)
    try:
        sample = sample_rows(workspace, found, rows) if rows > 0 else []
    except FlyballError as error:
        click.echo(f"\nNo rows can be shown: {error}")
        return
    if sample:
        click.echo()
        print_table(list(sample[0]), [list(row.values()) for row in sample])
    used = workspace.catalog.usage(found.ref)
    if used:
        click.echo(f"\nUsed by {len(used)} things; see `flyball catalog usage {found.ref}`.")


@catalog.command()
@click.argument("ref")
@click.option("--text", "description", help="What it is.")
@click.option("--licence", help="Under which licence it may be used.")
@click.option("--pii", help="Personal data of the whole: none, personal, sensitive, ...")
@click.option("--fresh-within", metavar="TIME", help="How old its content may be, such as 1d; '' for no expectation.")
@click.option("--link", "links", multiple=True, metavar="TITLE=ADDRESS", help="An address; may be repeated.")
@click.option("--column", "columns", multiple=True, metavar="NAME=TEXT", help="What a column is; may be repeated.")
@click.option("--column-pii", multiple=True, metavar="NAME=KIND", help="Personal data of a column, such as mail=mail.")
@workspace_options
def describe(
    workspace: Any,
    ref: str,
    description: str | None,
    licence: str | None,
    pii: str | None,
    fresh_within: str | None,
    links: tuple[str, ...],
    columns: tuple[str, ...],
    column_pii: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say what REF is. What is not given stays; '' takes back what was said."""
    found = workspace.catalog.describe(
        ref, description=description, licence=licence, pii=pii, fresh_within=fresh_within, links=_pairs(links),
        columns=_pairs(columns), column_pii=_pairs(column_pii),
    )  # fmt: skip
    print_json(found) if as_json else click.echo(f"Described {found.ref}.")


@catalog.command()
@click.argument("ref")
@click.argument("owner")
@workspace_options
def own(workspace: Any, ref: str, owner: str, as_json: bool) -> None:
    """Say that REF is OWNER's; '' takes it back."""
    found = workspace.catalog.own(ref, owner)
    print_json(found) if as_json else click.echo(f"{found.ref} is owned by {found.owner or 'nobody'}.")


@catalog.command()
@click.argument("ref")
@click.argument("tags", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.option("--remove", is_flag=True, help="Take the tags of these KEYs away.")
@workspace_options
def tag(workspace: Any, ref: str, tags: tuple[str, ...], remove: bool, as_json: bool) -> None:
    """Set tags of REF."""
    service = workspace.catalog
    found = service.untag(ref, [key.partition("=")[0] for key in tags]) if remove else service.tag(ref, _pairs(tags))
    print_json(found) if as_json else print_facts({found.ref: found.tags})


@catalog.command()
@click.argument("ref")
@_DEEP
@workspace_options
def usage(workspace: Any, ref: str, depth: int, as_json: bool) -> None:
    """List what is made with REF, nearest first: runs, features, models, deployments, jobs."""
    found = workspace.catalog.usage(ref, depth=depth)
    if as_json:
        print_json(found)
        return
    rows = [[use.ref, use.kind, use.relation, use.steps, use.through] for use in found]
    print_table(["used by", "kind", "how", "steps", "through"], rows, empty="Nothing uses it, as far as is known.")


@catalog.command()
@click.argument("ref")
@click.option("--down", is_flag=True, help="What came of it, in place of what it was made from.")
@click.option("--columns", is_flag=True, help="Column by column.")
@click.option("--column", default="", help="Only this column.")
@_DEEP
@workspace_options
def lineage(workspace: Any, ref: str, down: bool, columns: bool, column: str, depth: int, as_json: bool) -> None:
    """Draw what REF was made from as a tree, or with --down what came of it."""
    if columns or column:
        edges = workspace.catalog.column_lineage(ref, column=column, upstream=not down, depth=depth)
        if as_json:
            print_json(edges)
            return
        rows = [[f"{e.source} {e.source_column}", e.how, f"{e.target} {e.target_column}"] for e in edges]
        print_table(["from", "how", "to"], rows, empty="No columns are known on the way.")
        return
    found = workspace.catalog.lineage(ref, upstream=not down, depth=depth)
    if as_json:
        print_json(found)
        return
    root = ref if ":/" in ref else workspace.catalog.get(ref).ref
    for line in draw_tree(root, found, down=down):
        click.echo(line)
    if not found:
        click.echo("  Nothing is known of " + ("what came of it." if down else "what it was made from."))


@catalog.command()
@workspace_options
def rebuild(workspace: Any, as_json: bool) -> None:
    """Make every entry anew from what the rooms know. What people said stays."""
    count = workspace.catalog.rebuild()
    print_json({"entries": count}) if as_json else click.echo(f"{count:,} things are in the catalog.")


@catalog.command()
@click.argument("ref")
@workspace_options
def forget(workspace: Any, ref: str, as_json: bool) -> None:
    """Remove another tool's job or data set REF from the catalog; its lineage stays."""
    workspace.external.forget(ref)
    print_json({"forgotten": ref}) if as_json else click.echo("Forgotten.")


@catalog.command()
@click.option("--job", default="", help="Only of this job, such as jobs:/airflow/etl.")
@click.option("--limit", default=20, show_default=True, help="How many to show.")
@workspace_options
def jobs(workspace: Any, job: str, limit: int, as_json: bool) -> None:
    """List runs of other tools' jobs, the latest first."""
    found = workspace.external.list_runs(job, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [[run.job, run.state, run.started, run.ended, run.id, run.error] for run in found]
    print_table(["job", "state", "started", "ended", "run", "error"], rows, empty="No other tool told of a run.")


@catalog.group()
def access() -> None:
    """Ask for, grant and refuse access. It is recorded today and enforced once there are roles."""


@access.command("list")
@click.argument("ref", default="")
@click.option("--state", default="", help="Only requested, granted or refused.")
@click.option("--limit", default=50, show_default=True, help="How many to show.")
@workspace_options
def list_access(workspace: Any, ref: str, state: str, limit: int, as_json: bool) -> None:
    """List who asked for access, newest first."""
    found = workspace.catalog.list_access(ref, state=state, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [[a.id, a.ref, a.who, a.role, a.state, a.asked, a.by, a.until, a.reason] for a in found]
    print_table(["access", "to", "who", "role", "state", "asked", "answered by", "until", "why"], rows)


@access.command()
@click.argument("ref")
@click.argument("who")
@click.option("--role", default="reader", show_default=True, help="reader, writer or owner.")
@click.option("--reason", default="", help="Why.")
@workspace_options
def request(workspace: Any, ref: str, who: str, role: str, reason: str, as_json: bool) -> None:
    """Ask for WHO to be let use REF."""
    made = workspace.catalog.request_access(ref, who, role=role, reason=reason)
    print_json(made) if as_json else click.echo(f"Asked: {made.id}.")


@access.command()
@click.argument("id")
@click.option("--by", default="", help="Who grants it.")
@click.option("--note", default="", help="Why.")
@click.option("--until", default="", metavar="TIME", help="When it ends, such as 2027-01-01.")
@workspace_options
def grant(workspace: Any, id: str, by: str, note: str, until: str, as_json: bool) -> None:
    """Say yes to the wish of this ID."""
    found = workspace.catalog.grant_access(id, by=by, note=note, until=until)
    print_json(found) if as_json else click.echo(f"{found.who} is {found.role} of {found.ref}.")


@access.command()
@click.argument("id")
@click.option("--by", default="", help="Who refuses it.")
@click.option("--note", default="", help="Why.")
@workspace_options
def refuse(workspace: Any, id: str, by: str, note: str, as_json: bool) -> None:
    """Say no to the wish of this ID, or take a grant back."""
    found = workspace.catalog.refuse_access(id, by=by, note=note)
    print_json(found) if as_json else click.echo(f"{found.who} is not {found.role} of {found.ref}.")


def draw_tree(root: str, edges: Sequence[Any], *, down: bool) -> Iterator[str]:
    """The lines of a tree of edges; what stands there already is named, not drawn again."""
    under: dict[str, list[tuple[str, str]]] = {}
    for edge in edges:
        near, far = (edge.source, edge.target) if down else (edge.target, edge.source)
        under.setdefault(near, []).append((far, edge.relation))
    drawn = {root}
    yield root
    # By hand, since a chain may be longer than Python's stack.
    stack = [iter(_branches(under.get(root, []), ""))]
    while stack:
        step = next(stack[-1], None)
        if step is None:
            stack.pop()
            continue
        name, line, indent = step
        again = name in drawn and name in under
        yield line + (" ..." if again else "")
        if not again:
            drawn.add(name)
            stack.append(iter(_branches(under.get(name, []), indent)))


def _branches(ends: Sequence[tuple[str, str]], indent: str) -> Iterator[tuple[str, str, str]]:
    for place, (name, relation) in enumerate(ends):
        is_last = place == len(ends) - 1
        sign, rest = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        yield name, f"{indent}{sign}{name}  ({relation})", indent + rest


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise InvalidInput(f"'{pair[:60]}' is no pair.", hint="Write it as NAME=TEXT.")
        pairs[key] = value
    return pairs


def _freshness(freshness: Any) -> str:
    if freshness is None:
        return ""
    age = format_duration(timedelta(seconds=int(freshness.age_seconds)))
    if not freshness.expected_seconds:
        return f"{age} old"
    wanted = format_duration(timedelta(seconds=freshness.expected_seconds))
    return f"{age} old, {'within' if freshness.is_fresh else 'over'} the {wanted} that are expected"


def _badge(badge: Any) -> str:
    return "" if badge is None else f"{badge.state} at {badge.at:%Y-%m-%d %H:%M}: {badge.summary}"
