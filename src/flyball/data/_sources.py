"""Finds the files that a source stands for."""

from __future__ import annotations

import gc
import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flyball.data._digests import Mark, mark_of
from flyball.data._files import PACKED, SUFFIXES
from flyball.errors import InvalidInput

if TYPE_CHECKING:
    from flyball.data.manifest import SnapshotFormat


class FoundFile(NamedTuple):
    """A file of a source: its name in the snapshot, where it is, and what the file system says of it."""

    name: str
    place: str
    mark: Mark

    @property
    def size(self) -> int:
        """In bytes."""
        return self.mark[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFiles:
    """The files of a source, by name."""

    format: SnapshotFormat
    files: tuple[FoundFile, ...]


def folder_format(files: list[FoundFile], *, is_pattern: bool = False) -> SnapshotFormat:
    """What the files of a folder are together: a table if all are Parquet, or if a pattern picked them out.

    Raises:
        InvalidInput: a pattern picked out files that are no table.
    """
    if is_pattern:
        return _table_format(files)
    return "parquet" if files and all(_format(file.name) == "parquet" for file in files) else "folder"


def find_files(source: str, root: Path) -> FoundFiles:
    """The files that a path or a pattern stands for, sorted by name.

    A folder that holds Parquet files only is a table; any other folder is its files. Hidden files are left out.

    Raises:
        InvalidInput: there are none, or they are of no format, or of several.
    """
    if "://" in source:
        raise InvalidInput(f"'{source.partition('://')[0]}://' is no source that data can be taken from.")
    place = root / source
    found_format: SnapshotFormat
    try:
        if place.is_dir():
            with no_collection():
                files = _walk(str(place.absolute()))
            found_format = folder_format(files)
        elif place.is_file():
            files = [found_file(place.name, place)]
            found_format = _table_format(files)
        else:
            files = sorted(_matches(source, root))
            found_format = _table_format(files) if files else "folder"
    except OSError as error:
        where = os.fsdecode(error.filename) if error.filename else source
        raise InvalidInput(f"'{where}' cannot be read: {error.strerror}.", source=source) from error
    if not files:
        hint = "" if glob.has_magic(source) else "The path is relative to the project's root."
        raise InvalidInput(f"'{source}' matches no files.", hint=hint, source=source)
    for file in files:
        if not file.name.isprintable():
            raise InvalidInput(f"The name of the file {file.name!r} cannot be written as text.", hint="Rename it.")
    return FoundFiles(format=found_format, files=tuple(sorted(files)))


@contextmanager
def no_collection() -> Iterator[None]:
    """Keeps the garbage collector from looking through objects that are being made by the ten thousand: a quarter of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _walk(folder: str, below: str = "") -> list[FoundFile]:
    # Folders behind links are left out, as they may lead back up; files behind links are files.
    found: list[FoundFile] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                found += _walk(entry.path, f"{below}{name}/")
            elif not (entry.is_symlink() and entry.is_dir()):
                found.append(FoundFile(f"{below}{name}", entry.path, mark_of(entry.stat())))
    return found


def _matches(pattern: str, root: Path) -> list[FoundFile]:
    parts = Path(pattern).parts
    fixed = next((place for place, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    base = root / Path(*parts[:fixed])
    if fixed == len(parts) or not base.is_dir():
        return []
    found = glob.glob(str(Path(*parts[fixed:])), root_dir=base, recursive=True)  # noqa: PTH207  # Path.glob has no root_dir
    return [found_file(Path(name).as_posix(), base / name) for name in found if (base / name).is_file()]


def found_file(name: str, place: Path) -> FoundFile:
    """A file under the name that it has in the snapshot."""
    return FoundFile(name, str(place.absolute()), mark_of(place.stat()))


def _format(name: str) -> SnapshotFormat | None:
    path = Path(name)
    if path.suffix.lower() in PACKED:
        path = path.with_suffix("")
    return SUFFIXES.get(path.suffix.lower())


def _table_format(files: list[FoundFile]) -> SnapshotFormat:
    first, found = files[0].name, _format(files[0].name)
    for file in files:
        kind = _format(file.name)
        if kind is None:
            raise InvalidInput(
                f"'{file.name}' is no table file.",
                hint=f"Tables end with {', '.join(SUFFIXES)}; give a folder to keep files of any kind.",
                file=file.name,
            )
        if kind != found:
            raise InvalidInput(
                f"'{first}' and '{file.name}' are of different formats.", hint="Use one pattern per format."
            )
    assert found is not None
    return found
