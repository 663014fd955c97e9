"""Making backups, beside all that goes on.

Bytes are copied before the rows are read, and again after it. What the rows name was either there at the first look and is
copied, or was put since; and what was put within a day is never swept (`storage/sweep.py`). So a backup is whole without
stopping anybody. It becomes visible by its manifest, which is written last.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from flyball.errors import Corrupt, NotFound
from flyball.serialization import digest, from_json, to_json
from flyball.storage.backup import rows
from flyball.storage.backup.lock import Lock
from flyball.storage.backup.nouns import BLOBS, MANIFESTS, Backup, FileCopy, Kept, ProjectCopy, Source
from flyball.storage.object_store import ObjectStat, ObjectStore
from flyball.storage.objects import Blobs, digest_file
from flyball.storage.upgrades import revision
from flyball.version import __version__

Progress = Callable[[int, int], None]
"""Told how many bytes are done, and of how many; both grow."""

_PIECE = 4 << 20
_SMALL = 1 << 20
_TOGETHER = 32 << 20
_PASSES = 5


def make_backup(
    sources: Sequence[Source], target: ObjectStore, *, scratch: Path, progress: Progress = lambda *_: None
) -> Backup:
    """Makes a backup of some projects.

    Args:
        target: Where backups are kept; those before are built upon.
        scratch: Folder for copies of databases on their way.
        progress: Told how far it is.

    Raises:
        Conflict: another backup is being written to the same place.
    """
    began, created = time.monotonic(), datetime.now(UTC)
    with Lock(target) as lock:
        making = _Making(target, lock, progress)
        before = latest_lists(target)
        projects = tuple(making.take(source, scratch, before.get(source.project, {})) for source in sources)
        made = Backup(
            id=f"{created:%Y-%m-%dT%H-%M-%S-%f}"[:-3], created=created, release=__version__, projects=projects,
            written=making.written, seconds=round(time.monotonic() - began, 2), damaged=tuple(making.damaged),
        )  # fmt: skip
        target.put(f"{MANIFESTS}{made.id}.json", to_json(made), if_absent=True)
    return made


def list_backups(target: ObjectStore) -> list[Backup]:
    """All backups in a place, the newest first."""
    found = [from_json(target.get(item.key), Backup) for item in target.list(MANIFESTS) if item.key.endswith(".json")]
    return sorted(found, key=lambda backup: backup.id, reverse=True)


def find_backup(target: ObjectStore, id: str = "latest") -> Backup:
    """The backup of that id, or the newest one.

    Raises:
        NotFound: there is none.
    """
    known = list_backups(target)
    found = known[0] if known and id == "latest" else next((one for one in known if one.id == id), None)
    if found is None:
        there = f"There is: {', '.join(one.id for one in known[:5])}." if known else "There is none in this place."
        raise NotFound(f"There is no backup '{id[:80]}'.", hint=there)
    return found


def objects_of(kept: Blobs, project: ProjectCopy) -> list[Kept]:
    """The objects of a project in a backup."""
    return from_json(kept.get(project.list), list[Kept])


def latest_lists(target: ObjectStore) -> dict[str, dict[str, Kept]]:
    """The objects of the newest backup: by project, then by key."""
    known = list_backups(target)
    kept = Blobs(target)
    try:
        return {
            one.project: {item.key: item for item in objects_of(kept, one)}
            for one in (known[0].projects if known else ())
        }
    except (NotFound, Corrupt):  # then all is read anew
        return {}


class _Making:
    """One backup being made."""

    def __init__(self, target: ObjectStore, lock: Lock, progress: Progress) -> None:
        self.written = 0
        self.damaged: list[str] = []
        self._target = target
        self._kept = Blobs(target)
        self._there = {item.key.rpartition("/")[2]: item.size for item in target.list(BLOBS)}
        self._lock = lock
        self._progress = progress
        self._done = self._total = 0

    def take(self, source: Source, scratch: Path, before: dict[str, Kept]) -> ProjectCopy:
        """Copies a project."""
        found: dict[str, Kept] = {}
        self._take_objects(source, before, found)
        database = self._take_database(source, scratch)
        files = {name: self._take_file(path, scratch) for name, path in sorted(source.files.items()) if path.is_file()}
        for _ in range(_PASSES):
            if not self._take_objects(source, {**before, **found}, found):
                break
        listed = to_json(sorted(found.values(), key=lambda item: item.key))
        return ProjectCopy(
            project=source.project, dialect=source.database.dialect.name, database=database, files=files,
            list=self._keep(listed), objects=len(found), size=sum(item.size for item in found.values()),
        )  # fmt: skip

    def _take_objects(self, source: Source, before: dict[str, Kept], found: dict[str, Kept]) -> int:
        """Copies what is there and not copied yet; gives how much went away while it was copied."""
        here = list(source.store.list(""))
        for key in set(found) - {item.key for item in here}:
            if not key.startswith(BLOBS):  # the rows that are read next may still name a blob that goes now
                del found[key]
        wanted = [item for item in here if not self._is_known(item, before, found)]
        self._expect(sum(item.size for item in wanted))
        gone = 0
        for part in _parts(wanted):
            gone += self._copy(source, part, found)
            self._tell(sum(item.size for item in part))
        return gone

    def _is_known(self, item: ObjectStat, before: dict[str, Kept], found: dict[str, Kept]) -> bool:
        name = item.key.rpartition("/")[2]
        if item.key.startswith(BLOBS):
            if self._there.get(name) == item.size:
                found[item.key] = Kept(key=item.key, digest=name, size=item.size)
            return item.key in found
        known = before.get(item.key)
        if known and known.etag and known.etag == item.etag and self._there.get(known.digest) == known.size:
            found[item.key] = known
            return True
        return False

    def _copy(self, source: Source, part: list[ObjectStat], found: dict[str, Kept]) -> int:
        gone, small, kept = 0, [], []
        for item in part:
            try:
                if item.size > _SMALL and item.key.startswith(BLOBS):
                    name, size = self._copy_large(source.store, item), item.size
                else:
                    data = source.store.get(item.key)
                    name, size = digest(data), len(data)
                    small.append((name, data))
            except NotFound:
                gone += 1
                continue
            if item.key.startswith(BLOBS) and name != item.key.rpartition("/")[2]:
                self._tell_damaged(f"{source.project}: {item.key}")
                continue
            etag = "" if item.key.startswith(BLOBS) or size != item.size else item.etag
            kept.append(Kept(key=item.key, digest=name, size=size, etag=etag))
        fresh = {name: data for name, data in small if name not in self._there}
        self._kept.put_many(list(fresh.values()))
        self.written += sum(map(len, fresh.values()))
        self._there.update({name: len(data) for name, data in fresh.items()})
        found.update({one.key: one for one in kept})
        return gone

    def _tell_damaged(self, what: str) -> None:
        if what not in self.damaged:
            self.damaged.append(what)

    def _copy_large(self, store: ObjectStore, item: ObjectStat) -> str:
        """Copies a large blob by way of a file; gives the digest of what was read. What is damaged is not kept."""
        with tempfile.TemporaryDirectory(prefix="flyball-backup-") as folder:
            path = Path(folder) / "blob"
            store.fetch(item.key, path)
            name = digest_file(path)
            if name == item.key.rpartition("/")[2]:
                self._kept.put_file(path, owned=True)
                self.written += item.size
                self._there[name] = item.size
        return name

    def _take_database(self, source: Source, scratch: Path) -> FileCopy:
        if source.database.dialect.name == "sqlite":
            return self._take_file(Path(str(source.database.url.database)), scratch, revision(source.database))
        with tempfile.TemporaryDirectory(prefix="flyball-backup-", dir=scratch) as folder:
            copy = Path(folder) / "copy.db"
            rows.export_rows(source.database, copy, lambda *_: self._lock.hold())
            return self._keep_pieces(copy, revision(source.database))

    def _take_file(self, path: Path, scratch: Path, stands_at: str = "") -> FileCopy:
        with tempfile.TemporaryDirectory(prefix="flyball-backup-", dir=scratch) as folder:
            copy = Path(folder) / "copy.db"
            rows.copy_file(path, copy, lambda *_: self._lock.hold())
            return self._keep_pieces(copy, stands_at)

    def _keep_pieces(self, path: Path, stands_at: str) -> FileCopy:
        size = path.stat().st_size
        self._expect(size)
        pieces = []
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                pieces.append(self._keep(piece))
                self._tell(len(piece))
        return FileCopy(pieces=tuple(pieces), size=size, revision=stands_at)

    def _keep(self, data: bytes) -> str:
        name = digest(data)
        if name not in self._there:
            self._kept.put(data)
            self._there[name] = len(data)
            self.written += len(data)
        return name

    def _expect(self, size: int) -> None:
        self._total += size
        self._progress(self._done, self._total)

    def _tell(self, size: int) -> None:
        self._done += size
        self._lock.hold()
        self._progress(self._done, self._total)


def _parts(items: list[ObjectStat]) -> Iterator[list[ObjectStat]]:
    """The items, in parts that are read at once."""
    part: list[ObjectStat] = []
    size = 0
    for item in items:
        part.append(item)
        size += item.size
        if size >= _TOGETHER or len(part) >= 1000:
            yield part
            part, size = [], 0
    if part:
        yield part
