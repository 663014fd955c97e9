"""Segments of the prediction log: their columns, their names, and how they are read back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.serving.batches import Batch, batch_tables
from flyball.serving.manifest import segment_prefix
from flyball.storage.object_store import ObjectStore

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.serving.prediction_log import Entry

INPUT = "input."
"""What the names of input columns begin with."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGE = 8 << 20
_MICROSECOND = timedelta(microseconds=1)
_ANSWER_COLUMNS = ("prediction", "probability", "probabilities")
_REPEATING = ("revision", "role", "request_id", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Bytes on their way to the store.

    Attributes:
        spooled: The file on this machine that is not needed any more once they are there.
    """

    key: str
    data: bytes
    rows: int
    spooled: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentName:
    """What the key of a segment tells without reading it.

    Attributes:
        stamp: When it was written; grows with each segment of a replica.
        low: Earliest moment of a prediction in it.
        high: Latest one.
    """

    key: str
    replica: str
    stamp: str
    low: datetime
    high: datetime

    @property
    def written(self) -> datetime:
        """When it was written, by the clock of the model server."""
        return datetime.strptime(self.stamp, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)


def segment_name(deployment: str, replica: str, stamp: datetime, low: datetime, high: datetime) -> str:
    """The key of a segment: when it was written, by whom, and the times of its predictions.

    >>> at = datetime(2013, 3, 1, tzinfo=UTC)
    >>> segment_name("churn", "main", at, at, at)
    'predictions/churn/20130301T000000-main-000000_1362096000000000_1362096000000000.parquet'
    """
    first, last = ((moment - _EPOCH) // _MICROSECOND for moment in (low, high))
    name = f"{stamp:%Y%m%dT%H%M%S}-{replica}-{stamp.microsecond:06d}_{first}_{last}.parquet"
    return segment_prefix(deployment) + name


def parse_segment(key: str) -> SegmentName | None:
    """What the key of a segment tells; None if it is not one."""
    head, _, last = key.rpartition("/")[2].removesuffix(".parquet").rpartition("_")
    head, _, first = head.rpartition("_")
    head, _, micros = head.rpartition("-")
    second, _, replica = head.partition("-")
    try:
        low, high = (_EPOCH + int(text) * _MICROSECOND for text in (first, last))
    except (ValueError, OverflowError):
        return None
    return SegmentName(key=key, replica=replica, stamp=f"{second}.{micros}", low=low, high=high)


def tables_of(entries: Sequence[Entry | Batch]) -> list[pa.Table]:
    """The rows of entries, one table for each kind of them."""
    tables = [_table(list(group)) for group in _groups([each for each in entries if not isinstance(each, Batch)])]
    return [*tables, *batch_tables([each for each in entries if isinstance(each, Batch)])]


def encode(tables: Sequence[pa.Table]) -> Iterator[tuple[bytes, int, datetime, datetime]]:
    """Parquet files of tables, with their rows and times: one, or several where the types do not go together."""
    import pyarrow as pa

    try:
        whole = [pa.concat_tables(tables, promote_options="default")] if tables else []
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        whole = list(tables)
    for table in whole:
        low, high = _bounds(table)
        yield parquet(table), table.num_rows, low, high


def segments_of(store: ObjectStore, deployment: str) -> list[SegmentName]:
    """The segments of a deployment, in the order of their writing."""
    found = [parse_segment(item.key) for item in store.list(segment_prefix(deployment))]
    return sorted((name for name in found if name is not None), key=lambda name: (name.stamp, name.key))


def _groups(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    # Entries of one arm have one input schema, so their tables are put together without a look at each column.
    groups: dict[object, list[Entry]] = {}
    for entry in entries:
        kind = (entry.revision, entry.role, entry.answered, entry.inputs is None, bool(entry.error))
        groups.setdefault(kind, []).append(entry)
    yield from groups.values()


def _table(entries: list[Entry]) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    first, counts = entries[0], [len(entry.ids) for entry in entries]
    rows = sum(counts)
    times = np.repeat(np.array([(entry.at - _EPOCH) // _MICROSECOND for entry in entries], np.int64), counts)
    columns: dict[str, Any] = {
        "prediction_id": pa.array([name for entry in entries for name in entry.ids], pa.string()),
        "at": pa.array(times).cast(pa.timestamp("us", "UTC")),
        "revision": pa.repeat(first.revision, rows),
        "model_version": pa.repeat(pa.scalar(first.model_version, pa.int64()), rows),
        "role": pa.repeat(first.role, rows),
        "answered": pa.repeat(first.answered, rows),
        "key": pa.array([key for entry in entries for key in _keys(entry)], pa.string()),
    }
    if first.inputs is not None:
        inputs = pa.concat_tables([entry.inputs for entry in entries])
        columns.update({INPUT + name: inputs.column(name) for name in inputs.column_names})
    answer = unify([entry.answer for entry in entries])
    columns.update({name: answer.column(name) for name in _ANSWER_COLUMNS if name in answer.column_names})
    columns["latency_us"] = pa.array(np.repeat(np.array([e.latency_us for e in entries], np.int32), counts))
    columns["request_id"] = pa.array([e.request_id for e in entries]).take(
        pa.array(np.repeat(np.arange(len(entries)), counts))
    )
    if any(entry.trace_id for entry in entries):
        columns["trace_id"] = pa.array([e.trace_id or None for e in entries], pa.string()).take(
            pa.array(np.repeat(np.arange(len(entries)), counts))
        )
    if first.error:
        columns["error"] = pa.array(
            [error for entry in entries for error in [entry.error] * len(entry.ids)], pa.string()
        )
    return pa.table(columns)


def _keys(entry: Entry) -> Sequence[str | None]:
    return [None] * len(entry.ids) if entry.keys is None else entry.keys


def _bounds(table: pa.Table) -> tuple[datetime, datetime]:
    import pyarrow.compute as pc

    found = pc.min_max(table["at"].cast("int64")).as_py()
    return _EPOCH + found["min"] * _MICROSECOND, _EPOCH + found["max"] * _MICROSECOND


def parquet(table: pa.Table) -> bytes:
    """The bytes of a segment of these rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = [field.name for field in table.schema if field.name.startswith(INPUT) and pa.types.is_string(field.type)]
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", compression_level=1, use_dictionary=[*_REPEATING, *texts])
    return bytes(sink.getvalue().to_pybytes())


def read_segment(data: bytes, columns: Sequence[str] | None, *, only: str = "") -> pa.Table:
    """The rows of a segment: some columns beside those that tell rows apart, or those of one prediction `only`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if only:
        return pq.read_table(pa.BufferReader(data), filters=[("prediction_id", "=", only)])
    with pq.ParquetFile(pa.BufferReader(data)) as file:
        names = file.schema_arrow.names
        wanted = None if columns is None else {*columns, "prediction_id", "at", "revision", "answered"}
        chosen = None if wanted is None else [name for name in names if name in wanted]
        return file.read(columns=chosen, use_threads=len(data) > _LARGE)  # on small files the threads cost more


def unify(tables: list[pa.Table]) -> pa.Table:
    """One table of tables that may differ in columns and types; missing columns are null."""
    import pyarrow as pa

    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.concat_tables(_as_texts_where_different(tables), promote_options="permissive")


def _as_texts_where_different(tables: list[pa.Table]) -> list[pa.Table]:
    import pyarrow as pa

    kinds: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for field in table.schema:
            kinds.setdefault(field.name, set()).add(field.type)
    different = {name for name, found in kinds.items() if len(found) > 1 and any(pa.types.is_string(k) for k in found)}
    return [
        table.cast(pa.schema([f.with_type(pa.string()) if f.name in different else f for f in table.schema]))
        for table in tables
    ]


def between(table: pa.Table, start: datetime | None, end: datetime | None) -> pa.Table:
    """The predictions from `start` to before `end`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for moment, keeps in ((start, pc.greater_equal), (end, pc.less)):
        if moment is not None:
            table = table.filter(keeps(table["at"], pa.scalar(moment, pa.timestamp("us", "UTC"))))
    return table


def first_of_each(table: pa.Table) -> pa.Table:
    """The first answered row of an id, and the first row of each shadow."""
    import numpy as np

    if table.num_rows == 0:
        return table
    names = _codes(table["prediction_id"])
    revisions = np.where(table["answered"].to_numpy(), 0, 1 + _codes(table["revision"]))
    _, first = np.unique(names * (int(revisions.max()) + 1) + revisions, return_index=True)
    return table if len(first) == table.num_rows else table.take(np.sort(first))


def _codes(column: pa.ChunkedArray) -> Any:
    import numpy as np

    return column.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)


def no_predictions() -> pa.Table:
    """A log without rows."""
    import pyarrow as pa

    kinds = {
        "prediction_id": pa.string(), "at": pa.timestamp("us", "UTC"), "revision": pa.string(),
        "model_version": pa.int64(), "role": pa.string(), "answered": pa.bool_(), "key": pa.string(),
        "prediction": pa.null(), "probability": pa.float64(), "latency_us": pa.int32(), "request_id": pa.string(),
    }  # fmt: skip
    return pa.schema(list(kinds.items())).empty_table()
