"""Values as files, for programs that are not Python: written in the form that a suffix asks for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput
from flyball.serialization import to_json

if TYPE_CHECKING:
    import pyarrow as pa


def write_value(value: object, folder: Path, name: str, suffix: str = "") -> Path:
    """Writes a value to a file in a folder; gives its path. A file is copied, so that nobody writes into the one that is kept.

    Args:
        suffix: `.parquet`, `.csv`, `.arrow`, `.json` or `.jsonl`; by default Parquet for a table and JSON for anything else. A
            file keeps its own suffix where none is given.

    Raises:
        InvalidInput: the value cannot be written in that form.
    """
    if isinstance(value, Path):
        return _copy(value, folder / f"{name}{suffix or ''.join(value.suffixes[-2:])}")
    table = _as_table(value)
    form = suffix or (".json" if table is None else ".parquet")
    path = folder / f"{name}{form}"
    write = FORMATS.get(form)
    if write is None:
        raise InvalidInput(f"Input '{name}' cannot be written as '{form}'.", hint=f"There is {', '.join(FORMATS)}.")
    if table is None and form != ".json":
        raise InvalidInput(
            f"Input '{name}' is a {type(value).__name__}, which cannot be written as '{form}'.",
            hint="A table can; any other value is written as .json.",
        )
    try:
        write(value if table is None else table, path)
    except TypeError as error:
        raise InvalidInput(
            f"Input '{name}' is a {type(value).__name__}, which cannot be written as JSON: {error}.",
            hint="Hand over a table, a path to a file, or plain values.",
        ) from error
    return path


def _as_table(value: object) -> pa.Table | None:
    if isinstance(value, str | bytes | int | float | list | dict | tuple) or value is None:
        return None
    if hasattr(value, "__arrow_c_stream__") or hasattr(value, "__dataframe__"):
        from flyball.data.arrow import to_arrow
        from flyball.data.table import Table

        return value.arrow if isinstance(value, Table) else to_arrow(value)
    return None


def _copy(source: Path, target: Path) -> Path:
    if not source.is_file():
        raise InvalidInput(f"There is no file '{source}'.")
    shutil.copyfile(source, target)
    return target


def _parquet(table: Any, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path)


def _csv(table: Any, path: Path) -> None:
    import pyarrow.csv

    pyarrow.csv.write_csv(table, path)


def _arrow(table: Any, path: Path) -> None:
    import pyarrow.feather

    pyarrow.feather.write_feather(table, path, compression="uncompressed")


def _json(value: Any, path: Path) -> None:
    path.write_bytes(to_json(value.to_pylist() if hasattr(value, "to_pylist") else value))


def _json_lines(table: Any, path: Path) -> None:
    def lines() -> Iterable[bytes]:
        for batch in table.to_batches(max_chunksize=10_000):
            for row in batch.to_pylist():
                yield to_json(row)
                yield b"\n"

    with path.open("wb") as file:
        file.writelines(lines())


FORMATS: dict[str, Callable[[Any, Path], None]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".arrow": _arrow,
    ".json": _json,
    ".jsonl": _json_lines,
}
"""How a value is written, by the suffix of its file."""
