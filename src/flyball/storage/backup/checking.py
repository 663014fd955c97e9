"""Whether all that a backup holds is there and undamaged; and the end of old ones."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from flyball.errors import Corrupt, FlyballError, InvalidInput, NotFound
from flyball.storage.backup import rows
from flyball.storage.backup.lock import Lock
from flyball.storage.backup.making import list_backups, objects_of
from flyball.storage.backup.nouns import BLOBS, MANIFESTS, Backup, Checked, FileCopy, ProjectCopy
from flyball.storage.object_store import ObjectStore
from flyball.storage.objects import Blobs

Progress = Callable[[int, int], None]


def verify_backup(
    target: ObjectStore, backup: Backup, *, scratch: Path, quick: bool = False, progress: Progress = lambda *_: None
) -> Checked:
    """Looks through a backup: every byte, and the databases as databases.

    Args:
        quick: Only whether all is there with its size, without reading it.
    """
    looking = _Looking(target, backup, quick, progress)
    for project in backup.projects:
        looking.objects(project)
        looking.database(project, "database", project.database, scratch)
        for name, file in project.files.items():
            looking.database(project, name, file, scratch)
    return Checked(
        id=backup.id, objects=looking.count, size=looking.size, missing=tuple(looking.missing), damaged=tuple(looking.damaged),
        rows=tuple(looking.rows),
    )  # fmt: skip


def write_file(kept: Blobs, copy: FileCopy, path: Path) -> None:
    """Puts a database together again.

    Raises:
        NotFound: a piece is missing.
        Corrupt: a piece is damaged.
    """
    with path.open("xb") as file:
        for piece in copy.pieces:
            file.write(kept.get(piece))


def prune_backups(target: ObjectStore, keep: int) -> tuple[list[Backup], int]:
    """Removes all but the newest backups, and the bytes that only they held; gives the removed ones and how many bytes.

    Raises:
        InvalidInput: none would be left.
        Conflict: a backup is being written there.
    """
    if keep < 1:
        raise InvalidInput(f"{keep} backups cannot be kept.", hint="Keep one at least.")
    with Lock(target) as lock:
        known = list_backups(target)
        kept, old = known[:keep], known[keep:]
        needed = _needed(Blobs(target), kept)
        for backup in old:  # first what names the bytes, so that a backup is whole or not there
            target.delete(f"{MANIFESTS}{backup.id}.json")
        freed = 0
        for item in list(target.list(BLOBS)) if old else ():
            if item.key.rpartition("/")[2] not in needed:
                target.delete(item.key)
                freed += item.size
                lock.hold()
    return old, freed


def _needed(kept: Blobs, backups: list[Backup]) -> set[str]:
    needed: set[str] = set()
    for project in (project for backup in backups for project in backup.projects):
        needed.add(project.list)
        needed.update(item.digest for item in objects_of(kept, project))
        for copy in (project.database, *project.files.values()):
            needed.update(copy.pieces)
    return needed


class _Looking:
    def __init__(self, target: ObjectStore, backup: Backup, quick: bool, progress: Progress) -> None:
        self.missing: list[str] = []
        self.damaged: list[str] = []
        self.rows: list[str] = []
        self.count = self.size = 0
        self._kept = Blobs(target)
        self._there = {item.key.rpartition("/")[2]: item.size for item in target.list(BLOBS)}
        self._right: set[str] = set()
        self._quick = quick
        self._progress = progress
        self._total = backup.size

    def objects(self, project: ProjectCopy) -> None:
        """Looks at the objects of a project."""
        try:
            listed = objects_of(self._kept, project)
        except (NotFound, Corrupt):
            self.damaged.append(f"{project.project}: the list of objects")
            return
        for item in listed:
            self.count += 1
            self._look(f"{project.project}: {item.key}", item.digest, item.size)

    def database(self, project: ProjectCopy, name: str, copy: FileCopy, scratch: Path) -> None:
        """Looks at a database."""
        before = len(self.missing) + len(self.damaged)
        if self._quick:
            for place, piece in enumerate(copy.pieces):
                self._look(f"{project.project}: piece {place + 1} of {name}", piece, self._there.get(piece, 0))
            return
        with tempfile.TemporaryDirectory(prefix="flyball-backup-", dir=scratch) as folder:
            path = Path(folder) / "copy.db"
            try:
                write_file(self._kept, copy, path)
            except NotFound:
                self.missing.append(f"{project.project}: {name}")
            except Corrupt:
                self.damaged.append(f"{project.project}: {name}")
            if before == len(self.missing) + len(self.damaged):
                self.rows += [f"{project.project}: {name}: {problem}" for problem in rows.problems(path)]
            self._add(copy.size)

    def _look(self, what: str, name: str, size: int) -> None:
        if self._there.get(name) is None:
            self.missing.append(what)
        elif self._there[name] != size or not (self._quick or self._is_right(name)):
            self.damaged.append(what)
        self._add(size)

    def _is_right(self, name: str) -> bool:
        if name not in self._right:
            try:
                if self._there[name] > 64 << 20:
                    with tempfile.TemporaryDirectory(prefix="flyball-backup-") as folder:
                        self._kept.copy_to(name, Path(folder) / "blob")
                else:
                    self._kept.get(name)
            except FlyballError:
                return False
            self._right.add(name)
        return True

    def _add(self, size: int) -> None:
        self.size += size
        self._progress(self.size, self._total)
