"""How far those who label agree, beyond what chance alone would make.

Sources: Cohen (1960) for two; Fleiss (1971) for a fixed number on each thing; Krippendorff (2004) for any number, here with
the nominal distance. 1 is full agreement, 0 what chance gives; None where it is not defined (nobody rated twice, or only one
category was ever used).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Codes = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

_MOST_PAIRS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """Who said what of which thing, once each, as three columns of equal length.

    Attributes:
        items: Number of the thing, from 0.
        annotators: Number of the annotator, from 0.
        values: Number of what was said, from 0.
    """

    items: Codes
    annotators: Codes
    values: Codes
    n_items: int
    n_annotators: int
    n_values: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """How two annotators compare on the things that both labelled.

    Attributes:
        agree: The share of things on which they say the same.
        kappa: Cohen's kappa.
        confusion: What the first said against what the second said, where they differ: the most frequent first.
    """

    first: str
    second: str
    items: int
    agree: float
    kappa: float | None
    confusion: tuple[tuple[str, str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far the annotators of a set agree.

    Attributes:
        items: Things with two labels or more.
        agree: The share of pairs of labels on the same thing that are the same.
        fleiss: Fleiss' kappa; None where things have different numbers of labels.
        alpha: Krippendorff's alpha, nominal.
        pairs: Every two annotators who share things, those who share most first.
    """

    items: int
    annotators: int
    labels: int
    agree: float | None
    fleiss: float | None
    alpha: float | None
    pairs: tuple[Pair, ...] = ()


def cohen_kappa(first: Sequence[object], second: Sequence[object]) -> float | None:
    """Cohen's kappa of two annotators who labelled the same things.

    >>> round(cohen_kappa("yynn", "ynnn"), 3)
    0.5

    Raises:
        InvalidInput: they did not label as many things.
    """
    if len(first) != len(second):
        raise InvalidInput(f"There are {len(first)} and {len(second)} labels.", hint="Give both of each thing.")
    known = {value: number for number, value in enumerate(dict.fromkeys([*first, *second]))}
    import numpy as np

    codes = [np.array([known[value] for value in side], dtype=np.int64) for side in (first, second)]
    return _cohen(codes[0], codes[1], len(known))


def fleiss_kappa(counts: object) -> float | None:
    """Fleiss' kappa.

    Args:
        counts: How many annotators put each thing (row) into each category (column); the same number for every thing.

    Raises:
        InvalidInput: things have different numbers of labels.
    """
    import numpy as np

    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        return None
    raters = table.sum(axis=1)
    if not (raters == raters[0]).all():
        raise InvalidInput("Fleiss' kappa needs as many labels on every thing.", hint="Krippendorff's alpha does not.")
    return None if raters[0] < 2 else _fleiss(raters, (table**2).sum(axis=1), table.sum(axis=0))


def krippendorff_alpha(counts: object) -> float | None:
    """Krippendorff's alpha with the nominal distance; things may have different numbers of labels.

    Args:
        counts: How many annotators put each thing (row) into each category (column).
    """
    import numpy as np

    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2:
        return None
    raters = table.sum(axis=1)
    table, raters = table[raters > 1], raters[raters > 1]
    return _alpha(raters, (table**2).sum(axis=1), table.sum(axis=0))


def agreement(ratings: Ratings, annotators: Sequence[str], values: Sequence[str]) -> Agreement:
    """All of it for the ratings of a set.

    Args:
        annotators: Their names.
        values: What each number of a value stands for.
    """
    import numpy as np

    total = len(ratings.items)
    # Counted sparsely: with texts as values nearly every label is a category of its own.
    cells, number = np.unique(ratings.items * max(ratings.n_values, 1) + ratings.values, return_counts=True)
    rows, columns = np.divmod(cells, max(ratings.n_values, 1))
    raters = np.bincount(ratings.items, minlength=ratings.n_items).astype(np.float64)
    same = np.bincount(rows, weights=number.astype(np.float64) ** 2, minlength=ratings.n_items).astype(np.float64)
    many = raters > 1
    chosen = many[rows]
    totals = np.bincount(columns[chosen], weights=number[chosen], minlength=ratings.n_values).astype(np.float64)
    pairs = float((raters[many] * (raters[many] - 1)).sum())
    agree = float((same[many] - raters[many]).sum()) / pairs if pairs else None
    return Agreement(
        items=int(many.sum()),
        annotators=ratings.n_annotators,
        labels=total,
        agree=agree,
        fleiss=_fleiss(raters[many], same[many], totals),
        alpha=_alpha(raters[many], same[many], totals),
        pairs=tuple(_pairs(ratings, annotators, values)),
    )


def _fleiss(raters: Floats, same: Floats, totals: Floats) -> float | None:
    """Fleiss' kappa of the labels on each thing, the sum of squares over its categories, and the labels of each category."""
    if not raters.size or not (raters == raters[0]).all():
        return None
    n = float(raters[0])
    observed = float(((same - n) / (n * (n - 1))).mean())
    chance = float(((totals / totals.sum()) ** 2).sum())
    return None if chance >= 1.0 else (observed - chance) / (1.0 - chance)


def _alpha(raters: Floats, same: Floats, totals: Floats) -> float | None:
    """Krippendorff's alpha of the same; every thing has two labels or more."""
    pairable = float(raters.sum())
    if not raters.size:
        return None
    # Each pair of different labels on one thing counts, by one over the labels on the thing less one.
    observed = float(((raters**2 - same) / (raters - 1)).sum()) / pairable
    expected = (pairable**2 - float((totals**2).sum())) / (pairable * (pairable - 1))
    return None if expected <= 0 else 1.0 - observed / expected


def _cohen(first: Codes, second: Codes, width: int) -> float | None:
    import numpy as np

    if not len(first):
        return None
    observed = float((first == second).mean())
    shares = [np.bincount(side, minlength=width) / len(side) for side in (first, second)]
    chance = float((shares[0] * shares[1]).sum())
    return None if chance >= 1.0 else (observed - chance) / (1.0 - chance)


def _pairs(ratings: Ratings, annotators: Sequence[str], values: Sequence[str]) -> list[Pair]:
    import numpy as np

    by: list[tuple[Codes, Codes]] = []
    order = np.lexsort((ratings.items, ratings.annotators))
    edges = np.searchsorted(ratings.annotators[order], np.arange(ratings.n_annotators + 1))
    for number in range(ratings.n_annotators):
        own = order[edges[number] : edges[number + 1]]
        by.append((ratings.items[own], ratings.values[own]))
    found = []
    # Those with most labels: with hundreds of annotators nobody reads every pair.
    busiest = sorted(range(ratings.n_annotators), key=lambda each: -len(by[each][0]))[:50]
    for place, one in enumerate(sorted(busiest)):
        for other in sorted(busiest)[place + 1 :]:
            shared, mine, theirs = np.intersect1d(by[one][0], by[other][0], assume_unique=True, return_indices=True)
            if len(shared):
                first, second = by[one][1][mine], by[other][1][theirs]
                found.append(
                    Pair(
                        first=annotators[one], second=annotators[other], items=len(shared),
                        agree=float((first == second).mean()), kappa=_cohen(first, second, ratings.n_values),
                        confusion=_confusion(first, second, values),
                    )
                )  # fmt: skip
    return sorted(found, key=lambda pair: -pair.items)[:_MOST_PAIRS]


def _confusion(first: Codes, second: Codes, values: Sequence[str]) -> tuple[tuple[str, str, int], ...]:
    import numpy as np

    differ = first != second
    cells, counts = np.unique(first[differ] * len(values) + second[differ], return_counts=True)
    most = np.argsort(-counts, kind="stable")[:10]
    return tuple(
        (values[int(cells[cell]) // len(values)], values[int(cells[cell]) % len(values)], int(counts[cell]))
        for cell in most
    )
