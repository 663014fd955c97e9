"""Numbers that come in another unit: kilometres for miles, cents for euros, Fahrenheit for Celsius.

If all values went through a conversion, the share of the window below a value is the reference's share below the value before
it. Both are read off the counts. A known conversion is told if its shares are the window's within what so many rows allow, and
neither leaving the values as they are nor a mere shift comes near to that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.monitoring import evidence
from flyball.monitoring.profile import ColumnCounts, NumericBins, Profile, Reference
from flyball.monitoring.tally import outside_range

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_LEAST_ROWS = 30
_LEAST_POINTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A straight line from one unit to another: `factor * value + offset`."""

    factor: float
    words: str
    offset: float = 0.0


def _both(factor: float, there: str, back: str) -> tuple[Conversion, Conversion]:
    return Conversion(factor=factor, words=there), Conversion(factor=1 / factor, words=back)


CONVERSIONS: tuple[Conversion, ...] = (
    *_both(10.0, "10 times as large", "a tenth"),
    *_both(100.0, "100 times as large, as per cent or cents", "a hundredth, as shares for per cent"),
    *_both(1000.0, "1000 times as large, as from kilo", "a thousandth, as to kilo"),
    *_both(1e6, "a million times as large", "a millionth"),
    *_both(60.0, "60 times as large, as seconds for minutes", "a sixtieth, as minutes for seconds"),
    *_both(3600.0, "3600 times as large, as seconds for hours", "a 3600th, as hours for seconds"),
    *_both(24.0, "24 times as large, as hours for days", "a 24th, as days for hours"),
    *_both(1.609344, "1.609 times as large, as kilometres for miles", "0.621 of it, as miles for kilometres"),
    *_both(2.204623, "2.205 times as large, as pounds for kilograms", "0.454 of it, as kilograms for pounds"),
    *_both(3.280840, "3.281 times as large, as feet for metres", "0.305 of it, as metres for feet"),
    *_both(2.54, "2.54 times as large, as centimetres for inches", "0.394 of it, as inches for centimetres"),
    Conversion(factor=1.8, offset=32.0, words="as Fahrenheit for Celsius"),
    Conversion(factor=1 / 1.8, offset=-32.0 / 1.8, words="as Celsius for Fahrenheit"),
)


def changed_unit(
    reference: Reference, current: Profile, cells: NumericBins, *, alpha: float
) -> tuple[Conversion, float] | None:
    """The conversion that a column has gone through, and the chance of such counts without any; None if there is none."""
    was, now = reference.profile.columns[cells.column], current.columns[cells.column]
    before, after = _shares(cells, was), _shares(cells, now)
    if before is None or after is None:
        return None
    slack = 0.03 + 1.2 / math.sqrt(after.rows)
    same = _gap(before, after, 1.0, 0.0)
    if same < 2 * slack:
        return None
    best, miss = min(
        ((each, _gap(before, after, each.factor, each.offset)) for each in CONVERSIONS), key=lambda pair: pair[1]
    )
    shifted = _gap(before, after, 1.0, after.quantile(0.5) - before.quantile(0.5))
    if miss > slack or same < 3 * miss or shifted < 2 * miss:
        return None
    p_value = evidence.p_value_of(reference, current, cells)
    return (best, p_value) if p_value <= alpha else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shares:
    """Which share of a column's values lies below each of some points."""

    points: Floats
    below: Floats
    rows: int

    def quantile(self, share: float) -> float:
        """The value below which that share lies."""
        import numpy as np

        return float(np.interp(share, self.below, self.points))


def _gap(before: _Shares, after: _Shares, factor: float, offset: float) -> float:
    """The farthest that the window's shares lie from the reference's, if all its values had gone through the conversion."""
    import numpy as np

    expected = np.interp((after.points - offset) / factor, before.points, before.below, left=0.0, right=1.0)
    return float(np.abs(expected - after.below).max())


def _shares(cells: NumericBins, counts: ColumnCounts) -> _Shares | None:
    """Shares of the values in bins and beyond them; those that repeat (a zero, a default) are left out."""
    import numpy as np

    outside = sorted((*outside_range(key), rows) for key, rows in counts.outside.items())
    below = [each for each in outside if each[0] < cells.edges[0]]
    above = [each for each in outside if each not in below]
    bins = list(zip(cells.edges[:-1], cells.edges[1:], counts.counts, strict=True))
    ends = [*((min(high, cells.edges[0]), rows) for _, high, rows in below), *((high, rows) for _, high, rows in bins)]
    ends += [(high, rows) for _, high, rows in above]
    first = below[0][0] if below else cells.edges[0]
    points, rows = np.array([first, *(end for end, _ in ends)]), np.array([0, *(count for _, count in ends)])
    total = int(rows.sum())
    if total < _LEAST_ROWS or len(np.unique(points)) < _LEAST_POINTS:
        return None
    return _Shares(points=points, below=np.cumsum(rows) / total, rows=total)


def changed_units(reference: Reference, current: Profile, *, alpha: float) -> Iterator[tuple[str, Conversion, float]]:
    """The columns that come in another unit, each with the conversion and the chance of it."""
    for cells in reference.numeric:
        found = changed_unit(reference, current, cells, alpha=alpha)
        if found is not None:
            yield cells.column, *found
