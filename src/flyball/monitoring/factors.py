"""Numbers that come in another unit: kilometres for miles, cents for euros, Fahrenheit for Celsius.

A change of unit maps every quantile by the same straight line. The quantiles of the window and of the reference are read off
their counts; a known conversion is told if it brings the one to the other, and neither leaving them as they are nor a mere
shift comes near to that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.monitoring import evidence
from flyball.monitoring.profile import ColumnCounts, NumericBins, Profile, Reference, outside_range

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_LEAST_ROWS = 30
_ASKED = (0.1, 0.25, 0.5, 0.75, 0.9)


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
    before, after = _spread(cells, was), _spread(cells, now)
    rows = sum(weight for _, _, weight in after)
    if rows < _LEAST_ROWS or sum(weight for _, _, weight in before) < _LEAST_ROWS:
        return None
    usual, asked = quantiles(before), quantiles(after)
    width = usual[-1] - usual[0]
    if width <= 0:
        return None
    # Quantiles of so few rows are uncertain by this share of the width between the outer ones (an upper bound for most).
    slack = 0.03 + 1.2 / math.sqrt(rows)
    best, miss = min(((each, _miss(each, usual, asked)) for each in CONVERSIONS), key=lambda pair: pair[1])
    same = _gap(usual, asked) / max(width, asked[-1] - asked[0])
    moved = [value + asked[2] - usual[2] for value in usual]
    shifted = _gap(moved, asked) / max(width, asked[-1] - asked[0])
    if miss > slack or same < 3 * miss or shifted < 2 * miss or same < 2 * slack:
        return None
    p_value = evidence.p_value_of(reference, current, cells)
    return (best, p_value) if p_value <= alpha else None


def quantiles(spread: list[tuple[float, float, int]], asked: tuple[float, ...] = _ASKED) -> list[float]:
    """The quantiles of counts over intervals, as if rows lay evenly within each."""
    total = sum(rows for _, _, rows in spread)
    found = []
    for share in asked:
        left = share * total
        for low, high, rows in spread:
            if left <= rows:
                found.append(low + (high - low) * left / rows if rows else low)
                break
            left -= rows
        else:
            found.append(spread[-1][1])
    return found


def _miss(conversion: Conversion, usual: list[float], asked: list[float]) -> float:
    mapped = [conversion.factor * value + conversion.offset for value in usual]
    return _gap(mapped, asked) / max(mapped[-1] - mapped[0], 1e-300)


def _gap(one: list[float], other: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _spread(cells: NumericBins, counts: ColumnCounts) -> list[tuple[float, float, int]]:
    """Intervals with their rows, ascending; values that repeat (a zero, a default) are left out."""
    bins = list(zip(cells.edges[:-1], cells.edges[1:], counts.counts, strict=True))
    outside = sorted((*outside_range(key), rows) for key, rows in counts.outside.items())
    below = [each for each in outside if each[1] <= cells.edges[0]]
    return [*below, *bins, *(each for each in outside if each not in below)]


def changed_units(reference: Reference, current: Profile, *, alpha: float) -> Iterator[tuple[str, Conversion, float]]:
    """The columns that come in another unit, each with the conversion and the chance of it."""
    for cells in reference.numeric:
        found = changed_unit(reference, current, cells, alpha=alpha)
        if found is not None:
            yield cells.column, *found
