"""Rows that repeat: a sample of a window's rows, the same in every part of it, with how often each is there.

Each row's values are hashed together, and the rows with the smallest hashes are kept with their counts. A row that is
among the smallest of the whole is so in each part that holds it: samples of parts merge into that of the whole, exactly.
How many distinct rows there are follows from how small the largest kept hash is.

Source: Bar-Yossef et al., Counting Distinct Elements in a Data Stream, RANDOM 2002; Cohen and Kaplan, Summarizing Data Using
Bottom-k Sketches, PODC 2007.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Hashes = npt.NDArray[np.uint64]

KEPT = 512
_BITS = 53  # whole numbers that JSON readers of every language keep
_BLOCK = 1 << 16
_MOST_COLUMNS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSample:
    """The rows with the smallest hashes.

    Attributes:
        hashes: Ascending, below 2^53; `counts`: rows of each.
    """

    hashes: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        """Rows that the sample stands for by itself."""
        return sum(self.counts)

    @property
    def repeated(self) -> int:
        """Those of them that say again what another has said."""
        return self.rows - len(self.hashes)

    @property
    def distinct(self) -> float:
        """How many different rows the whole has, within 5 %."""
        if len(self.hashes) < KEPT:
            return float(len(self.hashes))
        return float((KEPT - 1) * 2**_BITS / self.hashes[-1])


def sample_rows(table: pa.Table, columns: Sequence[str]) -> RowSample | None:
    """The sample of a table's rows by the values of these numeric columns; None if one is not there."""
    if not columns or any(name not in table.column_names for name in columns):
        return None
    if not all(_is_number(table.schema.field(name).type) for name in columns):
        return None
    found: dict[int, int] = {}
    limit = 1 << _BITS
    for batch in table.select(list(columns)).to_batches(max_chunksize=_BLOCK):
        hashes = _hashes(batch)
        for value, count in _counted(hashes[hashes < limit]):
            found[value] = found.get(value, 0) + count
        if len(found) > 2 * KEPT:
            found = _smallest(found)
            limit = max(found) + 1
    kept = _smallest(found)
    return RowSample(hashes=tuple(kept), counts=tuple(kept.values()))


def merge_samples(samples: Iterable[RowSample | None]) -> RowSample | None:
    """The sample of all their rows; None if one of them is not known."""
    found: dict[int, int] = {}
    for sample in samples:
        if sample is None:
            return None
        for value, count in zip(sample.hashes, sample.counts, strict=True):
            found[value] = found.get(value, 0) + count
    kept = _smallest(found)
    return RowSample(hashes=tuple(kept), counts=tuple(kept.values()))


def identifying(columns: Sequence[str]) -> tuple[str, ...]:
    """By which of the columns with many values rows are told apart: four say as much as all, and cost less."""
    return tuple(columns[:_MOST_COLUMNS]) if len(columns) > 1 else ()


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    kind = kind.value_type if t.is_dictionary(kind) else kind
    return bool(t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind))


def _hashes(batch: pa.RecordBatch) -> Hashes:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    mixed: Hashes = np.zeros(batch.num_rows, dtype=np.uint64)
    for column in batch.columns:
        whole = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        values = pc.cast(whole, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        bits = np.add(values, 0.0).view(np.uint64)  # minus zero becomes zero
        mixed ^= bits
        mixed *= np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed >>= np.uint64(64 - _BITS)
    return mixed


def _counted(hashes: Hashes) -> Iterable[tuple[int, int]]:
    import numpy as np

    if len(hashes) > 4 * KEPT:  # of a first block most are too large to stay
        ends = np.partition(hashes, 3 * KEPT)
        hashes = hashes[hashes < ends[3 * KEPT]] if len(np.unique(ends[: 3 * KEPT])) >= KEPT else hashes
    values, counts = np.unique(hashes, return_counts=True)
    return zip(values.tolist(), counts.tolist(), strict=True)


def _smallest(found: dict[int, int]) -> dict[int, int]:
    return {value: found[value] for value in sorted(found)[:KEPT]}
