"""A frame as one Parquet file, written so that the next version of it shares most of its bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import blake3

from flyball.errors import InvalidInput
from flyball.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa

FRAME_FILE = "table.parquet"
# Written so for ever: equal frames give equal bytes only as long as nobody changes this. Pages end where the content says so; the
# library's own, larger chunks lose an insert (129 MB new instead of 15, measured).
_PAGES = {"min_chunk_size": 64 << 10, "max_chunk_size": 256 << 10, "norm_level": 0}
# An edit touches one or two pages of each column, which is much of a small frame unless its pages are small too.
_SMALL_FRAME = 1 << 19
_SMALL_PAGES = {"min_chunk_size": 8 << 10, "max_chunk_size": 32 << 10, "norm_level": 0}
_ROWS_IN_GROUP = 4 << 20
# A dictionary that grows moves every code after it; so only columns get one that repeat a few values.
_FEW_VALUES = 1024
_SAMPLE = 1 << 16


def write_frame(table: pa.Table, target: Path, what: str) -> tuple[Schema, int]:
    """Writes a table as Parquet, in parts where it is large; gives its schema and its number of rows.

    Args:
        what: What to call it in errors.

    Raises:
        InvalidInput: it holds no rows, or cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not table.num_rows or not table.num_columns:
        raise InvalidInput(f"{what} holds no rows.")
    options: Any = {
        "compression": "zstd",
        "version": "2.6",
        "use_content_defined_chunking": _SMALL_PAGES if table.num_rows < _SMALL_FRAME else _PAGES,
        "use_dictionary": _repeating(table),
    }
    try:
        with pq.ParquetWriter(target, table.schema, **options) as writer:
            for start in range(0, table.num_rows, _ROWS_IN_GROUP):
                # Bytes must not depend on how the rows were cut into pieces on the way here.
                part = table.slice(start, _ROWS_IN_GROUP).combine_chunks()
                writer.write_table(part, row_group_size=_ROWS_IN_GROUP)
    except pa.ArrowException as error:
        raise InvalidInput(f"{what} cannot be written as Parquet: {error}.") from error
    return Schema.of(table), table.num_rows


def frame_digest(table: pa.Table) -> str:
    """BLAKE3 of a table's columns and values in memory.

    Equal digests mean equal tables. Equal tables mostly have equal digests; where what lies beneath a missing value differs, they
    do not, and only the written bytes tell.
    """
    import pyarrow as pa

    sink = _Hasher()
    with pa.ipc.new_stream(pa.PythonFile(cast("Any", sink), mode="w"), table.schema) as stream:
        for start in range(0, table.num_rows, _ROWS_IN_GROUP):
            stream.write_table(table.slice(start, _ROWS_IN_GROUP).combine_chunks())
    return str(sink.hasher.hexdigest())


class _Hasher:
    """A file that keeps nothing but the digest of what is written into it."""

    closed = False

    def __init__(self) -> None:
        self.hasher = blake3.blake3()

    def write(self, data: Any) -> int:
        self.hasher.update(data)
        return len(data)

    def flush(self) -> None:
        return

    def close(self) -> None:
        self.closed = True


def _repeating(table: pa.Table) -> list[str]:
    import pyarrow.compute as pc
    import pyarrow.types as t

    found = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if t.is_string(kind) or t.is_integer(kind) or t.is_binary(kind) or t.is_date(kind):
            sample = column.slice(0, _SAMPLE)
            if pc.count_distinct(sample).as_py() <= min(_FEW_VALUES, max(len(sample) // 2, 1)):
                found.append(name)
    return found
