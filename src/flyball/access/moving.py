"""Takes one project out of a workspace as a folder, and into another one: rows, files, features, by the means of a backup.

Members and tokens stay behind: they are the workspace's, and mean nothing in another.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from flyball.access.places import sources_of
from flyball.access.projects import Project, Projects
from flyball.access.removing import remove_places
from flyball.errors import InvalidInput, NotFound
from flyball.settings import HOME, Settings
from flyball.storage.backup.making import find_backup, make_backup
from flyball.storage.backup.nouns import Backup
from flyball.storage.backup.restoring import Place, restore_backup
from flyball.storage.database import Database
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import open_objects
from flyball.storage.upgrades import upgrade

Tell = Callable[[int, int], None]


def export_project(home: Settings, name: str, to: Path, *, tell: Tell = lambda *_: None) -> Backup:
    """Writes all that a project holds into a folder, while work in it goes on.

    Args:
        home: The settings of the workspace.
        to: The folder; it is made, or empty.

    Raises:
        NotFound: there is no such project.
        InvalidInput: the folder holds something.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InvalidInput(f"{to} is not an empty folder.", hint="Choose another one.")
    if name == HOME:
        raise InvalidInput(f"'{HOME}' is the workspace itself, with its accounts.", hint="Use `flyball backup create`.")
    with sources_of(home) as sources, tempfile.TemporaryDirectory(prefix=".export-", dir=home.workspace) as scratch:
        wanted = [source for source in sources if source.project == name]
        if not wanted:
            raise NotFound(f"There is no project '{name[:60]}'.", hint="`flyball projects list` shows them.")
        return make_backup(wanted, LocalObjects(to), scratch=Path(scratch), progress=tell)


def import_project(
    projects: Projects, home: Settings, name: str, source: Path, *, title: str = "", tell: Tell = lambda *_: None
) -> Project:
    """Makes a project of what was exported; each byte is checked against its digest. For who looks after the instance.

    Args:
        projects: The projects of the workspace that it comes to.
        home: The settings of that workspace.
        name: What it is called here.

    Raises:
        AlreadyExists: there is a project of that name.
        NotFound: the folder holds no exported project.
        Corrupt: something in it is damaged; no project is made then.
    """
    if not source.is_dir():
        raise NotFound(f"There is no folder {source}.")
    store = LocalObjects(source)
    found = find_backup(store)
    if len(found.projects) != 1:
        raise InvalidInput(f"{source} holds a whole workspace.", hint="Use `flyball backup restore`.")
    projects.create(name, title)
    own, _ = projects.settings_of(name)
    try:
        # Its places were made empty with it, and are now made of what was exported.
        projects.close(name)
        remove_places(home, own)
        own.workspace.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".import-", dir=home.workspace) as scratch:
            restore_backup(store, found, lambda *_: _place_of(own), scratch=Path(scratch), progress=tell)
        database = Database(own.database, connections=1)
        try:
            upgrade(database)
        finally:
            database.close()
    except BaseException:
        projects.delete(name, name, grace_days=0)
        projects.purge()
        raise
    return projects.get(name)


def _place_of(own: Settings) -> Place:
    store = open_objects(own.objects, s3_endpoint=own.s3_endpoint, s3_region=own.s3_region)
    scheme, _, path = own.online.partition(":///")
    return Place(database=own.database, store=store, files={"online": Path(path)} if scheme == "sqlite" else {})
