"""Bytes: blobs, which are named by their own content, on top of a store of named objects.

A blob's name is the BLAKE3 of its bytes, so equal bytes are stored once, a copy anywhere is the same blob, and damage
shows. Named objects are for what must be found without a database: deployment manifests and prediction segments.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import blake3

from flyball.errors import Corrupt, InvalidInput, MissingExtra, NotFound
from flyball.refs import new_id
from flyball.serialization import digest
from flyball.storage.object_store import MovesMany, ObjectStore

T = TypeVar("T")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PIECE = 1 << 20


def open_objects(location: str, *, s3_endpoint: str = "", s3_region: str = "us-east-1") -> ObjectStore:
    """The object store at a folder or at `s3://bucket/prefix`.

    Raises:
        InvalidInput: the location is of no kind that can be opened.
        MissingExtra: S3 is asked for and its library is not installed.
    """
    if "://" not in location:
        from flyball.storage.local_objects import LocalObjects

        return LocalObjects(Path(location))
    if location.startswith("s3://"):
        try:
            from flyball.storage.s3_objects import S3Objects
        except ImportError as error:
            raise MissingExtra("S3 needs its library.", hint="pip install 'flyball[s3]'") from error
        return S3Objects(location, endpoint=s3_endpoint, region=s3_region)
    raise InvalidInput(f"'{location}' is no object store.", hint="Give a folder, or s3://bucket/prefix.")


def check_digest(text: str) -> str:
    """Gives the digest back if it is one.

    Raises:
        InvalidInput: it is not 64 hexadecimal digits.
    """
    if not isinstance(text, str) or not _DIGEST.fullmatch(text):
        raise InvalidInput(f"{str(text)[:80]!r} is no digest.", hint="A digest is 64 hexadecimal digits.")
    return text


def digest_file(path: Path) -> str:
    """BLAKE3 of a file's bytes, on several threads where the file is large."""
    hasher = blake3.blake3(max_threads=blake3.blake3.AUTO) if path.stat().st_size > _PIECE else blake3.blake3()
    hasher.update_mmap(path)
    return str(hasher.hexdigest())


def _as_expected(found: str, expected: str) -> str:
    if expected and found != expected:
        raise InvalidInput(f"The bytes sent have the digest {found[:12]}..., not {expected[:12]}....")
    return found


class Blobs:
    """Content-addressed bytes in an object store.

    Args:
        store: Where the bytes rest.
        cache: Folder for local copies of blobs that are needed as files; used where the store is not local. By default
            one of its own, which goes with the value.
    """

    def __init__(self, store: ObjectStore, cache: Path | None = None) -> None:
        self.store = store
        self._cache = cache

    def put(self, data: bytes, *, expected: str = "") -> str:
        """Keeps the bytes; gives their digest.

        Raises:
            InvalidInput: another digest was expected.
        """
        name = _as_expected(digest(data), expected)
        self.store.put(_blob_key(name), data, if_absent=True)
        return name

    def put_many(self, data: Sequence[bytes]) -> list[str]:
        """Keeps the bytes of many small files; gives their digests."""
        names = [digest(one) for one in data]
        items = dict(zip(map(_blob_key, names), data, strict=True))
        if isinstance(self.store, MovesMany):
            self.store.put_many(list(items.items()))
        else:
            for key, one in items.items():
                self.store.put(key, one, if_absent=True)
        return names

    def put_file(self, path: Path, *, owned: bool = False, expected: str = "") -> str:
        """Keeps the bytes of a file; gives their digest.

        Args:
            owned: Whether nobody writes into the file any more, so that it need not be copied where the store is local.
            expected: The digest that it must have; any by default.

        Raises:
            InvalidInput: another digest was expected.
        """
        from flyball.storage.local_objects import LocalObjects

        if not isinstance(self.store, LocalObjects):
            name = digest_file(path)
            self.adopt(path, name, expected=expected)
            return name
        # What is kept is what was hashed, also where someone writes into the file meanwhile: so it is copied first.
        taken = path if owned else self.store.copied(path)
        try:
            name = digest_file(taken)
            self.adopt(taken, name, expected=expected)
        finally:
            if taken is not path:
                taken.unlink(missing_ok=True)
        return name

    def adopt(self, path: Path, name: str, *, expected: str = "") -> None:
        """Keeps the bytes of a finished file that nobody writes into any more, whose digest was made while it was written.

        Args:
            expected: The digest that it must have; any by default.

        Raises:
            InvalidInput: another digest was expected.
        """
        from flyball.storage.local_objects import LocalObjects

        key = _blob_key(_as_expected(check_digest(name), expected))
        if isinstance(self.store, LocalObjects):
            self.store.adopt(key, path)
        else:
            self.store.put(key, path, if_absent=True)

    def get(self, name: str) -> bytes:
        """The bytes of that digest.

        Raises:
            NotFound: there are none.
            Corrupt: what is stored is not what was stored.
        """
        data = self._found(name, lambda key: self.store.get(key))
        if digest(data) != name:
            raise _corrupt(name)
        return data

    def get_many(self, names: Sequence[str]) -> list[bytes]:
        """The bytes of many small files, by their digests.

        Raises:
            NotFound: some are not kept.
            Corrupt: what is stored is not what was stored.
        """
        if not isinstance(self.store, MovesMany):
            return [self.get(name) for name in names]
        found = self.store.get_many([_blob_key(check_digest(name)) for name in names])
        for name, data in zip(names, found, strict=True):
            if digest(data) != name:
                raise _corrupt(name)
        return found

    def path(self, name: str) -> Path:
        """A local file with the bytes of that digest, to be read only.

        Raises:
            NotFound: there are none.
            Corrupt: what was fetched is not what was stored.
        """
        from flyball.storage.local_objects import LocalObjects

        key = _blob_key(check_digest(name))
        if isinstance(self.store, LocalObjects):
            return self._found(name, self.store.existing_path)
        return self.local_copy(name, lambda copy: self._found(name, lambda _: self.store.fetch(key, copy)))

    def copy_to(self, name: str, target: Path) -> None:
        """Writes the bytes of that digest into a file of one's own; one that is there is replaced.

        Raises:
            NotFound: there are none.
            Corrupt: what is stored is not what was stored.
        """
        fresh = target.with_name(f".{new_id()}")
        try:
            self._found(name, lambda key: self.store.fetch(key, fresh))
            if digest_file(fresh) != name:
                raise _corrupt(name)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)

    def local_copy(self, name: str, write: Callable[[Path], None]) -> Path:
        """A local file with the bytes of that digest, which `write` brings together where there is none yet.

        Raises:
            Corrupt: what was written has another digest.
        """
        target = self._cache_folder() / name[:2] / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent) as fresh:
                copy = Path(fresh) / "blob"
                write(copy)
                if digest_file(copy) != name:
                    raise _corrupt(name)
                copy.replace(target)
        return target

    def forget_copy(self, name: str) -> None:
        """Removes the local copy of a blob, if there is one."""
        if self._cache is not None:
            (self._cache / check_digest(name)[:2] / name).unlink(missing_ok=True)

    def _cache_folder(self) -> Path:
        if self._cache is None:
            # Never a fixed place in the shared folder for temporary files: anybody could put a model there before us.
            self._cache = Path(tempfile.mkdtemp(prefix="flyball-blobs-"))
            weakref.finalize(self, shutil.rmtree, self._cache, ignore_errors=True)
        return self._cache

    def has(self, name: str) -> bool:
        """Whether the bytes of that digest are kept."""
        return self.store.stat(_blob_key(check_digest(name))) is not None

    def size(self, name: str) -> int:
        """How many bytes the digest stands for; NotFound if they are not kept."""
        found = self.store.stat(_blob_key(check_digest(name)))
        if found is None:
            raise _missing(name)
        return found.size

    def delete(self, name: str) -> None:
        """Removes the bytes; the caller knows that nothing refers to them."""
        self.store.delete(_blob_key(check_digest(name)))

    def _found(self, name: str, get: Callable[[str], T]) -> T:
        try:
            return get(_blob_key(check_digest(name)))
        except NotFound:
            raise _missing(name) from None


def _blob_key(name: str) -> str:
    return f"blobs/{name[:2]}/{name}"


def _missing(name: str) -> NotFound:
    return NotFound(f"No bytes with the digest {name[:12]}... are kept.", digest=name)


def _corrupt(name: str) -> Corrupt:
    return Corrupt(f"The bytes kept under the digest {name[:12]}... are not those that were stored.", digest=name)
