"""Profiles: what a window of rows looked like, as counts over a reference's cells, that add up exactly.

The profile of a table is the sum of the profiles of its parts, whatever the parts and their order: replicas, hours and
segments merge. So that this holds to the last bit, everything in it is an integer, a minimum or a maximum; sums of
values are kept in steps of a fixed grid. A profile is some kilobytes, however many rows it stands for.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from flyball.data.exact_sums import BLOCK
from flyball.data.profile import BUCKETS
from flyball.errors import InvalidInput, did_you_mean
from flyball.monitoring.estimation import Calibration
from flyball.monitoring.joint import Joint
from flyball.monitoring.loss_model import LossModels
from flyball.monitoring.rows import RowSample, identifying, merge_samples, sample_rows
from flyball.monitoring.tally import BinTally

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

_UNSEEN_KEPT = 20
_LONGEST_LEVEL = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericBins:
    """The cells of a numeric column.

    Attributes:
        edges: Ends of the bins, ascending; the first is the least and the last the greatest value of the reference.
            A bin holds its lower end; the last one both.
        repeated: Values so frequent (a zero, a default) that they are counted by themselves, outside their bin.
        center: Where the grid of the sums begins.
        step: Width of the grid: a power of two, at most 1/4096 of the spread.
        has_buckets: Whether values are many enough to look for one that repeats without being known.
    """

    column: str
    edges: tuple[float, ...]
    repeated: tuple[float, ...] = ()
    center: float = 0.0
    step: float = 1.0
    has_buckets: bool = False
    kind: Literal["numeric"] = "numeric"


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryLevels:
    """The cells of a column of categories.

    Attributes:
        levels: The values counted, most frequent first.
        is_complete: Whether the reference held no others.
    """

    column: str
    levels: tuple[str, ...]
    is_complete: bool = True
    kind: Literal["categorical"] = "categorical"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnCounts:
    """What one column of a window looked like.

    Attributes:
        counts: Rows by bin or level.
        total: Rows, missing ones too.
        missing: Rows without a value: null, or not a number.
        below: Rows under the first edge; `above`: over the last.
        repeated: Rows by repeated value.
        unseen: Rows with a category that is no level.
        unreadable: Rows whose type is not the reference's.
        sum: Sum of the values in steps of the reference's grid from its center, and `sum_squares` of their squares.
            Values farther than 2^18 steps (32 standard deviations or more) count as that far.
        buckets: Rows by a hash of their value: one that repeats stands out, even if no one knows it yet.
        unseen_levels: Rows by unseen category, for the first twenty in alphabetical order.
        outside: Rows below and above the edges by eighths of an octave, named by `outside_key`: how far out they are.
    """

    column: str
    counts: tuple[int, ...]
    total: int
    missing: int = 0
    below: int = 0
    above: int = 0
    repeated: tuple[int, ...] = ()
    unseen: int = 0
    unreadable: int = 0
    sum: int = 0
    sum_squares: int = 0
    minimum: float | None = None
    maximum: float | None = None
    buckets: tuple[int, ...] = ()
    unseen_levels: dict[str, int] = field(default_factory=dict)
    outside: dict[str, int] = field(default_factory=dict)

    @property
    def valued(self) -> int:
        """Rows that have a value of the right type."""
        return self.total - self.missing - self.unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLosses:
    """How wrong a model was on the rows of each cell of a column, in the order of `readings.cell_counts`; they add up.

    Attributes:
        rows: Rows whose truth is known.
        sums: Sum of their losses; `squares`: of the squares of their losses.
    """

    rows: tuple[int, ...]
    sums: tuple[float, ...]
    squares: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a window of rows looked like.

    Attributes:
        n: Rows.
        reference: Fingerprint of the cells it was counted on; only profiles over the same cells can be compared.
        rows: A sample of its rows, by which rows that repeat are told; None if it is not known.
        types: Arrow type of each column of the table, also of those that are not counted; of parts that differ all, by
            name. Empty if it is not known.
    """

    n: int
    reference: str
    columns: dict[str, ColumnCounts]
    rows: RowSample | None = None
    types: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What is normal in one part of a season, such as on Mondays or at eight in the morning.

    Attributes:
        profile: Counts of the reference's windows in this phase, over the cells of the whole.
        window_rows: Rows of each of them.
    """

    profile: Profile
    window_rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """What is normal in each phase of a season that comes again.

    Attributes:
        cycle_seconds: How long it is until it comes again; `period_seconds`: length of a phase, a window's.
        phases: In order from Monday 00:00 UTC; None where the reference has too little of it.
        dispersion: By column, how much more than by chance windows of one phase differ, per row; `trend_dispersion`: the
            same for location and spread.
    """

    cycle_seconds: float
    period_seconds: float
    phases: tuple[Phase | None, ...]
    dispersion: dict[str, float] = field(default_factory=dict)
    trend_dispersion: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What is normal: the cells of each column, their counts, and how much normal windows differ.

    Attributes:
        profile: Counts of the reference itself.
        dispersion: By column, the variance between the reference's own windows beyond chance, per row; zero where
            no windows were given.
        trend_dispersion: The same for location and spread of the numeric columns.
        window_rows: Rows of those windows; empty if none were given.
        window_repeats: Share of the rows of each that say again what another row of it says.
        calibration: What the scores of the model are worth, by which performance is estimated; None if it is not known.
        class_calibrations: The same for each of more than two classes; empty if it is not known.
        losses: How wrong the model was on held-out rows, by column and cell; empty if it is not known.
        joint: What is normal of whole rows; None if it was not learned.
        outcomes: What is normal of predictions and truth; None if it was not learned.
        loss_models: How wrong a regression is on which rows, by which its performance is estimated; None if it was not
            learned.
        season: What is normal in each phase of a declared season; None if none was.
    """

    numeric: tuple[NumericBins, ...]
    categorical: tuple[CategoryLevels, ...]
    profile: Profile
    dispersion: dict[str, float] = field(default_factory=dict)
    trend_dispersion: dict[str, float] = field(default_factory=dict)
    window_rows: tuple[int, ...] = ()
    window_repeats: tuple[float, ...] = ()
    calibration: Calibration | None = None
    class_calibrations: tuple[Calibration, ...] = ()
    losses: dict[str, CellLosses] = field(default_factory=dict)
    joint: Joint | None = None
    outcomes: Reference | None = None
    loss_models: LossModels | None = None
    season: Season | None = None

    @property
    def n(self) -> int:
        """Rows of the reference."""
        return self.profile.n

    @property
    def columns(self) -> tuple[NumericBins | CategoryLevels, ...]:
        """The cells of every column."""
        return (*self.numeric, *self.categorical)

    def cells(self, column: str) -> NumericBins | CategoryLevels:
        """The cells of that column.

        Raises:
            InvalidInput: the reference does not know it; the hint names near ones.
        """
        for cells in self.columns:
            if cells.column == column:
                return cells
        known = [cells.column for cells in self.columns]
        raise InvalidInput(f"The reference has no column '{column}'.", hint=did_you_mean(column, known))


def profile(table: pa.Table, reference: Reference) -> Profile:
    """What the table looks like over the reference's cells.

    A column that the table does not have counts as missing in every row; columns that the reference does not have are
    passed over.
    """
    counted = {cells.column: _count(table, cells) for cells in reference.columns}
    return Profile(
        n=table.num_rows,
        reference=reference.profile.reference,
        columns=counted,
        rows=sample_rows(table, row_columns(reference.numeric)),
        types={each.name: str(each.type) for each in sorted(table.schema, key=lambda each: each.name)},
    )


def empty(cells: Sequence[NumericBins | CategoryLevels]) -> Profile:
    """The profile of no rows over these cells."""
    fingerprint = hashlib.blake2b(repr(tuple(cells)).encode(), digest_size=8).hexdigest()
    return Profile(n=0, reference=fingerprint, columns={each.column: _no_rows(each) for each in cells})


def merge(profiles: Sequence[Profile]) -> Profile:
    """The profile of all their rows together; order and grouping make no difference.

    Raises:
        InvalidInput: there is none, or they were counted on different cells.
    """
    if not profiles:
        raise InvalidInput("There is no profile to merge.", hint="Profile an empty table for a window without rows.")
    first = profiles[0]
    if any(p.reference != first.reference for p in profiles):
        raise InvalidInput("Profiles of different references cannot be merged.", hint="Profile the rows again.")
    columns = {name: _merge_columns([p.columns[name] for p in profiles]) for name in first.columns}
    return Profile(
        n=sum(p.n for p in profiles),
        reference=first.reference,
        columns=columns,
        rows=merge_samples(p.rows for p in profiles),
        types=_merge_types([p.types for p in profiles if p.n or len(profiles) == 1]),
    )


def row_columns(numeric: Sequence[NumericBins]) -> tuple[str, ...]:
    """The columns by whose values rows are told apart."""
    return identifying([cells.column for cells in numeric if cells.has_buckets])


def _merge_types(parts: Sequence[dict[str, str]]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for part in parts:
        for name, types in part.items():
            found.setdefault(name, set()).update(types.split(" | "))
    return {name: " | ".join(sorted(found[name])) for name in sorted(found)}


def require_same_cells(reference: Reference, current: Profile) -> None:
    """Refuses a profile that was not counted on the reference's cells.

    Raises:
        InvalidInput: it was counted on others.
    """
    if current.reference != reference.profile.reference:
        raise InvalidInput("The profile was counted on another reference's cells.", hint="Profile the rows again.")


def kind_of(kind: pa.DataType) -> Literal["numeric", "bool", "text"] | None:
    """How a column of this Arrow type is counted; None where it is not."""
    import pyarrow.types as t

    if t.is_dictionary(kind):
        kind = kind.value_type
    if t.is_boolean(kind):
        return "bool"
    if t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind):
        return "numeric"
    return "text" if t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind) else None


def floats(chunk: pa.Array) -> Floats:
    """The values of a numeric or boolean array that are not null."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_dictionary(chunk.type):
        chunk = chunk.dictionary_decode()
    if chunk.null_count:
        chunk = chunk.drop_null()
    if pa.types.is_boolean(chunk.type):
        chunk = chunk.cast(pa.uint8())
    elif pa.types.is_decimal(chunk.type):
        chunk = chunk.cast(pa.float64())
    values: Floats = chunk.to_numpy(zero_copy_only=False)
    return values if values.dtype.kind in "iuf" else values.astype(np.float64)


def value_counts(column: pa.ChunkedArray) -> tuple[pa.Array, Ints]:
    """The distinct values of a column as texts, without null, and the rows of each."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    pairs = pc.value_counts(column)
    values, rows = pairs.field(0), pairs.field(1)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    known = pc.is_valid(values)
    return values.cast(pa.string()).filter(known), rows.filter(known).to_numpy()


def _count(table: pa.Table, cells: NumericBins | CategoryLevels) -> ColumnCounts:
    if cells.column not in table.column_names:
        return replace(_no_rows(cells), total=table.num_rows, missing=table.num_rows)
    column = table.column(cells.column)
    nothing = replace(_no_rows(cells), total=len(column), missing=column.null_count)
    kind = kind_of(column.type)
    if column.null_count == len(column):
        return nothing
    if isinstance(cells, NumericBins):
        if kind not in ("numeric", "bool"):
            return replace(nothing, unreadable=len(column) - column.null_count)
        tally = BinTally(cells)
        for chunk in column.chunks:
            values = floats(chunk)
            for start in range(0, len(values), BLOCK):
                tally.add(values[start : start + BLOCK])
        return tally.result(nothing)
    if kind is None:
        return replace(nothing, unreadable=len(column) - column.null_count)
    return _count_levels(column, cells, nothing)


def _no_rows(cells: NumericBins | CategoryLevels) -> ColumnCounts:
    if isinstance(cells, CategoryLevels):
        return ColumnCounts(column=cells.column, counts=(0,) * len(cells.levels), total=0)
    return ColumnCounts(
        column=cells.column,
        counts=(0,) * (len(cells.edges) - 1),
        total=0,
        repeated=(0,) * len(cells.repeated),
        buckets=(0,) * (BUCKETS if cells.has_buckets else 0),
    )


def _count_levels(column: pa.ChunkedArray, cells: CategoryLevels, nothing: ColumnCounts) -> ColumnCounts:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    values, rows = value_counts(column)
    places = pc.index_in(values, value_set=pa.array(cells.levels, pa.string()))
    is_unseen = pc.is_null(places).to_numpy(zero_copy_only=False)
    counts = np.zeros(len(cells.levels), dtype=np.int64)
    counts[places.drop_null().to_numpy()] = rows[~is_unseen]
    found: Counter[str] = Counter()
    if cells.is_complete and is_unseen.any():
        names = pc.utf8_slice_codeunits(values.filter(pc.is_null(places)), 0, _LONGEST_LEVEL)
        for name, count in zip(names.to_pylist(), rows[is_unseen].tolist(), strict=True):
            found[name] += count
    return replace(
        nothing, counts=tuple(counts.tolist()), unseen=int(rows[is_unseen].sum()), unseen_levels=_first_levels(found)
    )


def _first_levels(rows: Counter[str]) -> dict[str, int]:
    # The first by name, not by size: a category kept of the sum is then kept of every part, so its rows are exact.
    return {name: rows[name] for name in sorted(rows)[:_UNSEEN_KEPT]}


def _merge_columns(parts: Sequence[ColumnCounts]) -> ColumnCounts:
    unseen: Counter[str] = Counter()
    outside: Counter[str] = Counter()
    for part in parts:
        unseen.update(part.unseen_levels)
        outside.update(part.outside)
    return ColumnCounts(
        column=parts[0].column,
        counts=_added([part.counts for part in parts]),
        total=sum(part.total for part in parts),
        missing=sum(part.missing for part in parts),
        below=sum(part.below for part in parts),
        above=sum(part.above for part in parts),
        repeated=_added([part.repeated for part in parts]),
        unseen=sum(part.unseen for part in parts),
        unreadable=sum(part.unreadable for part in parts),
        sum=sum(part.sum for part in parts),
        sum_squares=sum(part.sum_squares for part in parts),
        minimum=min((part.minimum for part in parts if part.minimum is not None), default=None),
        maximum=max((part.maximum for part in parts if part.maximum is not None), default=None),
        buckets=_added([part.buckets for part in parts]),
        unseen_levels=_first_levels(unseen),
        outside={key: outside[key] for key in sorted(outside)},
    )


def _added(vectors: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    import numpy as np

    return tuple(np.array(vectors, dtype=np.int64).sum(axis=0).tolist())
