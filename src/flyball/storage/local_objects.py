"""Objects in a folder of this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from flyball.errors import NotFound
from flyball.refs import new_id
from flyball.storage.object_store import ObjectStat, check_key

_FRESH = ".fresh"


class LocalObjects:
    """One file an object. Written beside, flushed, then renamed: a crash leaves garbage at most, never a half.

    Args:
        folder: Root folder; made at the first put.
        durable: Whether a put waits until the disk has it. Only tests turn it off.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self._durable = durable

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        """Writes an object; with `if_absent`, False and no write if the key exists."""
        target = self._path(key)
        if if_absent and target.exists():
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / _FRESH / new_id()
        fresh.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._write(fresh, data)
            if if_absent:
                try:
                    os.link(fresh, target)  # unlike a rename, a link never replaces what another writer put there
                except FileExistsError:
                    return False
                finally:
                    fresh.unlink()
            else:
                fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
        self._sync_folder(target.parent)
        return True

    def get(self, key: str) -> bytes:
        """All bytes of an object."""
        return self.existing_path(key).read_bytes()

    def fetch(self, key: str, to: Path) -> None:
        """Copies an object to another file."""
        shutil.copyfile(self.existing_path(key), to)

    def stat(self, key: str) -> ObjectStat | None:
        """Size and ETag of an object."""
        try:
            found = self._path(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return ObjectStat(key=key, size=found.st_size, etag=f"{found.st_mtime_ns:x}-{found.st_ino:x}-{found.st_size:x}")

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """The objects whose key begins with the prefix, sorted by key."""
        start = self.folder / prefix.rpartition("/")[0]
        keys = []
        for parent, folders, files in os.walk(start):
            folders[:] = [name for name in folders if name != _FRESH]
            base = Path(parent).relative_to(self.folder)
            keys += [(base / name).as_posix() for name in files]
        for key in sorted(key for key in keys if key.startswith(prefix)):
            found = self.stat(key)
            if found is not None:
                yield found

    def delete(self, key: str) -> None:
        """Removes an object."""
        self._path(key).unlink(missing_ok=True)

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

    def _sync_folder(self, folder: Path) -> None:
        # Without it the rename itself does not survive a power cut.
        if not self._durable:
            return
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
