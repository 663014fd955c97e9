"""Layers of an image: the same files always give the same bytes.

Every entry is owned by who is named, dated 1970, sorted by name; nothing of the machine that packs it gets in.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from flyball.errors import InvalidInput
from flyball.packaging.oci import LAYER, Descriptor
from flyball.refs import new_id
from flyball.serialization import from_json, to_json

# Beyond it a layer grows no smaller that matters, and takes twice the time.
_LEVEL = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file, folder or link of a layer.

    Attributes:
        path: Its place in the image, without the leading slash.
        content: Bytes, the file that has them, or None for a folder.
        link: What a symbolic link points at.
        owner: Number of user and group.
    """

    path: str
    content: bytes | Path | None = None
    link: str = ""
    mode: int = 0o644
    owner: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer that is packed.

    Attributes:
        kind: `base`, `packages`, `libraries` (that packages open), `flyball` or `model`.
        diff_id: SHA-256 of the layer before it was compressed.
    """

    kind: str
    descriptor: Descriptor
    diff_id: str


class Packer:
    """Packs layers into a folder, each once.

    Args:
        folder: Where packed layers rest until somebody clears it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, layer: Layer) -> Path:
        """The packed file of a layer."""
        return self._folder / layer.descriptor.digest.removeprefix("sha256:")

    def known(self, key: str) -> Layer | None:
        """The layer that was packed under a key, if it rests here."""
        note = self._folder / f"{key}.json"
        if not note.is_file():
            return None
        layer = from_json(note.read_bytes(), Layer)
        path = self.path(layer)
        if not path.is_file() or path.stat().st_size != layer.descriptor.size:
            return None
        for used in (note, path):
            os.utime(used)
        return layer

    def clear(self, *, older_than: float = 30 * 86_400) -> None:
        """Removes layers that nobody has used for so many seconds."""
        before = time.time() - older_than
        for path in self._folder.glob("*") if self._folder.is_dir() else ():
            if path.stat().st_mtime < before:
                path.unlink(missing_ok=True)

    def pack(self, kind: str, entries: Iterable[Entry], key: str = "") -> Layer:
        """Packs entries as a layer; under a key it is found again.

        Raises:
            InvalidInput: an entry's place lies outside of the image.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = self._folder / f".{new_id()}"
        try:
            with fresh.open("wb") as file:
                packed = _Hashing(file)
                # Neither name nor time: both would differ from machine to machine.
                with gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=packed, mtime=0) as squeezed:
                    plain = _Hashing(squeezed)
                    with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as archive:
                        for entry in _whole(entries):
                            _add(archive, entry)
            descriptor = Descriptor(media_type=LAYER, digest=packed.digest, size=packed.size)
            layer = Layer(kind=kind, descriptor=descriptor, diff_id=plain.digest)
            fresh.replace(self.path(layer))
        finally:
            fresh.unlink(missing_ok=True)
        if key:
            (self._folder / f"{key}.json").write_bytes(to_json(layer))
        return layer


class _Hashing(io.RawIOBase):
    """Writes on, and knows the SHA-256 and the count of what went through."""

    def __init__(self, to: BinaryIO | gzip.GzipFile) -> None:
        self._to = to
        self._sum = hashlib.sha256()
        self.size = 0

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]  # whatever has the bytes of a buffer
        self._sum.update(piece)
        self.size += len(piece)
        self._to.write(piece)
        return len(piece)

    @property
    def digest(self) -> str:
        return f"sha256:{self._sum.hexdigest()}"


def _whole(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries by name, with the folders that they stand in; of two at one place the last one."""
    found: dict[str, Entry] = {}
    for entry in entries:
        parts = entry.path.split("/")
        if not entry.path or any(part in ("", ".", "..") for part in parts):
            raise InvalidInput(f"{entry.path!r} is no place in an image.")
        for length in range(1, len(parts)):
            folder = "/".join(parts[:length])
            found.setdefault(folder, Entry(path=folder, mode=0o755))
        found[entry.path] = entry
    return iter([found[path] for path in sorted(found)])


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    about = tarfile.TarInfo(entry.path)
    about.mode, about.uid, about.gid = entry.mode, entry.owner, entry.owner
    if entry.link:
        about.type, about.linkname, about.mode = tarfile.SYMTYPE, entry.link, 0o777
        archive.addfile(about)
    elif entry.content is None:
        about.type = tarfile.DIRTYPE
        archive.addfile(about)
    elif isinstance(entry.content, bytes):
        about.size = len(entry.content)
        archive.addfile(about, io.BytesIO(entry.content))
    else:
        with entry.content.open("rb") as file:
            about.size = entry.content.stat().st_size
            archive.addfile(about, file)
