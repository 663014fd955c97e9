"""Why a model does worse: which column, and which values of it, account for how much of the loss.

The mean loss of a window is a sum over the cells of any one column: share of rows times mean loss of each cell. Its change
against held-out rows therefore splits, exactly and for every column by itself, into what *more rows of hard cells* do
(mix: the shares changed) and what *the same cells being harder* does (rate: the losses changed). Each cell's part, taken
against the mean loss before, adds up to the whole change; the column whose change sits in few cells says most.

Source: the decomposition of Kitagawa, J. Amer. Statist. Assoc. 50, 1955, with the rates of before and the shares of now.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.monitoring.causes import number
from flyball.monitoring.profile import (
    CategoryLevels,
    CellLosses,
    ColumnCounts,
    NumericBins,
    Profile,
    Reference,
    kind_of,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

_LEAST_ROWS = 30
_SURE = 3.0
_MOST_COLUMNS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPart:
    """One cell's part of the change.

    Attributes:
        cell: The values in it, in words: `'EV'`, `51.2 to 63.9`, `missing`.
        share_before: Share of the rows that it was; `share_now` that it is.
        loss_before: Mean loss of its rows before, None if there were none; `loss_now` now.
        part: What it adds to the change of the mean loss; those of a column's cells add up to the change.
    """

    cell: str
    share_before: float
    share_now: float
    loss_before: float | None
    loss_now: float | None
    part: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """How the change of the mean loss looks by one column.

    Attributes:
        mix: What the changed shares of the cells did; `rate`: what the changed losses in the cells did. Both together
            are the change.
        cells: The cells that account for most of the change, the first the most.
    """

    column: str
    change: float
    mix: float
    rate: float
    cells: tuple[CellPart, ...]

    @property
    def sentence(self) -> str:
        """The same in words."""
        first = self.cells[0]
        parts = f"{100 * first.part / self.change:.0f} % of it from {self.column} {first.cell}"
        rows = f"{100 * first.share_before:.1f} % -> {100 * first.share_now:.1f} % of the rows"
        if first.loss_before is None or first.loss_now is None:
            return f"{parts} ({rows})"
        return f"{parts} ({rows}, loss {number(first.loss_before)} -> {number(first.loss_now)})"


def measure(table: pa.Table, losses: Floats, reference: Reference) -> dict[str, CellLosses]:
    """Rows and losses by cell of every column of the reference; columns that the table lacks are left out.

    Args:
        table: Inputs, a row for each loss.
        losses: The loss of each row, such as its squared error; rows where it is NaN are passed over.
    """
    import numpy as np

    known = np.isfinite(losses)
    found = {}
    for cells in reference.columns:
        if cells.column not in table.column_names:
            continue
        places = places_of(table.column(cells.column), cells)[known]
        size = cell_count(cells)
        rows = np.bincount(places, minlength=size)
        sums = np.bincount(places, weights=losses[known], minlength=size)
        squares = np.bincount(places, weights=losses[known] ** 2, minlength=size)
        found[cells.column] = CellLosses(
            rows=tuple(rows.tolist()), sums=tuple(sums.tolist()), squares=tuple(squares.tolist())
        )
    return found


def attribute(
    reference: Reference, before: Mapping[str, CellLosses], now: Mapping[str, CellLosses]
) -> tuple[Attribution, ...]:
    """How the change of the mean loss looks by each column, the one that says most first.

    A column says much where few of its cells account for much of the change, beyond chance.
    """
    found = []
    for cells in reference.columns:
        if cells.column in before and cells.column in now:
            made = _of_column(cells, before[cells.column], now[cells.column])
            if made is not None:
                found.append(made)
    ordered = sorted(found, key=lambda pair: (-pair[0], pair[1].column))
    return tuple(made for _, made in ordered[:_MOST_COLUMNS])


def impact(reference: Reference, before: Mapping[str, CellLosses], current: Profile) -> dict[str, float]:
    """What the changed shares of each column's cells do to the mean loss, if losses stay what they were: known without truth."""
    import numpy as np

    found = {}
    for cells in reference.columns:
        losses, counts = before.get(cells.column), current.columns.get(cells.column)
        if losses is None or counts is None or not counts.total or not sum(losses.rows):
            continue
        mean, by_cell = _means(losses)
        shares = np.asarray(_vector(cells, counts)) / counts.total
        found[cells.column] = float(shares @ by_cell - mean)
    return found


def cell_count(cells: NumericBins | CategoryLevels) -> int:
    """How many cells a column has, missing and unreadable ones with them."""
    if isinstance(cells, NumericBins):
        return len(cells.edges) + 1 + len(cells.repeated) + 2
    return len(cells.levels) + 1 + 2


def places_of(column: pa.ChunkedArray, cells: NumericBins | CategoryLevels) -> Ints:
    """The cell of each row, in the order of `readings.cell_counts`."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    missing, unreadable = cell_count(cells) - 2, cell_count(cells) - 1
    kind = kind_of(column.type)
    is_null = column.is_null().to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else _nulls(column)
    places = np.full(len(column), unreadable, dtype=np.int64)
    if isinstance(cells, NumericBins):
        if kind in ("numeric", "bool"):
            values = pc.cast(_plain(column), pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
            edges = np.asarray(cells.edges)
            # The last bin holds its upper end as well.
            inside = np.searchsorted(edges, values, side="right")
            inside[values == edges[-1]] = len(edges) - 1
            places = np.where(np.isnan(values), missing, inside)
            for place, value in enumerate(cells.repeated):
                places[values == value] = len(edges) + 1 + place
    elif kind is not None:
        texts = pc.cast(_plain(column), pa.string())
        found = pc.index_in(texts, value_set=pa.array(cells.levels, pa.string()))
        places = pc.fill_null(found, len(cells.levels)).to_numpy(zero_copy_only=False).astype(np.int64)
    places[is_null] = missing
    return places


def _plain(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], whole.type)
    return whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole


def _nulls(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = column.is_null().to_numpy()
    return found


def _vector(cells: NumericBins | CategoryLevels, counts: ColumnCounts) -> tuple[int, ...]:
    if isinstance(cells, NumericBins):
        return (counts.below, *counts.counts, counts.above, *counts.repeated, counts.missing, counts.unreadable)
    return (*counts.counts, counts.unseen, counts.missing, counts.unreadable)


def _means(losses: CellLosses) -> tuple[float, Floats]:
    """The mean loss, and that of each cell, which is the whole's where the cell had no rows."""
    import numpy as np

    rows, sums = np.asarray(losses.rows, dtype=np.float64), np.asarray(losses.sums)
    mean = float(sums.sum() / rows.sum())
    by_cell: Floats = np.where(rows > 0, sums / np.maximum(rows, 1), mean)
    return mean, by_cell


def _of_column(
    cells: NumericBins | CategoryLevels, before: CellLosses, now: CellLosses
) -> tuple[float, Attribution] | None:
    import numpy as np

    if not sum(before.rows) or not sum(now.rows):
        return None
    (mean, was), (mean_now, is_now) = _means(before), _means(now)
    shares = [np.asarray(each.rows) / sum(each.rows) for each in (before, now)]
    change = mean_now - mean
    mix = float((shares[1] - shares[0]) @ was)
    # Against the mean of before, so that a cell that only grows, and is as hard as the rest, adds nothing.
    parts = shares[1] * (np.where(shares[1] > 0, is_now, mean) - mean) - shares[0] * (was - mean)
    order = np.argsort(-parts * math.copysign(1.0, change), kind="stable")
    shown = tuple(
        CellPart(
            cell=_name(cells, place),
            share_before=float(shares[0][place]),
            share_now=float(shares[1][place]),
            loss_before=float(was[place]) if before.rows[place] else None,
            loss_now=float(is_now[place]) if now.rows[place] else None,
            part=float(parts[place]),
        )
        for place in order[:3].tolist()
        if parts[place] * change > 0
    )
    if not shown:
        return None
    made = Attribution(column=cells.column, change=change, mix=mix, rate=change - mix, cells=shown)
    return _weight(now, int(order[0]), parts, change), made


def _weight(now: CellLosses, place: int, parts: Floats, change: float) -> float:
    """How much a column says: the share of the change in its first cell above what its rows alone would hold."""
    rows = now.rows[place]
    if rows < _LEAST_ROWS:
        return 0.0
    share_of_rows = rows / sum(now.rows)
    # Chance: the part of a cell is a mean over its rows, with the spread that losses have.
    spread = math.sqrt(max(1e-12, _variance(now) * rows)) / sum(now.rows)
    excess = abs(float(parts[place])) - share_of_rows * abs(change)
    return excess if excess > _SURE * spread else 0.0


def _variance(losses: CellLosses) -> float:
    rows = sum(losses.rows)
    return sum(losses.squares) / rows - (sum(losses.sums) / rows) ** 2


def _name(cells: NumericBins | CategoryLevels, place: int) -> str:
    size = cell_count(cells)
    if place >= size - 2:
        return ("missing", "not of its type")[place - size + 2]
    if isinstance(cells, CategoryLevels):
        return f"'{cells.levels[place]}'" if place < len(cells.levels) else "new values"
    edges = cells.edges
    if place == 0:
        return f"below {number(edges[0])}"
    if place < len(edges):
        return f"{number(edges[place - 1])} to {number(edges[place])}"
    return (
        f"above {number(edges[-1])}" if place == len(edges) else f"= {number(cells.repeated[place - len(edges) - 1])}"
    )
