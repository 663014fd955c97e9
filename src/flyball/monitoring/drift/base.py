"""The seam of the drift metrics: two vectors of counts over the same cells in, one distance out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from flyball.plugins import PluginGroup

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ColumnKind = Literal["numeric", "categorical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """One column of one sample, as counts over cells that both samples share.

    Attributes:
        counts: How many rows fell into each cell. The cells that have a place on the number line come first.
        positions: Where those first cells lie, in standard deviations of the reference from its mean; empty for
            categories. Cells beyond them (missing values) have no place.
    """

    counts: npt.NDArray[np.float64]
    positions: npt.NDArray[np.float64]

    def shares(self) -> npt.NDArray[np.float64]:
        """Each cell's share of the rows; all zero without any row."""
        total = self.counts.sum()
        return self.counts / total if total else self.counts

    def placed_shares(self) -> npt.NDArray[np.float64]:
        """Shares among the cells that have a position, in the order of the cells."""
        placed = self.counts[: len(self.positions)]
        total = placed.sum()
        return placed / total if total else placed


class DriftMetric(Protocol):
    """A distance between two samples of a column.

    Attributes:
        kinds: The kinds of columns that it can compare.
        threshold: The distance from which a change is worth a person's attention.
    """

    @property
    def kinds(self) -> frozenset[ColumnKind]: ...

    @property
    def threshold(self) -> float: ...

    def distance(self, reference: Cells, current: Cells) -> float:
        """How far apart they are: zero for equal shares, never negative, finite."""
        ...


DRIFT_METRICS: PluginGroup[DriftMetric] = PluginGroup("drift", "flyball.monitoring.drift")
BOTH: frozenset[ColumnKind] = frozenset({"numeric", "categorical"})
NUMERIC: frozenset[ColumnKind] = frozenset({"numeric"})


def steps_between(reference: Cells, current: Cells) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The difference of the two cumulative distributions after each position, and the gap to the next position.

    Returns two vectors of equal length: `F(x_i) - G(x_i)` and `x_{i+1} - x_i`, over all positions of either sample.
    """
    import numpy as np

    places = np.concatenate([reference.positions, current.positions])
    shares = np.concatenate([reference.placed_shares(), -current.placed_shares()])
    order = np.argsort(places, kind="stable")
    return np.cumsum(shares[order])[:-1], np.diff(places[order])
