"""Keeps the bytes of files: large ones whole, many small ones in packs, second versions as what is new in them."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import blake3

from flyball.data.layout import KeptBytes, Layout, Pack, PackIndex, Recipe
from flyball.data.manifest import SnapshotFile
from flyball.errors import Conflict
from flyball.serialization import digest as digest_of
from flyball.serialization import to_json

if TYPE_CHECKING:
    from flyball.storage.objects import Blobs

SMALL = 64 << 10
"""Files that are smaller share a blob."""
_FEW = 32
_PACK = 16 << 20
_CHUNK = 16 << 10
_CHUNKED_FROM = 256 << 10
# A recipe costs reading in place; it must spare at least this part of the bytes.
_WORTH = 0.4
# A manifest that is longer is not swept through; its files that are blobs of their own are listed beside it.
_LISTED_FROM = 4 << 20
_LIST = 50_000
Cut = tuple[str, int, int]
# Files of which parts come back as they were; pictures and what is packed as a whole do not.
_CHUNKABLE = {
    ".arrow", ".csv", ".feather", ".json", ".jsonl", ".ndjson", ".npy", ".parquet", ".pq", ".tar", ".tsv", ".txt", ".xml",
}  # fmt: skip


class Keeper:
    """Takes the files of one new snapshot into the store, and knows afterwards where they rest.

    Args:
        blobs: Where the bytes go.
        base: Layout of the snapshot before it, whose bytes are used again; empty if there is none.
        before: The files of the snapshot before it.
    """

    def __init__(self, blobs: Blobs, base: str = "", before: Sequence[SnapshotFile] = ()) -> None:
        self._blobs = blobs
        self._base = KeptBytes(blobs, base)
        self._old = {file.path: file for file in before}
        # What the snapshot before it needs stays as long as that one is recorded.
        self._kept = {file.digest for file in before}
        self._packs: list[Pack] = []
        self._recipes: dict[str, Recipe] = {}
        self._small: dict[str, bytes] = {}
        self._small_size = 0
        self._packed = False

    def holds(self, name: str) -> bool:
        """Whether the bytes of that digest are kept for this snapshot already."""
        return name in self._kept

    def take(self, path: str, place: str | Path, size: int, *, owned: bool = False) -> str:
        """Keeps a file; gives the digest of what was kept.

        Args:
            path: Its name in the snapshot.
            place: Where it is.
            size: How large it was when it was found.
            owned: Whether nobody writes into it any more, so that it need not be copied.

        Raises:
            Conflict: it was changed while it was read.
        """
        if size < SMALL:
            return self._take_small(path, place)
        old = self._old.get(path)
        if old is not None and min(size, old.size) >= _CHUNKED_FROM and Path(path).suffix.lower() in _CHUNKABLE:
            found = self._take_chunked(path, Path(place), old)
            if found:
                return found
        before = _mark(Path(place).stat())
        name = self._blobs.put_file(Path(place), owned=owned)
        if not owned and _mark(Path(place).stat()) != before:
            raise changed_while_read(path)
        self._kept.add(name)
        return name

    def take_bytes(self, name: str, data: bytes) -> None:
        """Keeps the bytes of a small file whose digest is known."""
        if name in self._kept:
            return
        self._kept.add(name)
        self._small[name] = data
        self._small_size += len(data)
        if self._small_size >= _PACK:
            self._flush()

    def finish(self, files: Sequence[SnapshotFile]) -> str:
        """Writes what is still to be written; gives the digest of the layout, empty if every file is a blob of its own."""
        if self._small and not self._packed and len(self._small) < _FEW:
            for data in self._small.values():
                self._blobs.put(data)
            self._small = {}
        self._flush()
        layout = self._layout(files)
        return self._blobs.put(to_json(layout)) if layout != Layout() else ""

    def _layout(self, files: Sequence[SnapshotFile]) -> Layout:
        wanted = {file.digest for file in files}
        known = zip(self._base.layout.recipes, self._base.recipes.values(), strict=True)
        recipes = {name: recipe for name, recipe in known if recipe.file in wanted} | self._recipes
        parts = wanted.union(*(recipe.chunks for recipe in recipes.values()))
        old = [
            pack
            for pack, index in self._base.indexes.items()
            if not parts.isdisjoint(name for name, _, _ in index.entries)
        ]
        packs = tuple(dict.fromkeys([*old, *self._packs]))
        whole: list[str] = []
        if sum(len(file.path) + 80 for file in files) > _LISTED_FROM:
            names = sorted(wanted)
            whole = [self._blobs.put(to_json(names[at : at + _LIST])) for at in range(0, len(names), _LIST)]
        return Layout(packs=packs, recipes=tuple(recipes), whole=tuple(whole))

    def _take_small(self, path: str, place: str | Path) -> str:
        # The plain calls, since twenty thousand files are opened this way.
        descriptor = os.open(place, os.O_RDONLY)
        try:
            data = os.read(descriptor, SMALL + 1)
            found = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if found.st_size != len(data):
            raise changed_while_read(path)
        name = digest_of(data)
        self.take_bytes(name, data)
        return name

    def _flush(self) -> None:
        if not self._small:
            return
        self._write_pack(self._small.items())
        self._packed = True
        self._small = {}
        self._small_size = 0

    def _write_pack(self, parts: Iterable[tuple[str, bytes]]) -> None:
        entries, at, data = [], 0, []
        for name, part in parts:
            entries.append((name, at, len(part)))
            data.append(part)
            at += len(part)
        self._keep_index(self._blobs.put(b"".join(data)), entries)

    def _keep_index(self, pack: str, entries: list[tuple[str, int, int]]) -> None:
        index = self._blobs.put(to_json(PackIndex(pack=pack, entries=tuple(entries))))
        self._packs.append(Pack(pack=pack, index=index))

    def _take_chunked(self, path: str, place: Path, old: SnapshotFile) -> str:
        """Keeps the chunks that the old version does not have; empty if too much is new, and then nothing is kept."""
        try:
            name, cuts = cut(place)
        except ImportError:  # fastcdc is not installed: the file is kept whole
            return ""
        if name in self._kept:
            return name
        known = set(self._base.places)
        whole: list[Cut] = []
        if old.digest not in self._base.recipes:
            whole = cut(self._base.path(old.digest))[1]
            known.update(chunk for chunk, _, _ in whole)
        new = {chunk: (at, length) for chunk, at, length in cuts if chunk not in known}
        size = sum(length for _, _, length in cuts)
        if sum(length for _, length in new.values()) > (1 - _WORTH) * size:
            return ""
        used = {chunk for chunk, _, _ in cuts}
        if not used.isdisjoint(chunk for chunk, _, _ in whole):
            self._keep_index(old.digest, whole)
        self._keep_chunks(path, place, new)
        recipe = Recipe(file=name, size=size, chunks=tuple(chunk for chunk, _, _ in cuts))
        self._recipes[self._blobs.put(to_json(recipe))] = recipe
        self._kept.add(name)
        return name

    def _keep_chunks(self, path: str, place: Path, chunks: dict[str, tuple[int, int]]) -> None:
        part: list[tuple[str, bytes]] = []
        size = 0
        with place.open("rb") as file:
            for name, (at, length) in chunks.items():
                file.seek(at)
                data = file.read(length)
                if digest_of(data) != name:
                    raise changed_while_read(path)
                part.append((name, data))
                size += length
                if size >= _PACK:
                    self._write_pack(part)
                    part, size = [], 0
        if part:
            self._write_pack(part)


def cut(place: Path) -> tuple[str, list[Cut]]:
    """Digest of a file, and digest, offset and length of each of its chunks, cut where the content says so (FastCDC)."""
    from fastcdc.fastcdc_cy import fastcdc_cy

    whole, found = blake3.blake3(), []
    with place.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        for chunk in fastcdc_cy(view, _CHUNK // 4, _CHUNK, _CHUNK * 4):
            # A copy, so that file and chunk are hashed from the same bytes even where someone writes into the file.
            data = view[chunk.offset : chunk.offset + chunk.length]
            whole.update(data)
            found.append((digest_of(data), chunk.offset, chunk.length))
    return str(whole.hexdigest()), found


def changed_while_read(path: str) -> Conflict:
    """The error that says so."""
    return Conflict(f"'{path}' changed while it was read.", hint="Take the snapshot again.", file=path)


def _mark(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size
