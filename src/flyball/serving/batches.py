"""Predictions that were made together, as the arrays that they were made in; a table is made of them off the request's way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.models.flavors.base import Scores, answer_table
from flyball.models.signature import arrow_type
from flyball.schema import Schema

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Predictions that one arm made at once, of one request or several.

    Attributes:
        ids: One for each row.
        counts: Rows of each request; `times`, in microseconds since 1970, `request_ids` and `trace_ids` are one for each, too.
        answered: Whether this is what the callers got; False for a shadow's.
        keys: What the rows were routed by, where that is not the id.
        schema: The columns of `inputs`, which is a matrix of their values; None if inputs are not logged.
        scores: What the model said; None if it failed.
        latency_us: Time that the model took for all of them.
        error: Why the arm gave no answer; another arm may have answered in its place.
    """

    ids: Sequence[str]
    counts: Sequence[int]
    times: Sequence[int]
    request_ids: Sequence[str]
    trace_ids: Sequence[str]
    revision: str
    model_version: int
    role: str
    answered: bool
    schema: Schema
    scores: Scores | None
    inputs: np.ndarray[Any, Any] | None = None
    keys: Sequence[str] | None = None
    latency_us: int = 0
    error: str = ""


def batch_tables(batches: Sequence[Batch]) -> Iterator[pa.Table]:
    """The rows of the batches, one table for each arm and way of ending."""
    groups: dict[object, list[Batch]] = {}
    for batch in batches:
        kind = (batch.revision, batch.role, batch.answered, batch.inputs is None, batch.keys is None, bool(batch.error))
        groups.setdefault((kind, _kind_of(batch.scores)), []).append(batch)
    yield from map(_table, groups.values())


def _kind_of(scores: Scores | None) -> object:
    if scores is None:
        return None
    return scores.prediction.dtype.kind, None if scores.chances is None else scores.chances.shape[1]


def _table(batches: list[Batch]) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    first, sizes = batches[0], [len(batch.ids) for batch in batches]
    rows = sum(sizes)
    counts = np.array([count for batch in batches for count in batch.counts])
    requests = pa.array(np.repeat(np.arange(len(counts)), counts))
    times = np.repeat(np.array([at for batch in batches for at in batch.times], np.int64), counts)
    keys: Any = pa.nulls(rows, pa.string())
    if first.keys is not None:
        keys = pa.array([key for batch in batches for key in batch.keys or ()], pa.string())
    columns: dict[str, Any] = {
        "prediction_id": pa.array([name for batch in batches for name in batch.ids], pa.string()),
        "at": pa.array(times).cast(pa.timestamp("us", "UTC")),
        "revision": pa.repeat(first.revision, rows),
        "model_version": pa.repeat(pa.scalar(first.model_version, pa.int64()), rows),
        "role": pa.repeat(first.role, rows),
        "answered": pa.repeat(first.answered, rows),
        "key": keys,
        **_inputs(batches),
    }
    scores = [batch.scores for batch in batches if batch.scores is not None]
    if scores:
        answer = answer_table(_joined(scores))
        columns.update({name: answer.column(name) for name in answer.column_names})
    else:
        columns["prediction"] = pa.nulls(rows)
    columns["latency_us"] = pa.array(np.repeat(np.array([b.latency_us for b in batches], np.int32), sizes))
    names = pa.array([name for batch in batches for name in batch.request_ids], pa.string())
    columns["request_id"] = names.take(requests)
    if any(name for batch in batches for name in batch.trace_ids):
        traces = pa.array([name or None for batch in batches for name in batch.trace_ids], pa.string())
        columns["trace_id"] = traces.take(requests)
    if first.error:
        columns["error"] = pa.array([batch.error for batch in batches for _ in batch.ids], pa.string())
    return pa.table(columns)


def _inputs(batches: list[Batch]) -> dict[str, pa.Array]:
    import numpy as np
    import pyarrow as pa

    if batches[0].inputs is None:
        return {}
    rows = np.concatenate([batch.inputs for batch in batches if batch.inputs is not None])
    made = {}
    for place, column in enumerate(batches[0].schema.columns):
        values = rows[:, place]
        missing = np.isnan(values)
        whole = column.type != "float"
        plain = np.where(missing, 0, values).astype(bool if column.type == "bool" else np.int64) if whole else values
        made[f"input.{column.name}"] = pa.array(plain, mask=missing if missing.any() else None).cast(arrow_type(column))
    return made


def _joined(scores: list[Scores]) -> Scores:
    import numpy as np

    chances = [each.chances for each in scores if each.chances is not None]
    return Scores(
        prediction=np.concatenate([each.prediction for each in scores]),
        chances=np.concatenate(chances) if chances else None,
    )
