"""Leakage: a column that equals the label, or tells it nearly always, and so may not be known when a prediction is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flyball.data.cleaning.base import Cleaner, CleanFinding, Suspect, numbers

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_ROWS = 50_000
_BINS = 50
_LEAST_ROWS = 100
_SUSPECT = 0.9  # of what there is to be told beyond the most frequent label
_SURE = 0.995


class Leakage:
    """How much of the label each single column tells, on rows that it was not counted on."""

    def find(self, suspect: Suspect) -> Iterator[CleanFinding]:
        """Columns that tell too much."""
        label = suspect.table.label
        if not label:
            return
        rows = suspect.table.labelled().arrow.slice(0, _ROWS)
        if rows.num_rows < _LEAST_ROWS:
            return
        truth = _codes(rows.column(label))
        is_number = rows.schema.field(label).type in _numeric_types() and len(set(truth.tolist())) > _BINS
        for column in suspect.inputs:
            values = rows.column(column.column)
            if column.type in ("list", "struct", "binary", "null") or not column.known:
                continue
            told = (
                _fit(numbers(rows.column(label)), values, column.type)
                if is_number
                else _told(values, truth, column.type)
            )
            if told < _SUSPECT:
                continue
            how = "equals" if told >= 1.0 else "nearly tells"
            yield CleanFinding(
                kind="leakage",
                column=column.column,
                found=f"'{column.column}' {how} the label '{label}': it tells {told:.1%} of what there is to tell",
                rows=rows.num_rows,
                confidence=0.95 if told >= _SURE else 0.7,
                examples=suspect.show(column.column, list(column.examples)),
                fix=f"rows = fb.clean.drop_columns(rows, [{column.column!r}])",
            )


def _numeric_types() -> tuple[pa.DataType, ...]:
    import pyarrow as pa

    return (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64())


def _told(values: pa.ChunkedArray, truth: npt.NDArray[np.int64], kind: str) -> float:
    """The share of labels beyond the most frequent one that the column's value tells: counted on one half, tried on the other."""
    import numpy as np

    cells = _cells(values, kind)
    half = np.arange(len(truth)) % 2 == 0
    width = int(truth.max()) + 1
    counts = np.bincount(cells[half] * width + truth[half], minlength=(int(cells.max()) + 1) * width).reshape(-1, width)
    usual = int(np.bincount(truth[half]).argmax())
    guess = np.where(counts.sum(1) > 0, counts.argmax(1), usual)[cells[~half]]
    base = float((truth[~half] == usual).mean())
    if base >= 1:
        return 0.0
    return (float((truth[~half] == guess).mean()) - base) / (1 - base)


def _fit(truth: npt.NDArray[np.float64], values: pa.ChunkedArray, kind: str) -> float:
    """The share of a numeric label's variance that a straight line over the column tells."""
    import numpy as np

    if kind not in ("int", "float", "decimal"):
        return 0.0
    x = numbers(values)
    both = ~(np.isnan(x) | np.isnan(truth))
    if both.sum() < _LEAST_ROWS or not x[both].std() or not truth[both].std():
        return 0.0
    return float(np.corrcoef(x[both], truth[both])[0, 1] ** 2)


def _cells(values: pa.ChunkedArray, kind: str) -> npt.NDArray[np.int64]:
    """Values as cells: numbers in 50 bins of equally many and one for missing, others by value."""
    import numpy as np
    import pyarrow as pa

    if kind in ("timestamp", "date"):
        values = values.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        kind = "int"
    if kind not in ("int", "float", "decimal"):
        return _codes(values)
    x = numbers(values)
    known = x[~np.isnan(x)]
    if len(np.unique(known)) <= 2 * _BINS:
        return _codes(values)
    cuts = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))
    return np.where(np.isnan(x), len(cuts) + 1, np.searchsorted(cuts, x, side="right")).astype(np.int64)


def _codes(values: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    import pyarrow as pa

    encoded = values.cast(pa.string()).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    missing = len(encoded.dictionary)
    codes: npt.NDArray[np.int64] = encoded.indices.cast(pa.int64()).fill_null(missing).to_numpy(zero_copy_only=False)
    return codes


plugin: Cleaner = Leakage()
