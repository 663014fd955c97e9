"""Objects in a folder of this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from io import FileIO
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from flyball.errors import Conflict, NotFound
from flyball.refs import new_id
from flyball.storage.as_one import settle
from flyball.storage.object_store import FRESH_FOR, ObjectStat, check_key, check_prefix, is_key
from flyball.storage.trouble import Reserve, disk_told

_FRESH = ".fresh"
_TOGETHER = 16


class LocalObjects:
    """One file an object. Written beside, flushed, then renamed: a crash leaves garbage at most, never a half.

    Args:
        folder: Root folder; made at the first put.
        durable: Whether a put waits until the disk has it. Only tests turn it off.
        reserve: The part of the disk that stays free; None for nothing.
    """

    def __init__(self, folder: Path, *, durable: bool = True, reserve: Reserve | None = None) -> None:
        self.folder = folder
        self.reserve = reserve
        self._durable = durable

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        """Writes an object; with `if_absent`, False and no write if the key exists."""
        return self._put(key, data, if_absent, lambda target, first: self._sync(_folders(target, first)))

    def put_many(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Writes objects, durably; those whose keys exist are left as they are.

        Each write waits for the disk, and several wait together; a folder is brought to it once for all that came into it.
        """
        folders: set[Path] = set()
        with ThreadPoolExecutor(_TOGETHER) as pool:
            put = partial(self._put, if_absent=True, settle=lambda *named: folders.update(_folders(*named)))
            list(pool.map(lambda item: put(*item), items))
            list(pool.map(lambda folder: self._sync([folder]), sorted(folders)))

    def _put(self, key: str, data: bytes | Path, if_absent: bool, settle: Callable[[Path, Path], None]) -> bool:
        """Writes an object; `settle` is told the file, and the nearest folder above it that was there before."""
        with disk_told(f"the object '{key}'"):
            return self._put_now(key, data, if_absent, settle)

    def _put_now(self, key: str, data: bytes | Path, if_absent: bool, settle: Callable[[Path, Path], None]) -> bool:
        target = self._path(key)
        if if_absent and target.is_file():
            settle(target, target.parent)  # the one who put it may not be that far yet
            _freshen(target)
            return False
        self.check_space()
        first = self._make_folder(target)
        fresh = self.folder / _FRESH / new_id()
        fresh.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._write(fresh, data)
            if if_absent:
                try:
                    os.link(fresh, target)  # unlike a rename, a link never replaces what another writer put there
                except FileExistsError:
                    if target.is_dir():
                        raise _in_the_way(key) from None
                    return False
            else:
                fresh.replace(target)
        except IsADirectoryError as error:
            raise _in_the_way(key) from error
        finally:
            fresh.unlink(missing_ok=True)
            settle(target, first)
        return True

    def adopt(self, key: str, path: Path) -> bool:
        """Takes a finished file over as an object without copying it, if it is on the same disk; False if the key exists.

        The file must not be written to any more; its other name may be removed.
        """
        target = self._path(key)
        if target.is_file():
            return self.put(key, path, if_absent=True)
        first = self._make_folder(target)
        try:
            if self._durable:
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            path.chmod(0o444)
            os.link(path, target)
        except OSError:  # another disk, one without links, or someone who was faster
            return self.put(key, path, if_absent=True)
        finally:
            self._sync(_folders(target, first))
        return True

    def check_space(self) -> None:
        """Refuses to write where the disk is nearly full.

        Raises:
            NoSpace: it is.
        """
        if self.reserve is not None:
            self.reserve.check()

    def copied(self, path: Path) -> Path:
        """A copy of a file on the store's own disk, for `adopt`; without copying bytes where the file system can."""
        with disk_told(f"a copy of {path}"):
            self.check_space()
            return self._copied(path)

    def _copied(self, path: Path) -> Path:
        fresh = self.folder / _FRESH / new_id()
        fresh.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("rb", buffering=0) as source, fresh.open("xb") as target:
                _copy(source, target)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        return fresh

    def get(self, key: str) -> bytes:
        """All bytes of an object."""
        return self.existing_path(key).read_bytes()

    def get_many(self, keys: Sequence[str]) -> list[bytes]:
        """All bytes of several objects."""
        return [self.get(key) for key in keys]

    def fetch(self, key: str, to: Path) -> None:
        """Copies an object to another file."""
        shutil.copyfile(self.existing_path(key), to)

    def stat(self, key: str) -> ObjectStat | None:
        """Size and ETag of an object."""
        try:
            found = self._path(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not S_ISREG(found.st_mode):
            return None
        return ObjectStat(
            key=key,
            size=found.st_size,
            etag=f"{found.st_mtime_ns:x}-{found.st_ino:x}-{found.st_size:x}",
            modified=datetime.fromtimestamp(found.st_mtime, UTC),
        )

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """The objects whose key begins with the prefix, sorted by key."""
        start = self.folder / check_prefix(prefix).rpartition("/")[0]
        keys = []
        for parent, _, files in os.walk(start):
            base = Path(parent).relative_to(self.folder)
            keys += [(base / name).as_posix() for name in files]
        for key in sorted(key for key in keys if key.startswith(prefix) and is_key(key)):
            found = self.stat(key)
            if found is not None:
                yield found

    def delete(self, key: str) -> None:
        """Removes an object."""
        path = self._path(key)
        settle()
        if path.is_file():
            path.unlink(missing_ok=True)

    def existing_path(self, key: str) -> Path:
        """The file of an object, to be read only; NotFound if there is none."""
        path = self._path(key)
        if not path.is_file():
            raise NotFound(f"There is no object '{key}'.", key=key)
        return path

    def _path(self, key: str) -> Path:
        return self.folder / check_key(key)

    def _write(self, path: Path, data: bytes | Path) -> None:
        with path.open("xb") as file:
            if isinstance(data, Path):
                with data.open("rb") as source:
                    shutil.copyfileobj(source, file, 1 << 20)
            else:
                file.write(data)
            file.flush()
            if self._durable:
                os.fsync(file.fileno())
        path.chmod(0o444)

    def _make_folder(self, target: Path) -> Path:
        """Makes the folder of a file; gives the nearest folder above it that was there before."""
        there = target.parent
        while not there.exists() and there != there.parent:
            there = there.parent
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise _in_the_way(target.relative_to(self.folder).as_posix()) from error
        return there

    def _sync(self, folders: Iterable[Path]) -> None:
        # Without it neither the rename nor a new folder survives a power cut.
        if not self._durable:
            return
        for folder in folders:
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _folders(target: Path, first: Path) -> list[Path]:
    """The folders above a file, up to that one."""
    above = list(target.parents)
    return above[: above.index(first) + 1]


def _copy(source: FileIO, target: BinaryIO) -> None:
    """Copies one open file to another."""
    try:
        # Between files of one disk the system copies by itself, or lets both share the blocks until one is changed.
        while os.copy_file_range(source.fileno(), target.fileno(), 1 << 30):
            pass
    except (OSError, AttributeError):  # another disk, or another system: goes on from where that came to
        shutil.copyfileobj(source, target, 1 << 20)


def _freshen(path: Path) -> None:
    """Lets an old file count as new, since it has a new owner."""
    with contextlib.suppress(OSError):  # gone in between, or another user's: then it is put, or stays as it is
        if time.time() - path.stat().st_mtime > FRESH_FOR.total_seconds():
            os.utime(path)


def _in_the_way(key: str) -> Conflict:
    return Conflict(f"'{key}' cannot be written: an object cannot be a folder of others too.", key=key)
