"""Finds what a source stands for: files under a folder, or the rows that a database answers."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from flyball.data._files import SUFFIXES
from flyball.data.arrow import plain, unify
from flyball.errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.data.manifest import SnapshotFormat

_ROWS_AT_ONCE = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFiles:
    """The files of a source: their names in the snapshot, and where they are."""

    format: SnapshotFormat
    files: tuple[tuple[str, Path], ...]


def find_files(source: str, root: Path) -> FoundFiles:
    """The files that a path or a pattern stands for, sorted by name.

    A folder that holds Parquet files only is a table; any other folder is its files. Hidden files are left out.

    Raises:
        InvalidInput: there are none, or they are of no format, or of several.
    """
    if "://" in source:
        raise InvalidInput(f"'{source.partition('://')[0]}://' is no source that data can be taken from.")
    place = root / source
    try:
        if place.is_dir():
            files = sorted((path.relative_to(place).as_posix(), path) for path in _walk(place))
            names = [name for name, _ in files]
            is_table = bool(names) and all(_format(name) == "parquet" for name in names)
            found_format: SnapshotFormat = "parquet" if is_table else "folder"
        elif place.is_file():
            files = [(place.name, place)]
            found_format = _table_format(files)
        else:
            files = _matches(source, root)
            found_format = _table_format(files) if files else "folder"
    except OSError as error:
        raise InvalidInput(f"'{source}' cannot be read: {error.strerror}.", source=source) from error
    if not files:
        hint = "" if glob.has_magic(source) else "The path is relative to the project's root."
        raise InvalidInput(f"'{source}' matches no files.", hint=hint, source=source)
    for name, _ in files:
        if not name.isprintable():
            raise InvalidInput(f"The name of the file {name!r} cannot be written as text.", hint="Rename it.")
    return FoundFiles(format=found_format, files=tuple(files))


def query_database(url: str, query: str, root: Path) -> pa.Table:
    """The rows that a query gives, in plain types.

    Raises:
        InvalidInput: the address, the query or its answer cannot be used.
        MissingExtra: the database's driver is not installed.
    """
    try:
        address = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise InvalidInput(
            "The source is no database address.", hint="Write it as postgresql://user@host/name."
        ) from error
    shown = address.render_as_string(hide_password=True)
    try:
        engine = sa.create_engine(_from_root(address, root))
    except sa.exc.ArgumentError as error:
        raise InvalidInput(f"No database can be reached by {shown}: {error}.") from error
    except ImportError as error:
        raise MissingExtra(f"The driver for {shown} is not installed.", hint=f"pip install {error.name}") from error
    try:
        with engine.connect() as connection:
            answer = connection.execution_options(stream_results=True).execute(sa.text(query))
            if not answer.returns_rows:
                raise InvalidInput("The query gives no rows.", hint="Write a SELECT.")
            return _collect(answer)
    except sa.exc.SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise InvalidInput(f"The query failed on {shown}: {cause}") from error
    finally:
        engine.dispose()


def _collect(answer: sa.CursorResult[Any]) -> pa.Table:
    import pyarrow as pa

    names = list(answer.keys())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(f"The query gives two columns '{twice[0]}'.", hint="Rename one with AS.")
    tables = []
    for rows in answer.partitions(_ROWS_AT_ONCE):
        columns = []
        for name, values in zip(names, zip(*rows, strict=True), strict=True):
            try:
                columns.append(pa.array(values))
            except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
                raise InvalidInput(f"Column '{name}' of the query mixes types: {error}.", column=name) from error
        tables.append(plain(pa.table(columns, names=names)))
    if not tables:
        return pa.table({name: pa.nulls(0) for name in names})
    return unify(tables, [f"rows from {place * _ROWS_AT_ONCE:,}" for place in range(len(tables))]).combine_chunks()


def _from_root(url: sa.URL, root: Path) -> sa.URL:
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return url
    file = root / url.database
    if not file.is_file():  # opening it would make an empty one
        raise InvalidInput(f"There is no database file '{url.database}'.")
    return url.set(database=str(file))


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent) / name for name in files if not name.startswith("."))


def _raise(error: OSError) -> None:
    raise error


def _matches(pattern: str, root: Path) -> list[tuple[str, Path]]:
    parts = Path(pattern).parts
    fixed = next((place for place, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    base = root / Path(*parts[:fixed])
    if fixed == len(parts) or not base.is_dir():
        return []
    found = glob.glob(str(Path(*parts[fixed:])), root_dir=base, recursive=True)  # noqa: PTH207  # Path.glob has no root_dir
    return sorted((Path(name).as_posix(), base / name) for name in found if (base / name).is_file())


def _format(name: str) -> SnapshotFormat | None:
    return SUFFIXES.get(Path(name).suffix.lower())


def _table_format(files: list[tuple[str, Path]]) -> SnapshotFormat:
    first, found = files[0][0], _format(files[0][0])
    for name, _ in files:
        if _format(name) is None:
            raise InvalidInput(
                f"'{name}' is no table file.",
                hint=f"Tables end with {', '.join(SUFFIXES)}; give a folder to keep files of any kind.",
                file=name,
            )
        if _format(name) != found:
            raise InvalidInput(f"'{first}' and '{name}' are of different formats.", hint="Use one pattern per format.")
    assert found is not None
    return found
