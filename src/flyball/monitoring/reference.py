"""Fitting a reference: what is normal, learned from a table and from the windows it is made of."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flyball.data.profile import BUCKETS
from flyball.errors import InvalidInput, did_you_mean
from flyball.monitoring import profile as profiles
from flyball.monitoring import readings, significance
from flyball.monitoring.joint import fit_joint
from flyball.monitoring.profile import CategoryLevels, ColumnCounts, NumericBins, Reference
from flyball.monitoring.seasons import MONDAY, SeasonSpec, learn_season

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]

_SAMPLE = 1 << 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fit_reference(
    table: pa.Table,
    *,
    columns: Sequence[str] | None = None,
    bins: int = 20,
    max_levels: int = 100,
    windows: Sequence[pa.Table] | int = (),
    joint: Sequence[str] = (),
    season: SeasonSpec | None = None,
) -> Reference:
    """The reference that windows are compared with, learned from a table.

    Left out are columns that are neither numbers, booleans nor text, columns without a value, and, unless they are
    asked for by name, texts of which more than half are unlike any other (names, keys).

    Args:
        columns: The columns to watch; all by default.
        bins: Bins of a numeric column, cut at the reference's quantiles.
        max_levels: Categories counted by themselves, the most frequent ones.
        windows: Windows of normal operation, as tables (see `windows_of`) or as the number of equal runs of rows to
            cut the table into. How much they differ from each other is then no drift: give at least one whole cycle.
        joint: Names of multivariate metrics to learn from whole rows, such as `correlation` and `mmd`; none by default.
        season: A season whose phases are compared each with its like (see `seasons.seasonal`); `windows` are then tables.

    Raises:
        InvalidInput: there is no such column, no row, or nothing to watch.
    """
    names = list(table.column_names) if columns is None else list(columns)
    for name in names:
        if name not in table.column_names:
            raise InvalidInput(f"There is no column '{name}'.", hint=did_you_mean(name, table.column_names))
    if not table.num_rows or bins < 1:
        raise InvalidInput("A reference needs at least one row and one bin.")
    fitted = [_fit_column(name, table.column(name), bins, max_levels, columns is not None) for name in names]
    numeric = tuple(cells for cells in fitted if isinstance(cells, NumericBins))
    categorical = tuple(cells for cells in fitted if isinstance(cells, CategoryLevels))
    if not numeric and not categorical:
        raise InvalidInput(
            "The table has no column to watch.", hint="Numbers, booleans and texts that repeat can be watched."
        )
    blank = Reference(numeric=numeric, categorical=categorical, profile=profiles.empty((*numeric, *categorical)))
    tables = _own_windows(table, windows)
    own = [profiles.profile(window, blank) for window in tables]
    by_column = {cells.column: [window.columns[cells.column] for window in own] for cells in blank.columns}
    return Reference(
        season=None if season is None else learn_season(season, own, blank.columns),
        numeric=numeric,
        categorical=categorical,
        # Runs of rows make up the whole table: it need not be counted twice.
        profile=profiles.merge(own) if isinstance(windows, int) and own else profiles.profile(table, blank),
        dispersion={cells.column: _dispersion(cells, by_column[cells.column]) for cells in blank.columns},
        trend_dispersion={cells.column: _trend_dispersion(cells, by_column[cells.column]) for cells in numeric},
        window_rows=tuple(window.n for window in own),
        window_repeats=tuple(
            window.rows.repeated / window.rows.rows for window in own if window.rows and window.rows.rows
        ),
        joint=fit_joint(table, windows=tables, metrics=joint, columns=columns or ()) if joint else None,
    )


def windows_of(table: pa.Table, *, time: str, period: timedelta) -> list[pa.Table]:
    """The table cut into windows of one period each, in order of time; rows without a time are left out.

    Raises:
        InvalidInput: there is no such column, or it holds no times.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if time not in table.column_names:
        raise InvalidInput(f"There is no column '{time}'.", hint=did_you_mean(time, table.column_names))
    if not pa.types.is_timestamp(table.column(time).type) and not pa.types.is_date(table.column(time).type):
        raise InvalidInput(
            f"Column '{time}' ({table.column(time).type}) holds no times.", hint="Cast it to a timestamp."
        )
    known = table.filter(pc.is_valid(table.column(time)))
    moments = known.column(time).cast(pa.timestamp("us", tz=getattr(known.column(time).type, "tz", None)))
    # From a Monday, as loops count their windows: weeks begin where people begin them.
    since = moments.cast(pa.int64()).to_numpy() - (MONDAY - _EPOCH) // timedelta(microseconds=1)
    numbers = since // (period // timedelta(microseconds=1))
    ordered = known.take(pa.array(np.argsort(numbers, kind="stable")))
    starts = np.concatenate([[0], np.cumsum(np.unique(numbers, return_counts=True)[1])]).tolist()
    return [ordered.slice(a, b - a) for a, b in itertools.pairwise(starts)]


def _fit_column(
    name: str, column: pa.ChunkedArray, bins: int, max_levels: int, is_asked_for: bool
) -> NumericBins | CategoryLevels | None:
    kind = profiles.kind_of(column.type)
    if kind is None or column.null_count == len(column):
        if is_asked_for:
            raise InvalidInput(
                f"Column '{name}' ({column.type}) cannot be watched.", hint="Choose numbers, booleans or texts."
            )
        return None
    if kind == "numeric":
        return _fit_bins(name, column, bins)
    if kind == "bool":
        return CategoryLevels(column=name, levels=("false", "true"))
    return _fit_levels(name, column, max_levels, is_asked_for)


def _fit_levels(name: str, column: pa.ChunkedArray, max_levels: int, is_asked_for: bool) -> CategoryLevels | None:
    values, rows = profiles.value_counts(column)
    if not is_asked_for and max_levels < len(values) > int(rows.sum()) / 2:
        return None
    import numpy as np

    names = np.array(values.to_pylist(), dtype=object)
    best = np.lexsort((names, -rows))[:max_levels]
    return CategoryLevels(column=name, levels=tuple(names[best].tolist()), is_complete=len(best) == len(names))


def _fit_bins(name: str, column: pa.ChunkedArray, bins: int) -> NumericBins | None:
    import numpy as np

    values = _finite_sample(column)
    if not len(values):
        return None
    distinct, rows = np.unique(values, return_counts=True)
    low, high = _range(column)
    center, step = _grid(values)
    if len(distinct) <= bins:
        inner = ((distinct[:-1] + distinct[1:]) / 2).tolist()
        return NumericBins(column=name, edges=(low, *inner, high), center=center, step=step)
    is_repeated = rows > len(values) / (2 * bins)
    repeated = distinct[is_repeated][np.argsort(-rows[is_repeated], kind="stable")][:8]
    spread = values[~np.isin(values, repeated)]
    cuts = np.quantile(spread, np.linspace(0, 1, bins + 1)[1:-1]) if len(spread) else np.array([])
    inner = [cut for cut in np.unique(cuts).tolist() if low < cut <= high]
    return NumericBins(
        column=name,
        edges=(low, *inner, high),
        repeated=tuple(np.sort(repeated).tolist()),
        center=center,
        step=step,
        has_buckets=len(distinct) > 4 * BUCKETS,
    )


def _grid(values: Floats) -> tuple[float, float]:
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        middle, spread = float(np.mean(values)), float(np.std(values))
    if not math.isfinite(middle) or not math.isfinite(spread):
        middle, spread = 0.0, 2.0**400
    spread = spread or max(1.0, abs(middle))
    exponent = min(400, max(-400, math.frexp(spread)[1] - 1)) - 12
    step = 2.0**exponent
    return round(middle / step) * step, step


def _finite_sample(column: pa.ChunkedArray) -> Floats:
    # Bins need no exact quantiles, so a sample is sorted; drawn at random, since a stride could follow a cycle.
    import numpy as np

    if len(column) > _SAMPLE:
        column = column.take(np.sort(np.random.default_rng(0).integers(0, len(column), _SAMPLE)))
    values = np.concatenate([np.empty(0), *(profiles.floats(chunk) for chunk in column.chunks)])
    finite: Floats = values[np.isfinite(values)]
    return finite


def _range(column: pa.ChunkedArray) -> tuple[float, float]:
    import numpy as np

    low, high = math.inf, -math.inf
    for chunk in column.chunks:
        values = profiles.floats(chunk)
        if len(values) and not (math.isfinite(values.min()) and math.isfinite(values.max())):
            values = values[np.isfinite(values)]
        if len(values):
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    return low, high


def _own_windows(table: pa.Table, windows: Sequence[pa.Table] | int) -> Sequence[pa.Table]:
    if not isinstance(windows, int):
        return windows
    ends = [table.num_rows * i // windows for i in range(windows + 1)] if windows > 1 else []
    return [table.slice(a, b - a) for a, b in itertools.pairwise(ends)]


def _dispersion(cells: NumericBins | CategoryLevels, own: Sequence[ColumnCounts]) -> float:
    return significance.excess_variance([readings.cell_counts(cells, counts) for counts in own])


def _trend_dispersion(cells: NumericBins, own: Sequence[ColumnCounts]) -> float:
    ordered = [readings.in_order(cells, counts) for counts in own]
    return significance.excess_variance(ordered, significance.trend_statistic)
