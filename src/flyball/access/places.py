"""Where the projects of a workspace are kept: what a backup copies, what it is brought back to, and what is looked through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from flyball.access import _projects_store as table
from flyball.access.project_settings import settings_of
from flyball.access.stores import Stores
from flyball.clock import SystemClock
from flyball.errors import NotFound
from flyball.settings import HOME, Settings
from flyball.storage.backup.nouns import Source
from flyball.storage.backup.restoring import Place
from flyball.storage.database import Database
from flyball.storage.object_store import ObjectStore
from flyball.storage.objects import open_objects
from flyball.storage.upgrades import revision

_ONLINE = "online"


def every_project(home: Settings, database: Database) -> list[Settings]:
    """The settings of the workspace itself and of each further project in it.

    Args:
        home: The settings of the workspace.
        database: Its database, or a copy of it; one of an earlier release knows no further projects.
    """
    found = [home]
    if revision(database) and sa.inspect(database.engine).has_table(table.projects.name):
        stores = Stores(database, SystemClock())
        for row in database.rows(table.select().where(table.projects.c.state != "removing")):
            store = stores.get(row.store, with_secrets=True) if row.store else None
            found.append(settings_of(home, row.name, store))
    return found


@contextmanager
def sources_of(home: Settings) -> Iterator[Sequence[Source]]:
    """All projects of a workspace, to be copied.

    Raises:
        NotFound: there is no workspace.
    """
    home = replace(home, project=HOME)  # all of them, whichever one works in
    database = _existing(home)
    opened = [database]
    try:
        sources = []
        for settings in every_project(home, database):
            own = database if settings is home else Database(settings.database, connections=1)
            opened.append(own)
            sources.append(
                Source(project=settings.project, database=own, store=_objects(settings), files=_files(settings))
            )
        yield sources
    finally:
        for one in opened:
            one.close()


def places_of(home: Settings) -> Callable[[str, Path], Place]:
    """Says where each project of a backup is brought back to.

    The second argument of what it gives is a copy of the workspace's own database, which knows in which store a project is.
    """

    home = replace(home, project=HOME)

    def place(project: str, copy: Path) -> Place:
        settings = home
        if project != HOME:
            database = Database(f"sqlite:///{copy}", connections=1)
            try:
                known = {one.project: one for one in every_project(home, database)}
            finally:
                database.close()
            settings = known.get(project) or settings_of(home, project, None)
        return Place(database=settings.database, store=_objects(settings), files=_files(settings))

    return place


def _existing(home: Settings) -> Database:
    database = Database(home.database, connections=1)
    path = Path(str(database.url.database))
    if (database.dialect.name == "sqlite" and not path.is_file()) or not revision(database):
        shown = database.url.render_as_string(hide_password=True)
        database.close()
        raise NotFound(f"There is no workspace at {shown}.", hint="Choose another with --workspace.")
    return database


def _objects(settings: Settings) -> ObjectStore:
    return open_objects(settings.objects, s3_endpoint=settings.s3_endpoint, s3_region=settings.s3_region)


def _files(settings: Settings) -> dict[str, Path]:
    """SQLite files of a project beside its database: the online features, where they are kept in one."""
    scheme, _, path = settings.online.partition(":///")
    return {_ONLINE: Path(path)} if scheme == "sqlite" and path else {}
