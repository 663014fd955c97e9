"""Readings of a column's counts: as vectors to compare, and its mean and spread."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flyball.monitoring.drift.base import Cells
from flyball.monitoring.profile import CategoryLevels, ColumnCounts, NumericBins

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_RARE = 5


def cell_counts(cells: NumericBins | CategoryLevels, counts: ColumnCounts) -> Floats:
    """All of a column's counts as one vector, neighbours side by side: each row of the window is in one cell.

    Numbers: below, the bins, above, the repeated values; categories: the levels, unseen. Then missing and unreadable.
    """
    import numpy as np

    if cells.kind == "numeric":
        placed = (counts.below, *counts.counts, counts.above, *counts.repeated)
    else:
        placed = (*counts.counts, counts.unseen)
    return np.array((*placed, counts.missing, counts.unreadable), dtype=np.float64)


def unseen_by_chance(cells: NumericBins | CategoryLevels, counts: ColumnCounts) -> int:
    """How many rows of the reference itself would have been new to the others: categories that it has only once.

    By Good's theorem (Biometrika 40, 1953) a quiet window has about the same share of categories never seen before.
    """
    return counts.counts.count(1) if cells.kind == "categorical" and cells.is_complete else 0


def rare_joined(cells: CategoryLevels, reference: ColumnCounts, vector: Floats) -> Floats:
    """The vector of cells with the unseen and the rare levels in one cell.

    A level that the reference has a time or two is there by luck: the next window will have less of it, and others
    that are new. Seen together they are as frequent as before.
    """
    import numpy as np

    levels = len(cells.levels)
    is_rare = np.append(np.array(reference.counts) < _RARE, True)
    rare = vector[: levels + 1][is_rare].sum()
    return np.concatenate([vector[:levels][~is_rare[:-1]], [rare], vector[levels + 1 :]])


def mean(cells: NumericBins, counts: ColumnCounts) -> float | None:
    """Mean of the column's values; None without any."""
    return cells.center + cells.step * (counts.sum / counts.valued) if counts.valued else None


def deviation(cells: NumericBins, counts: ColumnCounts) -> float | None:
    """Standard deviation of the column's values; None without any."""
    if not counts.valued:
        return None
    scaled = counts.sum_squares * counts.valued - counts.sum**2  # integers: nothing cancels
    return cells.step * math.sqrt(max(0, scaled)) / counts.valued


def cells_of(cells: NumericBins | CategoryLevels, reference: ColumnCounts, counts: ColumnCounts) -> Cells:
    """One sample of a column as a drift metric takes it; `reference` gives the unit of its positions."""
    import numpy as np

    vector = cell_counts(cells, counts)
    if isinstance(cells, CategoryLevels):
        return Cells(counts=vector, positions=np.empty(0))
    order = np.argsort(_places(cells, reference), kind="stable")
    middle, unit = mean(cells, reference) or 0.0, deviation(cells, reference) or 1.0
    places = (_places(cells, counts)[order] - middle) / unit
    return Cells(counts=np.concatenate([vector[order], vector[len(order) :]]), positions=places)


def in_order(cells: NumericBins, counts: ColumnCounts) -> Floats:
    """The counts of the cells on the number line, ascending; missing values have none."""
    import numpy as np

    places = np.concatenate([[-math.inf], cells.edges[:-1], [math.inf], cells.repeated])
    vector = cell_counts(cells, counts)[: len(places)]
    return vector[np.argsort(places, kind="stable")]


def _places(cells: NumericBins, counts: ColumnCounts) -> Floats:
    import numpy as np

    edges = np.array(cells.edges)
    below = min(edges[0], edges[0] if counts.minimum is None else counts.minimum)
    above = max(edges[-1], edges[-1] if counts.maximum is None else counts.maximum)
    ends = np.array([below, *edges, above])
    return np.concatenate([ends[:-1] / 2 + ends[1:] / 2, cells.repeated])
