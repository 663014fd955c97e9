"""A drift reference made of the profile of a table: what is normal, without reading the rows again.

Equal to what `fit_reference` gives on the same rows, as far as profiles go: not by windows, which only the rows could be
cut into, so the reference knows nothing of how much normal windows differ; and without the columns whose values are
hidden because they are personal. Rows as wholes (their joint, a sample of them) are not in a profile either.
"""

from __future__ import annotations

from collections.abc import Sequence

from flyball.data.profile import CLIP_STEPS, MOST_TOP, Bins, ColumnProfile, TableProfile
from flyball.errors import InvalidInput
from flyball.monitoring import profile as profiles
from flyball.monitoring.profile import CategoryLevels, ColumnCounts, NumericBins, Profile, Reference

_NUMBERS = ("int", "float", "decimal")


def reference_from_profile(profile: TableProfile, *, columns: Sequence[str] | None = None) -> Reference:
    """The reference that windows are compared with, from the profile of normal rows.

    Left out are columns that are neither numbers, booleans nor text, columns without a value, hidden ones, and, unless
    they are asked for by name, texts of which more than half are unlike any other (names, keys).

    Args:
        columns: The columns to watch; all by default.

    Raises:
        InvalidInput: there is no such column, or nothing to watch.
    """
    names = [column.column for column in profile.columns] if columns is None else list(columns)
    cells: list[NumericBins | CategoryLevels] = []
    counts: dict[str, ColumnCounts] = {}
    for name in names:
        made = _numeric(profile.column(name)) or _categorical(profile.column(name), is_asked_for=columns is not None)
        if made is None and columns is not None:
            raise InvalidInput(
                f"Column '{name}' cannot be watched by its profile.", hint="Fit the reference on the rows."
            )
        if made is not None:
            cells.append(made[0])
            counts[name] = made[1]
    numeric = tuple(each for each in cells if isinstance(each, NumericBins))
    categorical = tuple(each for each in cells if isinstance(each, CategoryLevels))
    if not cells:
        raise InvalidInput(
            "The profile has no column to watch.", hint="Numbers, booleans and texts that repeat can be watched."
        )
    blank = profiles.empty((*numeric, *categorical))
    own = Profile(
        n=profile.rows,
        reference=blank.reference,
        columns={name: counts[name] for name in blank.columns},
        types={each.column: each.storage for each in profile.columns},
    )
    flat = {each.column: 0.0 for each in cells}
    return Reference(
        numeric=numeric,
        categorical=categorical,
        profile=own,
        dispersion=flat,
        trend_dispersion={each.column: 0.0 for each in numeric},
    )


def _numeric(column: ColumnProfile) -> tuple[NumericBins, ColumnCounts] | None:
    bins = column.bins
    # A step of 0 says that the sums were lost when profiles with other grids were merged.
    if column.type not in _NUMBERS or bins is None or not bins.step:
        return None
    cells = NumericBins(
        column=column.column,
        edges=bins.edges,
        repeated=bins.repeated,
        center=bins.center,
        step=bins.step,
        has_buckets=bins.is_many,
    )
    return cells, _bin_counts(column, bins)


def _bin_counts(column: ColumnProfile, bins: Bins) -> ColumnCounts:
    return ColumnCounts(
        column=column.column,
        counts=bins.counts,
        total=column.rows,
        missing=column.missing,
        below=bins.below,
        above=bins.above,
        repeated=bins.repeated_counts,
        sum=bins.sum + CLIP_STEPS * (bins.above - bins.below),
        sum_squares=bins.sum_squares + CLIP_STEPS**2 * (bins.above + bins.below),
        minimum=float(bins.edges[0]),
        maximum=float(bins.edges[-1]),
        buckets=bins.buckets,
    )


def _categorical(column: ColumnProfile, *, is_asked_for: bool) -> tuple[CategoryLevels, ColumnCounts] | None:
    if column.type not in ("string", "bool") or not column.top or not column.is_top_exact:
        return None
    if column.type == "bool":
        levels: tuple[str, ...] = ("false", "true")
        rows = {str(each.value).lower(): each.rows for each in column.top}
    else:
        if not is_asked_for and column.distinct is not None and MOST_TOP < column.distinct > column.known / 2:
            return None
        rows = {str(each.value): each.rows for each in column.top}
        levels = tuple(rows)
    cells = CategoryLevels(column=column.column, levels=levels, is_complete=column.is_top_complete)
    counts = ColumnCounts(
        column=column.column,
        counts=tuple(rows.get(level, 0) for level in levels),
        total=column.rows,
        missing=column.missing,
        unseen=column.known - sum(rows.values()),
    )
    return cells, counts
