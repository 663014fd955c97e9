"""Where the bytes of a snapshot's files rest.

A large file is a blob of its own, whole, so that whoever reads tables reads it in place. Many small files share a blob, a *pack*,
since an object each would cost more than its bytes. The second version of a file is a *recipe*: the list of its chunks, most of
which stand in the first version already. Which digest stands where in a pack, or in the blob of a first version, is said by the
pack's *index*. A snapshot's layout names the indexes, the packs and the recipes, so that who sweeps up sees all that is needed
from this one small blob.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from flyball.errors import Corrupt, NotFound
from flyball.serialization import digest as digest_of
from flyball.serialization import from_json

if TYPE_CHECKING:
    from flyball.storage.objects import Blobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A blob that holds others, and the blob that says what stands where in it."""

    pack: str
    index: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PackIndex:
    """What stands where in a blob.

    Attributes:
        entries: Digest, offset and length of each part.
    """

    pack: str
    entries: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A file as the sequence of its chunks.

    Attributes:
        file: Digest of the whole.
        size: Its bytes.
        chunks: Digests, in order.
    """

    file: str
    size: int
    chunks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a snapshot needs beside the blobs that are files of their own.

    Attributes:
        recipes: Digests of the recipes of files that are kept in chunks.
        whole: Digests of lists of files that are blobs of their own, where the manifest is too long to be swept through.
    """

    packs: tuple[Pack, ...] = ()
    recipes: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where some bytes stand."""

    pack: str
    offset: int
    length: int


class KeptBytes:
    """The bytes of a snapshot's files, wherever they rest.

    Args:
        blobs: Where the blobs are.
        layout: Digest of the snapshot's layout; empty where every file is a blob of its own.
    """

    def __init__(self, blobs: Blobs, layout: str) -> None:
        self.blobs = blobs
        self._name = layout

    @cached_property
    def layout(self) -> Layout:
        """The layout itself."""
        return from_json(self.blobs.get(self._name), Layout) if self._name else Layout()

    @cached_property
    def indexes(self) -> dict[Pack, PackIndex]:
        """What stands where in each pack."""
        return {pack: from_json(self.blobs.get(pack.index), PackIndex) for pack in self.layout.packs}

    @cached_property
    def places(self) -> dict[str, Place]:
        """Where each part stands that is in a pack."""
        return {
            name: Place(pack=index.pack, offset=offset, length=length)
            for index in self.indexes.values()
            for name, offset, length in index.entries
        }

    @cached_property
    def recipes(self) -> dict[str, Recipe]:
        """The recipe of each file that is kept in chunks, by the file's digest."""
        read = (from_json(self.blobs.get(name), Recipe) for name in self.layout.recipes)
        return {recipe.file: recipe for recipe in read}

    def path(self, name: str) -> Path:
        """A local file with the bytes of that digest, to be read only.

        Raises:
            NotFound: they are not kept.
            Corrupt: they are not what was stored.
        """
        if name in self.recipes or name in self.places:
            return self.blobs.local_copy(name, lambda target: self._write(name, target))
        return self.blobs.path(name)

    def read(self, name: str) -> bytes:
        """The bytes of that digest.

        Raises:
            NotFound: they are not kept.
            Corrupt: they are not what was stored.
        """
        if name in self.recipes:
            return self.path(name).read_bytes()
        if name not in self.places:
            return self.blobs.get(name)
        data = b"".join(self._parts([name]))
        if digest_of(data) != name:
            raise Corrupt(
                f"The bytes kept under the digest {name[:12]}... are not those that were stored.", digest=name
            )
        return data

    def _write(self, name: str, target: Path) -> None:
        chunks = self.recipes[name].chunks if name in self.recipes else (name,)
        with target.open("wb") as file:
            file.writelines(self._parts(chunks))

    def _parts(self, names: Iterable[str]) -> Iterator[bytes]:
        opened: dict[str, BinaryIO] = {}
        try:
            for name in names:
                place = self.places.get(name)
                if place is None:
                    raise NotFound(f"No bytes with the digest {name[:12]}... are kept.", digest=name)
                if place.pack not in opened:
                    opened[place.pack] = self.blobs.path(place.pack).open("rb")
                file = opened[place.pack]
                file.seek(place.offset)
                yield file.read(place.length)
        finally:
            for file in opened.values():
                file.close()


def missing_bytes(blobs: Blobs, layout: str, digests: Iterable[str]) -> str:
    """The first of some digests whose bytes are not kept; empty if all are."""
    kept = KeptBytes(blobs, layout)
    for pack in kept.layout.packs:
        if not blobs.has(pack.pack):
            return pack.pack
    for recipe in kept.recipes.values():
        if lost := next((name for name in recipe.chunks if name not in kept.places), ""):
            return lost
    held = kept.places.keys() | kept.recipes.keys()
    return next((name for name in dict.fromkeys(digests) if name not in held and not blobs.has(name)), "")
