"""Sums over the values of a column that come out the same to the last bit, in whatever order its blocks are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.data.profile import BUCKETS, CLIP_STEPS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

BLOCK = 1 << 15
"""Values that stay in the processor's cache while all edges pass over them; with `CLIP_STEPS`, squares stay below 2^53."""


class ExactSums:
    """Adds up values as whole steps from a center, and their squares; where there are many values, counts them in buckets.

    Args:
        center: What counts as zero steps.
        step: How much one step is.
        has_buckets: Whether buckets are counted.
    """

    def __init__(self, center: float, step: float, *, has_buckets: bool) -> None:
        import numpy as np

        self._center, self._step = center, step
        self._buckets: Ints = np.zeros(BUCKETS if has_buckets else 0, dtype=np.int64)
        self.sum = self.squares = 0

    @property
    def buckets(self) -> tuple[int, ...]:
        """How many values fell into each bucket; empty where none are counted."""
        return tuple(self._buckets.tolist())

    def add(self, values: Floats, scratch: Floats) -> None:
        """Adds a block of at most `BLOCK` finite values; `scratch` is as long, and is written over."""
        import numpy as np

        with np.errstate(over="ignore"):
            np.subtract(values, self._center, out=scratch)
            np.multiply(scratch, 1 / self._step, out=scratch)
        np.clip(scratch, -CLIP_STEPS, CLIP_STEPS, out=scratch)
        np.rint(scratch, out=scratch)
        self.sum += int(scratch.sum())
        self.squares += int(np.square(scratch, out=scratch).sum())
        if len(self._buckets):
            np.add(values, 0.0, out=scratch)  # minus zero becomes zero
            self._buckets += np.bincount(bucket_of(scratch), minlength=BUCKETS)


def bucket_of(values: Floats) -> Ints:
    """The bucket of each value: the highest bits of its bits times the golden ratio."""
    import numpy as np

    mixed = values.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed >>= np.uint64(59)
    return mixed.view(np.int64)


def count_under(
    edges: tuple[float, ...], values: Floats, low: float, high: float, is_so: npt.NDArray[np.bool_]
) -> Ints:
    """How many values lie below each edge. Comparing with each edge in cache is eight times as fast as searching.

    Args:
        low: The least of the values.
        high: The greatest.
        is_so: As long as the values; written over.
    """
    import numpy as np

    return np.array(
        [
            len(values) if high < edge else np.count_nonzero(np.less(values, edge, out=is_so)) if low < edge else 0
            for edge in edges
        ],
        dtype=np.int64,
    )
