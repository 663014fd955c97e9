"""Counting a column's values into bins, block by block, with sums that are exact in any order."""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from flyball.data.exact_sums import BLOCK, ExactSums, count_under
from flyball.data.profile import CLIP_STEPS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from flyball.monitoring.profile import ColumnCounts, NumericBins

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

_MOST_EIGHTHS = 8 * 120  # octaves that are told apart: what lies farther is as far


class BinTally:
    """Counts blocks of values into bins."""

    def __init__(self, cells: NumericBins) -> None:
        import numpy as np

        self._cells = cells
        self._under: Ints = np.zeros(len(cells.edges) - 1, dtype=np.int64)
        self._repeated: Ints = np.zeros(len(cells.repeated), dtype=np.int64)
        self._sums = ExactSums(cells.center, cells.step, has_buckets=cells.has_buckets)
        self._is_so = np.empty(BLOCK, dtype=np.bool_)
        self._scratch = np.empty(BLOCK, dtype=np.float64)
        self._finite = self._over = self._not_a_number = self._minus_infinite = self._infinite = 0
        self._low, self._high = math.inf, -math.inf
        self._outside: Counter[str] = Counter()

    def add(self, block: npt.NDArray[np.number]) -> None:
        """Counts the values of a block of at most `BLOCK`."""
        import numpy as np

        values = block.astype(np.float64, copy=False)
        low, high = float(values.min()), float(values.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            values = self._without_odd_ones(values)
            if not len(values):
                return
            low, high = float(values.min()), float(values.max())
        self._low, self._high = min(self._low, low), max(self._high, high)
        self._finite += len(values)
        is_so = self._is_so[: len(values)]
        self._under += count_under(self._cells.edges[:-1], values, low, high, is_so)
        if high > self._cells.edges[-1]:
            self._over += int(np.count_nonzero(np.greater(values, self._cells.edges[-1], out=is_so)))
        if low < self._cells.edges[0] or high > self._cells.edges[-1]:
            odd = values[(values < self._cells.edges[0]) | (values > self._cells.edges[-1])]
            self._outside.update(dict(_outside_counts(odd)))
        for place, value in enumerate(self._cells.repeated):
            self._repeated[place] += np.count_nonzero(np.equal(values, value, out=is_so))
        self._sums.add(values, self._scratch[: len(values)])

    def result(self, nothing: ColumnCounts) -> ColumnCounts:
        """All that was counted; `nothing` has the column, its rows and those without a value."""
        import numpy as np

        counts = np.diff(np.append(self._under, self._finite - self._over))
        for value, rows in zip(self._cells.repeated, self._repeated, strict=True):
            place = bisect.bisect_right(self._cells.edges, value) - 1
            counts[min(place, len(counts) - 1)] -= rows
        infinities = (self._infinite - self._minus_infinite, self._infinite + self._minus_infinite)
        return replace(
            nothing,
            counts=tuple(counts.tolist()),
            missing=nothing.missing + self._not_a_number,
            below=int(self._under[0]) + self._minus_infinite,
            above=self._over + self._infinite,
            repeated=tuple(self._repeated.tolist()),
            sum=self._sums.sum + CLIP_STEPS * infinities[0],
            sum_squares=self._sums.squares + CLIP_STEPS**2 * infinities[1],
            minimum=self._low if self._finite else None,
            maximum=self._high if self._finite else None,
            buckets=self._sums.buckets,
            outside={key: self._outside[key] for key in sorted(self._outside)},
        )

    def _without_odd_ones(self, values: Floats) -> Floats:
        import numpy as np

        self._not_a_number += int(np.count_nonzero(np.isnan(values)))
        self._minus_infinite += int(np.count_nonzero(values == -math.inf))
        self._infinite += int(np.count_nonzero(values == math.inf))
        return values[np.isfinite(values)]


def _outside_counts(values: Floats) -> Iterator[tuple[str, int]]:
    import numpy as np

    with np.errstate(divide="ignore"):
        octaves = np.clip(np.floor(8 * np.log2(np.abs(values))), -_MOST_EIGHTHS, _MOST_EIGHTHS).astype(np.int64)
    signed = np.where(values < 0, -1, 1)
    keys, rows = np.unique(np.stack([signed, octaves]), axis=1, return_counts=True)
    for sign, eighth, count in zip(keys[0].tolist(), keys[1].tolist(), rows.tolist(), strict=True):
        yield f"{'-' if sign < 0 else '+'}{eighth}", count


def outside_range(key: str) -> tuple[float, float]:
    """The least and the greatest value that a key of `ColumnCounts.outside` stands for.

    >>> outside_range("+80")[0], outside_range("-80")[1]
    (1024.0, -1024.0)
    """
    eighth = int(key[1:])
    low, high = 2.0 ** (eighth / 8), 2.0 ** ((eighth + 1) / 8)
    if eighth <= -_MOST_EIGHTHS:
        low = 0.0
    return (low, high) if key[0] == "+" else (-high, -low)
