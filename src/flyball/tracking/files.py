"""Files that belong to no run, such as those of models that were logged: names for bytes that are kept under their digest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import NotFound
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import _store, limits
from flyball.tracking._run_rows import below, file_row
from flyball.verbs import change, read

_table = _store.files


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A name in a folder, for bytes that are kept under their digest."""

    folder: str
    name: str
    digest: str
    size: int
    created: datetime


class Files:
    """Keeps files in folders, such as `logged-models/m-123`."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @change
    def put(self, folder: str, name: str, digest: str, size: int) -> File:
        """Notes a file; the bytes are kept already. One of the same name is replaced.

        Args:
            folder: A plain text, such as `traces/tr-1`.
            name: Relative path in it, such as `model/weights.bin`.
            digest: Digest of the bytes.

        Raises:
            InvalidInput: the folder, name, digest or size cannot be used.
        """
        row = {"folder": limits.check_folder(folder), **file_row(name, digest, size), "created": self._clock.now()}
        insert = self._database.insert(_table).values(row)
        changed = {column: insert.excluded[column] for column in ("digest", "size", "created")}
        self._database.execute(insert.on_conflict_do_update(index_elements=["folder", "name"], set_=changed))
        return File(**row)

    @read
    def get(self, folder: str, name: str) -> File:
        """One file.

        Raises:
            NotFound: there is none.
        """
        row = self._database.row(sa.select(_table).where(_table.c.folder == folder, _table.c.name == name))
        if row is None:
            raise NotFound(f"There is no file '{name[:200]}' in '{folder[:200]}'.")
        return File(**row._mapping)

    @read
    def list(self, folder: str, prefix: str = "", limit: int = 1000, after: str = "") -> list[File]:
        """The files of a folder, by name.

        Args:
            prefix: Only the one of this name, and what lies below it as a folder.
            limit: At most this many, up to 10,000.
            after: Only names after this one.
        """
        wanted = (
            _table.c.folder == folder,
            _table.c.name > after,
            below(_table.c.name, prefix, self._database.dialect.name),
        )
        query = sa.select(_table).where(*wanted).order_by(_table.c.name).limit(max(1, min(limit, 10_000)))
        return [File(**row._mapping) for row in self._database.rows(query)]

    @change
    def delete(self, folder: str, prefix: str = "") -> int:
        """Takes the file of that name away, and those that lie below it as a folder; gives how many.

        Args:
            prefix: All of the folder if it is empty.
        """
        return self._database.execute(
            sa.delete(_table).where(
                _table.c.folder == folder, below(_table.c.name, prefix, self._database.dialect.name)
            )
        )
