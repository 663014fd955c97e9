"""`flyball backup`: copies of the workspace that it can be made again from."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flyball.cli.data_versions import progress_bar
from flyball.cli.output import plain, print_facts, print_json, print_table
from flyball.errors import InvalidInput
from flyball.settings import Settings, load_settings

if TYPE_CHECKING:
    from flyball.storage.backup.nouns import Backup
    from flyball.storage.object_store import ObjectStore

_to = click.option(
    "--to", "place", metavar="PLACE", envvar="FLYBALL_BACKUPS",
    help="Folder or s3://bucket/prefix that holds the backups; by default FLYBALL_BACKUPS.",
)  # fmt: skip
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
_workspace = click.option("--workspace", "folder", metavar="DIR", help="Folder of the workspace (default .flyball).")


@click.group()
def backup() -> None:
    """Copies of the workspace that it can be made again from: rows and bytes of all its projects.

    Keys are not in them: keep the files of `signing_key` and of the key for secrets elsewhere.
    """


@backup.command()
@_to
@_workspace
@_json
def create(place: str | None, folder: str | None, as_json: bool) -> int:
    """Make a backup; nobody need stop working. What has not changed since the last one is not copied again."""
    from flyball.access.places import sources_of
    from flyball.storage.backup.making import make_backup

    settings = load_settings({"workspace": folder})
    target = _open(place, settings)
    with (
        sources_of(settings) as sources,
        _scratch(settings) as scratch,
        progress_bar("copying", hidden=as_json) as progress,
    ):
        made = make_backup(sources, target, scratch=Path(scratch), progress=progress)
    if as_json:
        print_json({**plain(made), "size": made.size})
    else:
        print_facts(_facts(made))
        for what in made.damaged:
            click.echo(f"Damaged already, and not in the backup: {what}", err=True)
    return 1 if made.damaged else 0


@backup.command(name="list")
@_to
@_json
def list_(place: str | None, as_json: bool) -> None:
    """List the backups, the newest first."""
    from flyball.storage.backup.making import list_backups

    found = list_backups(_open(place, load_settings()))
    if as_json:
        print_json([{**plain(one), "size": one.size} for one in found])
        return
    print_table(
        ["id", "created", "release", "projects", "objects", "size", "written", "seconds"],
        [
            [one.id, one.created, one.release, [project.project for project in one.projects],
             sum(project.objects for project in one.projects), _bytes(one.size), _bytes(one.written), one.seconds]
            for one in found
        ],
        empty="There is none yet: flyball backup create",
    )  # fmt: skip


@backup.command()
@click.argument("id", default="latest")
@_to
@click.option("--quick", is_flag=True, help="Only whether all is there, without reading it.")
@_json
def verify(id: str, place: str | None, quick: bool, as_json: bool) -> int:
    """Read all of a backup and check it: every byte, and the databases as databases."""
    from flyball.storage.backup.checking import verify_backup
    from flyball.storage.backup.making import find_backup

    settings = load_settings()
    target = _open(place, settings)
    with _scratch(settings) as scratch, progress_bar("reading", hidden=as_json) as progress:
        found = verify_backup(target, find_backup(target, id), scratch=Path(scratch), quick=quick, progress=progress)
    if as_json:
        print_json({**plain(found), "is_whole": found.is_whole})
    else:
        for word, items in (("Missing", found.missing), ("Damaged", found.damaged), ("Wrong", found.rows)):
            for item in items:
                click.echo(f"{word}: {item}")
        verdict = "is whole" if found.is_whole else "is NOT whole"
        click.echo(f"Backup {found.id} {verdict}: {found.objects:,} objects, {_bytes(found.size)} looked at.")
    return 0 if found.is_whole else 1


@backup.command()
@click.argument("id", default="latest")
@_to
@_workspace
@_json
def restore(id: str, place: str | None, folder: str | None, as_json: bool) -> None:
    """Bring a backup back into an empty workspace, checking every byte on the way.

    Where the settings name another database or bucket than the one that was copied, the rows go there: a workspace on SQLite
    is brought to PostgreSQL in this way, and back.
    """
    from flyball.access.places import places_of
    from flyball.storage.backup.making import find_backup
    from flyball.storage.backup.restoring import restore_backup

    settings = load_settings({"workspace": folder})
    source = _open(place, settings)
    found = find_backup(source, id)
    settings.workspace.mkdir(parents=True, exist_ok=True)
    with _scratch(settings) as scratch, progress_bar("restoring", hidden=as_json) as progress:
        size = restore_backup(source, found, places_of(settings), scratch=Path(scratch), progress=progress)
    if as_json:
        print_json({"id": found.id, "workspace": str(settings.workspace), "size": size})
        return
    click.echo(f"Backup {found.id} is restored to {settings.workspace}: {_bytes(size)}, all checked.")
    click.echo("Put the files of the signing key and of the key for secrets back too, then run `flyball doctor`.")


@backup.command()
@_to
@click.option("--keep", type=int, required=True, help="How many of the newest to keep.")
@_json
def prune(place: str | None, keep: int, as_json: bool) -> None:
    """Remove all but the newest backups, and the bytes that only they held."""
    from flyball.storage.backup.checking import prune_backups

    removed, freed = prune_backups(_open(place, load_settings()), keep)
    if as_json:
        print_json({"removed": [one.id for one in removed], "freed": freed})
    else:
        click.echo(f"{len(removed)} backups removed, {_bytes(freed)} freed.")


def _open(place: str | None, settings: Settings) -> ObjectStore:
    from flyball.storage.objects import open_objects

    if not place:
        raise InvalidInput("It is not said where the backups are.", hint="Give --to PLACE, or set FLYBALL_BACKUPS.")
    if "://" not in place:
        place = str(Path(place).expanduser().resolve())
        if Path(place).is_relative_to(settings.workspace.resolve()):
            raise InvalidInput("A backup inside the workspace would be lost with it.", hint="Choose a place elsewhere.")
    return open_objects(place, s3_endpoint=settings.s3_endpoint, s3_region=settings.s3_region)


def _scratch(settings: Settings) -> tempfile.TemporaryDirectory[str]:
    # Not the folder for temporary files: that is memory on many machines, and small.
    settings.workspace.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=".backup-", dir=settings.workspace)


def _facts(made: Backup) -> dict[str, object]:
    return {
        "id": made.id,
        "projects": [project.project for project in made.projects],
        "objects": sum(project.objects for project in made.projects),
        "size": _bytes(made.size),
        "written": _bytes(made.written),
        "seconds": made.seconds,
    }


def _bytes(size: int) -> str:
    for unit, factor in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << factor:
            return f"{size / (1 << factor):,.1f} {unit}"
    return f"{size} B"
