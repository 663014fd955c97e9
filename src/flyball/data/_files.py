"""Reads table files whole, and says in plain words what is wrong with one that cannot be read."""

from __future__ import annotations

import mmap
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.data.arrow import plain
from flyball.errors import InvalidInput
from flyball.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from flyball.data.manifest import SnapshotFormat

SUFFIXES: dict[str, SnapshotFormat] = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json",
    ".ndjson": "json",
}  # fmt: skip
PACKED = (".gz", ".zst", ".bz2")
"""What may follow those."""
_PACKED_BY = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
_DELIMITERS = ",;\t|"


def read_file(path: Path, format: SnapshotFormat, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The table in a file, in plain types.

    Args:
        path: Where its bytes are.
        format: How to read it.
        name: What to call it in errors.
        columns: Only these, as far as the file has them; all by default.

    Raises:
        InvalidInput: the file cannot be read as that.
    """
    import pyarrow as pa

    if path.stat().st_size == 0:
        raise InvalidInput(f"{name} is empty.", file=name)
    if format != "parquet" and (packed := _packed_by(path)):
        with _unpacked(path, packed, name) as whole:
            return read_file(whole, format, name, columns)
    try:
        if format == "parquet":
            return plain(_read_parquet(path, columns))
        table = plain(_checked(_read_csv(path) if format == "csv" else _read_json(path), name))
    except UnicodeDecodeError as error:
        raise _not_utf8(name, "its first line") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidInput(f"{name} cannot be read as {format}: {_reason(path, format, error)}", file=name) from error
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error.message}", hint=error.hint, file=name) from error
    return table if columns is None else table.select([column for column in table.column_names if column in columns])


def inspect_file(path: Path, format: SnapshotFormat, name: str) -> tuple[pa.Schema, int]:
    """Columns and number of rows of a file; of Parquet only the footer is read.

    Raises:
        InvalidInput: the file cannot be read as that.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if format != "parquet":
        table = read_file(path, format, name)
        return table.schema, table.num_rows
    if path.stat().st_size == 0:
        raise InvalidInput(f"{name} is empty.", file=name)
    try:
        with pq.ParquetFile(path) as file:
            rows = file.metadata.num_rows
            return plain(file.schema_arrow.remove_metadata().empty_table()).schema, rows
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"{name} cannot be read as parquet: {_reason(path, format, error)}", file=name) from error
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error.message}", hint=error.hint, file=name) from error


def _packed_by(path: Path) -> str:
    # By its first bytes, since a kept file has no ending; no text begins so.
    with path.open("rb") as file:
        start = file.read(4)
    return next((packed for magic, packed in _PACKED_BY.items() if start.startswith(magic)), "")


@contextmanager
def _unpacked(path: Path, packed: str, name: str) -> Iterator[Path]:
    import pyarrow as pa

    with tempfile.TemporaryDirectory(prefix="flyball-unpacked-") as folder:
        whole = Path(folder) / "whole"
        try:
            with pa.input_stream(str(path), compression=packed) as source, whole.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        except (OSError, pa.ArrowException) as error:
            raise InvalidInput(f"{name} cannot be unpacked by {packed}: {error}.", file=name) from error
        yield whole


def _read_parquet(path: Path, columns: Sequence[str] | None) -> pa.Table:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, memory_map=True) as file:
        names = file.schema_arrow.names
        Schema.of(file.schema_arrow)  # the reader itself would take the first of two columns of one name
        wanted = None if columns is None else [name for name in names if name in columns]
        table = file.read(columns=wanted)
        # Without columns, taking the metadata off would lose the number of rows.
        return table.replace_schema_metadata(None) if table.num_columns else table


def _read_csv(path: Path, *, use_threads: bool = True) -> pa.Table:
    import pyarrow.csv as pc

    with path.open("rb") as file:
        header = file.readline(1 << 20)
    counts = {delimiter: header.count(delimiter.encode()) for delimiter in _DELIMITERS}
    delimiter = max(_DELIMITERS, key=lambda character: counts[character])
    table = pc.read_csv(
        str(path),
        read_options=pc.ReadOptions(block_size=8 << 20, use_threads=use_threads),
        parse_options=pc.ParseOptions(delimiter=delimiter, newlines_in_values=_has_quotes(path)),
        convert_options=pc.ConvertOptions(strings_can_be_null=True),
    )
    last = table.slice(max(0, table.num_rows - 1)).to_pylist()
    if last and any(isinstance(value, str) and "\n" in value for value in last[0].values()) and _quotes(path) % 2:
        # The reader takes all lines to the end for one value, and says nothing of it.
        raise ValueError(f"a quote that is opened in row {table.num_rows:,} is never closed")
    return table


def _read_json(path: Path) -> pa.Table:
    import msgspec
    import pyarrow as pa
    import pyarrow.json as pj

    with path.open("rb") as file:
        is_array = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    if is_array:
        try:
            rows = msgspec.json.decode(path.read_bytes())
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from error
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError("the array holds other things than objects")
        names = dict.fromkeys(name for row in rows for name in row)
        return pa.table({name: [row.get(name) for row in rows] for name in names})
    # A row must not straddle a block, so the block is as large as the file.
    size = min(max(path.stat().st_size + 1, 1 << 20), (1 << 31) - 1)
    return pj.read_json(str(path), read_options=pj.ReadOptions(block_size=size))


def _checked(table: pa.Table, name: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.types as t

    for field in table.schema:
        if t.is_binary(field.type):  # that is how the CSV reader takes what is no UTF-8
            raise _not_utf8(name, f"column '{field.name}'")
    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        raise _not_utf8(name, "a column") from error
    return table


def _has_quotes(path: Path) -> bool:
    # Only quoted values may hold line breaks, and looking out for them makes reading slower.
    return _find(path, b'"') >= 0


def _quotes(path: Path) -> int:
    with path.open("rb") as file:
        return sum(piece.count(b'"') for piece in iter(lambda: file.read(1 << 20), b""))


def _find(path: Path, wanted: bytes) -> int:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        return view.find(wanted)


def _reason(path: Path, format: SnapshotFormat, error: Exception) -> str:
    import pyarrow as pa

    with path.open("rb") as file:
        start = file.read(4)
    if format == "parquet":
        if start != b"PAR1":
            return "it does not begin as a Parquet file does."
        if "magic bytes" in str(error) or "footer" in str(error):
            return "its end is missing; the file is truncated."
    elif start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "it is UTF-16; save it as UTF-8."
    elif _find(path, b"\0") >= 0:
        return "it holds NUL bytes; it is no text, or damaged."
    elif format == "csv" and "CSV parse error" in str(error):
        # Only one thread alone knows the number of the row.
        try:
            _read_csv(path, use_threads=False)
        except (pa.ArrowException, ValueError) as slower:
            error = slower
    text = str(error).removeprefix("CSV parse error: ").removeprefix("JSON parse error: ").strip()
    return text[:300] + ("" if text.endswith(".") else ".")


def _not_utf8(name: str, where: str) -> InvalidInput:
    return InvalidInput(f"{name} is not UTF-8 in {where}.", hint="Save it as UTF-8.", file=name)
