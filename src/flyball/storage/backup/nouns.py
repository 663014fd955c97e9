"""What a backup is made of, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from flyball.storage.database import Database
from flyball.storage.object_store import ObjectStore

BLOBS = "blobs/"
MANIFESTS = "backups/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One project, as a backup takes it.

    Attributes:
        project: Its name.
        database: Its rows.
        store: Its bytes.
        files: Further SQLite files of it, by a name.
    """

    project: str
    database: Database
    store: ObjectStore
    files: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCopy:
    """A database as one SQLite file, cut into pieces: what has not changed since the last backup is not kept twice.

    Attributes:
        pieces: Digests of its pieces, in their order.
        size: Bytes.
        revision: Revision of its tables; empty where it has none.
    """

    pieces: tuple[str, ...]
    size: int
    revision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectCopy:
    """What a backup holds of one project.

    Attributes:
        project: Its name.
        dialect: Where its rows stood: `sqlite` or `postgresql`.
        database: Its rows.
        files: Its further databases, by their names.
        list: Digest of the list of its objects.
        objects: How many these are.
        size: Their bytes.
    """

    project: str
    dialect: str
    database: FileCopy
    files: dict[str, FileCopy]
    list: str
    objects: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One backup.

    Attributes:
        id: Its name; later ones sort after earlier ones.
        created: When its rows were read.
        release: The release of Flyball that made it.
        projects: What it holds.
        written: Bytes that were not in the place of backups yet.
        seconds: How long it took.
        damaged: Objects whose bytes were damaged already when they were copied, as `project: key`; they are not in it.
    """

    id: str
    created: datetime
    release: str
    projects: tuple[ProjectCopy, ...]
    written: int
    seconds: float
    damaged: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all that it holds, wherever else that is held too."""
        return sum(
            one.size + one.database.size + sum(file.size for file in one.files.values()) for one in self.projects
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One object, as the list in a backup has it.

    Attributes:
        etag: What the store called its present bytes; equal ones need not be read again.
    """

    key: str
    digest: str
    size: int
    etag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a look through a backup found.

    Attributes:
        id: The backup.
        objects: How many objects it holds.
        size: Bytes that were looked at.
        missing: What is not there, each as `project: key`.
        damaged: What is there with other bytes.
        rows: What is wrong with the databases.
    """

    id: str
    objects: int
    size: int
    missing: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether all can be restored from it."""
        return not (self.missing or self.damaged or self.rows)
