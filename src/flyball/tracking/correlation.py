"""How two properties of the same things go together: normalised pointwise mutual information."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """How often two properties hold, apart and together.

    Attributes:
        first: How many things have the one property.
        second: How many have the other.
        both: How many have both.
        all: How many things there are.
        npmi: 1 where the properties are always together, 0 where they meet as by chance, -1 where they never do; None where
            one of them never holds.
        smoothed: The same after half a thing was added to each of the four cases, so that a few things do not say too much.
    """

    first: int
    second: int
    both: int
    all: int
    npmi: float | None
    smoothed: float | None

    @classmethod
    def of(cls, first: int, second: int, both: int, all: int) -> Correlation:
        """The correlation that the counts make.

        >>> Correlation.of(10, 10, 10, 20).npmi, Correlation.of(10, 10, 0, 20).npmi
        (1.0, -1.0)
        >>> abs(Correlation.of(10, 10, 5, 20).npmi) < 1e-9
        True
        >>> Correlation.of(0, 10, 0, 20).npmi is None
        True
        """
        cases = (both, first - both, second - both, all - first - second + both)
        npmi = smoothed = None
        if first and second:
            npmi = _npmi(*cases) if both else -1.0
            smoothed = _npmi(*(count + 0.5 for count in cases)) if any(cases[1:]) else 1.0
        return cls(first=first, second=second, both=both, all=all, npmi=npmi, smoothed=smoothed)


def _npmi(both: float, one: float, other: float, neither: float) -> float:
    total = both + one + other + neither
    if both == total:
        return 1.0
    surprise = -math.log(both / total)
    gain = math.log(both) + math.log(total) - math.log(both + one) - math.log(both + other)
    return max(-1.0, min(1.0, gain / surprise))
