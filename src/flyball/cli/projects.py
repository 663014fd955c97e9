"""`flyball projects`: projects of a workspace, and what is found in all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flyball.cli.data_versions import progress_bar
from flyball.cli.output import plain, print_facts, print_json, print_table, workspace_options
from flyball.errors import InvalidInput
from flyball.settings import Settings

_UNITS = {"k": 10, "m": 20, "g": 30, "t": 40}


@click.group()
def projects() -> None:
    """Projects: workspaces of their own in a workspace, each with its own members."""


@projects.command("list")
@click.option("--state", type=click.Choice(["active", "archived", "deleted"]), help="Only those in that state.")
@workspace_options
def list_projects(workspace: Any, state: str | None, as_json: bool) -> None:
    """List the projects that you may enter."""
    found = workspace.projects.list(state or "")
    if as_json:
        print_json(found)
        return
    rows = [[p.name, p.title, p.state, p.role, p.residency, p.stored_bytes, p.trouble] for p in found]
    print_table(["project", "title", "state", "your role", "residency", "bytes", "trouble"], rows)


@projects.command()
@click.argument("name")
@workspace_options
def show(workspace: Any, name: str, as_json: bool) -> None:
    """Show the project NAME."""
    found = workspace.projects.get(name)
    print_json(found) if as_json else print_facts(plain(found))


@projects.command()
@click.argument("name")
@click.option("--title", default="", help="A name for people.")
@click.option("--description", default="", help="What it is for.")
@click.option("--owner", default="", help="The account that owns it; by default yours.")
@click.option("--store", default="", help="The store to keep it in; see `flyball projects stores`.")
@click.option("--residency", default="", help="Where its data must stay, such as eu.")
@click.option("--most", "most_bytes", default="", metavar="SIZE", help="How much it may keep in files, such as 50G.")
@workspace_options
def create(workspace: Any, name: str, as_json: bool, most_bytes: str, **given: str) -> None:
    """Make a project NAME."""
    found = workspace.projects.create(name, **given, most_bytes=_size(most_bytes))
    if as_json:
        print_json(found)
        return
    click.echo(
        f"The project '{name}' is there. Work in it with `flyball --project {name} ...` or FLYBALL_PROJECT={name}."
    )


@projects.command()
@click.argument("name")
@click.option("--title", help="A name for people.")
@click.option("--description", help="What it is for.")
@click.option("--residency", help="Where its data must stay, such as eu.")
@click.option(
    "--most", "most_bytes", metavar="SIZE", help="How much it may keep in files, such as 50G; 0 for no limit."
)
@workspace_options
def change(
    workspace: Any, name: str, title: str | None, description: str | None, residency: str | None,
    most_bytes: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Change what is said of the project NAME."""
    size = None if most_bytes is None else _size(most_bytes)
    found = workspace.projects.update(name, title, description, residency, size)
    print_json(found) if as_json else print_facts(plain(found))


@projects.command()
@click.argument("name")
@workspace_options
def archive(workspace: Any, name: str, as_json: bool) -> None:
    """Let the project NAME be read, and no longer changed; its loops and models rest."""
    found = workspace.projects.archive(name)
    print_json(found) if as_json else click.echo(
        f"'{name}' is archived; `flyball projects unarchive {name}` undoes it."
    )


@projects.command()
@click.argument("name")
@workspace_options
def unarchive(workspace: Any, name: str, as_json: bool) -> None:
    """Let the archived project NAME be changed again."""
    found = workspace.projects.unarchive(name)
    print_json(found) if as_json else click.echo(f"'{name}' is active again.")


@projects.command()
@click.argument("name")
@click.option("--confirm", metavar="NAME", help="The name once more, where nobody can be asked.")
@click.option("--grace", "grace_days", default=7.0, show_default=True, help="For how many days it can be brought back.")
@workspace_options
def delete(workspace: Any, name: str, confirm: str | None, grace_days: float, as_json: bool) -> None:
    """Close the project NAME; what it holds is removed when its days of grace are over."""
    workspace.projects.get(name)
    if confirm is None:
        confirm = click.prompt(f"Everything in '{name}' will be removed. Write its name to go on", default="")
    found = workspace.projects.delete(name, confirm, grace_days)
    if as_json:
        print_json(found)
        return
    click.echo(
        f"'{name}' is closed. `flyball projects restore {name}` brings it back until {found.gone_after:%Y-%m-%d %H:%M}."
    )


@projects.command()
@click.argument("name")
@workspace_options
def restore(workspace: Any, name: str, as_json: bool) -> None:
    """Bring the deleted project NAME back."""
    found = workspace.projects.restore(name)
    print_json(found) if as_json else click.echo(f"'{name}' is back, {found.state}.")


@projects.command("export")
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@workspace_options
def export_(workspace: Any, name: str, folder: Path, as_json: bool) -> None:
    """Write all that the project NAME holds into an empty FOLDER, while work in it goes on."""
    from flyball.access.moving import export_project

    home = _home_of(workspace)
    with progress_bar("copying", hidden=as_json) as tell:
        made = export_project(home, name, folder, tell=tell)
    if as_json:
        print_json({"project": name, "folder": str(folder), "objects": made.projects[0].objects, "size": made.size})
    else:
        click.echo(f"'{name}' is in {folder}: {made.projects[0].objects:,} files, {made.size:,} bytes with its rows.")


@projects.command("import")
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--title", default="", help="A name for people.")
@workspace_options
def import_(workspace: Any, name: str, folder: Path, title: str, as_json: bool) -> None:
    """Make a project NAME of what was exported to FOLDER. Members do not come along."""
    from flyball.access.moving import import_project

    home = _home_of(workspace)
    with progress_bar("restoring", hidden=as_json) as tell:
        found = import_project(workspace.projects, home, name, folder, title=title, tell=tell)
    print_json(found) if as_json else click.echo(f"The project '{name}' is there, with all that was exported.")


@projects.command()
@workspace_options
def purge(workspace: Any, as_json: bool) -> None:
    """Remove deleted projects whose days of grace are over. A server does this by itself."""
    names = workspace.projects.purge()
    print_json({"removed": names}) if as_json else click.echo(f"Removed: {', '.join(names) or 'none'}.")


@projects.command()
@workspace_options
def stores(workspace: Any, as_json: bool) -> None:
    """List the stores that projects may be kept in."""
    found = workspace.projects.list_stores()
    if as_json:
        print_json(found)
        return
    rows = [[one.name, one.database, one.objects, one.residency] for one in found]
    print_table(["store", "database", "objects", "residency"], rows)


@projects.command("add-store")
@click.argument("name")
@click.option("--database", default="", help="SQLAlchemy's address; by default the workspace's own.")
@click.option("--objects", default="", help="A folder, or s3://bucket/prefix; by default the workspace's own.")
@click.option("--s3-endpoint", default="", help="Address of the S3 service, where it is not Amazon's.")
@click.option("--s3-region", default="", help="Region of the bucket.")
@click.option("--residency", default="", help="Where it stands, such as eu.")
@workspace_options
def add_store(workspace: Any, name: str, as_json: bool, **given: str) -> None:
    """Name a place, NAME, that projects may be kept in."""
    found = workspace.projects.add_store(name, **given)
    print_json(found) if as_json else print_facts(plain(found))


@projects.command("remove-store")
@click.argument("name")
@workspace_options
def remove_store(workspace: Any, name: str, as_json: bool) -> None:
    """Forget the store NAME; no project may be kept in it."""
    workspace.projects.remove_store(name)
    print_json({"removed": name}) if as_json else click.echo(f"The store '{name}' is forgotten.")


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", default=20, show_default=True, help="How many of each project.")
@workspace_options
def search(workspace: Any, words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find what has a name that holds the WORDS, in all projects that you may enter."""
    found = workspace.projects.search(" ".join(words), limit)
    if as_json:
        print_json(found)
        return
    rows = [[one.project, one.kind, one.title, one.ref, one.note] for one in found]
    print_table(["project", "kind", "name", "reference", "note"], rows, empty="Nothing has that name.")


def _home_of(workspace: Any) -> Settings:
    settings: Settings = workspace.settings
    if settings.url:
        raise InvalidInput(
            "Projects are exported and imported where they are kept.", hint="Run it on the server's machine."
        )
    return settings.home or settings


def _size(text: str) -> int | None:
    """Bytes of `50G`, `200M`, `1000`; None for an empty text."""
    if not text:
        return None
    number, unit = (text[:-1], text[-1].lower()) if text[-1].isalpha() else (text, "")
    if not number.isdecimal() or (unit and unit not in _UNITS):
        raise InvalidInput(f"'{text}' is no size.", hint="Write it as 50G, 200M or a number of bytes.")
    return int(number) << _UNITS.get(unit, 0)
