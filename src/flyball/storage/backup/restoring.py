"""Bringing a backup back, into an empty place.

Bytes come first and the rows last: a restore that was broken off has no database, and is begun again; what it had copied already is
looked at and taken.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flyball.errors import Conflict, Corrupt
from flyball.storage.backup import rows
from flyball.storage.backup.checking import write_file
from flyball.storage.backup.making import objects_of
from flyball.storage.backup.nouns import BLOBS, Backup, FileCopy, Kept, ProjectCopy
from flyball.storage.database import Database
from flyball.storage.object_store import ObjectStore
from flyball.storage.objects import Blobs
from flyball.storage.upgrades import HEAD, revision

Progress = Callable[[int, int], None]
_SMALL = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a project is brought back to.

    Attributes:
        database: Address of its database, which is not there or has no tables yet.
        store: Where its bytes go.
        files: Where its further databases go, by their names; one without a place is left out.
    """

    database: str
    store: ObjectStore
    files: Mapping[str, Path] = field(default_factory=dict)


def restore_backup(
    source: ObjectStore, backup: Backup, place: Callable[[str, Path], Place], *, scratch: Path,
    progress: Progress = lambda *_: None,
) -> int:  # fmt: skip
    """Brings a backup back, and checks every byte on the way; gives how many bytes that were.

    Args:
        place: Where the project of that name goes; it is given a copy of the first one's database, which knows of the others.
        scratch: Folder for databases on their way.

    Raises:
        Conflict: a place is not empty, or the backup is of a later release.
        Corrupt: something in the backup is damaged; nothing is in use of what was copied so far.
        NotFound: something in the backup is missing.
    """
    with tempfile.TemporaryDirectory(prefix="flyball-restore-", dir=scratch) as folder:
        first = Path(folder) / "first.db"
        write_file(Blobs(source), backup.projects[0].database, first)
        places = {project.project: place(project.project, first) for project in backup.projects}
    for project in backup.projects:
        _refuse_used(places[project.project], project)
    restoring = _Restoring(source, backup, progress)
    for project in backup.projects:
        restoring.objects(project, places[project.project])
    for project in backup.projects:
        restoring.databases(project, places[project.project], scratch)
    return restoring.done


def _refuse_used(place: Place, project: ProjectCopy) -> None:
    if project.database.revision > HEAD:
        raise Conflict(
            f"The backup is at revision {project.database.revision}, this release of Flyball knows {HEAD}.",
            hint="Install the release that made it, or a newer one.",
        )
    database = Database(place.database, connections=1)
    try:
        path = Path(str(database.url.database))
        is_there = path.exists() if database.dialect.name == "sqlite" else True
        if is_there and revision(database):
            shown = database.url.render_as_string(hide_password=True)
            raise Conflict(
                f"There is a workspace at {shown} already.", hint="Restore into an empty one: --workspace DIR."
            )
    finally:
        database.close()


class _Restoring:
    def __init__(self, source: ObjectStore, backup: Backup, progress: Progress) -> None:
        self.done = 0
        self._kept = Blobs(source)
        self._total = backup.size
        self._progress = progress

    def objects(self, project: ProjectCopy, place: Place) -> None:
        """Brings the objects of a project back."""
        here = {item.key: item.size for item in place.store.list("")}
        into = Blobs(place.store)
        together: list[Kept] = []
        waiting = 0
        for item in objects_of(self._kept, project):
            if not (item.key.startswith(BLOBS) and item.size <= _SMALL):
                self._one(item, place, here)
                self._tell(item.size)
                continue
            together.append(item)
            waiting += item.size
            if waiting > _SMALL * 16 or len(together) == 1000:
                self._many(together, into)
                together, waiting = [], 0
        self._many(together, into)

    def databases(self, project: ProjectCopy, place: Place, scratch: Path) -> None:
        """Brings the rows of a project back; with these it is there."""
        for name, copy in project.files.items():
            if name in place.files:
                place.files[name].parent.mkdir(parents=True, exist_ok=True)
                self._file(copy, place.files[name], f"{project.project}: {name}")
        database = Database(place.database, connections=1)
        try:
            if database.dialect.name == "sqlite":
                self._file(project.database, Path(str(database.url.database)), f"{project.project}: database")
                return
            with tempfile.TemporaryDirectory(prefix="flyball-restore-", dir=scratch) as folder:
                copy_of_rows = Path(folder) / "copy.db"
                self._file(project.database, copy_of_rows, f"{project.project}: database")
                rows.import_rows(copy_of_rows, database)
        finally:
            database.close()

    def _one(self, item: Kept, place: Place, here: Mapping[str, int]) -> None:
        data = self._kept.path(item.digest) if item.size > _SMALL else self._kept.get(item.digest)
        if (
            not item.key.startswith(BLOBS)
            and item.key in here
            and place.store.get(item.key) != self._kept.get(item.digest)
        ):
            raise Conflict(f"There is another object '{item.key}' in that place.", hint="Restore into an empty one.")
        if isinstance(data, Path) and item.key.startswith(BLOBS):
            Blobs(place.store).put_file(data, expected=item.digest)
        elif item.key not in here:
            place.store.put(item.key, data)

    def _many(self, items: list[Kept], into: Blobs) -> None:
        if items:
            into.put_many(self._kept.get_many([item.digest for item in items]))
            self._tell(sum(item.size for item in items))

    def _file(self, copy: FileCopy, path: Path, what: str) -> None:
        """Puts a database together and looks at it before it counts."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.restoring")
        fresh.unlink(missing_ok=True)
        write_file(self._kept, copy, fresh)
        found = rows.problems(fresh)
        if found:
            fresh.unlink()
            raise Corrupt(f"{what} in the backup is damaged: {found[0]}.", hint="Restore another backup.")
        _sync(fresh)
        for ending in ("-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        fresh.replace(path)
        _sync(path.parent)
        self._tell(copy.size)

    def _tell(self, size: int) -> None:
        self.done += size
        self._progress(self.done, self._total)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
