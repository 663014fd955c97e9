"""Profiles: what a table looks like, in some kilobytes: types, missing values, ranges, quantiles, top values, lengths.

A profile is JSON, kept beside a snapshot, shown to people, compared with later versions and made into the reference of a
drift monitor. It holds no value of a column that is flagged as personal.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from flyball.data.checks.distribution import Shares
from flyball.data.pii import PiiFlag
from flyball.errors import InvalidInput, did_you_mean
from flyball.schema import ColumnType
from flyball.serialization import JsonValue

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
MOST_TOP = 100
BUCKETS = 32
CLIP_STEPS = 1 << 18  # with blocks of 2^15, sums of squares stay below 2^53: exact in any order
CorrelationKind = Literal["pearson", "spearman", "cramer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """The rows of a numeric column by 20 bins of about equally many.

    Attributes:
        edges: Ends of the bins, ascending; the first is the least and the last the greatest finite value. A bin holds its
            lower end; the last one both.
        counts: Rows by bin, those of the repeated values left out.
        repeated: Values so frequent (a zero, a default) that they are counted by themselves.
        repeated_counts: Rows by repeated value.
        center: Rounded mean; `step`: a power of two, at most 1/4096 of the spread. With them sums add up exactly; a step of
            0 says that there are none.
        is_many: Whether the column has many different values (more than 128 in the sample).
        below: Rows that are minus infinity, `above`: infinity; they are in no bin.
        sum: Sum of the values in steps from the center, and `sum_squares` of their squares. Values farther than 2^18 steps
            (32 standard deviations or more) count as that far.
        buckets: Rows by a hash of their value, where there are many: one that begins to repeat stands out.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    repeated: tuple[float, ...] = ()
    repeated_counts: tuple[int, ...] = ()
    center: float = 0.0
    step: float = 1.0
    is_many: bool = False
    below: int = 0
    above: int = 0
    sum: int = 0
    sum_squares: int = 0
    buckets: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueCount:
    """A value and its rows."""

    value: JsonValue
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Characters of the texts of a column."""

    least: int
    mean: float
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """What a column looks like.

    Attributes:
        missing: Rows without a value; NaN is none. `not_numbers`: those of them that are NaN.
        infinite: Rows with an infinite number; they count neither for the moments nor for the bins.
        distinct: Different values, estimated to a few percent (HyperLogLog); None where it is not known.
        minimum: Least value, times as ISO 8601; None for texts.
        std: Standard deviation (of a sample).
        quantiles: At `QUANTILES`, of a sample of at most 65,536 rows.
        top: The most frequent values, at most 100, of texts, marks and numbers with few values.
        is_top_complete: Whether there are no others.
        is_top_exact: Whether the rows of `top` were all counted; else they are those of the sample.
        histogram: Rows of the sample by 20 bins of equal width from the least value to the greatest.
        zeros: Rows that are 0, false or the empty text.
        examples: Some values; masked where the column is flagged.
    """

    column: str
    type: ColumnType
    rows: int
    missing: int = 0
    not_numbers: int = 0
    infinite: int = 0
    distinct: int | None = None
    minimum: JsonValue = None
    maximum: JsonValue = None
    mean: float | None = None
    std: float | None = None
    quantiles: tuple[float, ...] = ()
    bins: Bins | None = None
    top: tuple[ValueCount, ...] = ()
    is_top_complete: bool = False
    is_top_exact: bool = True
    lengths: Lengths | None = None
    histogram: tuple[int, ...] = ()
    zeros: int | None = None
    examples: tuple[JsonValue, ...] = ()
    storage: str = ""

    @property
    def known(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing

    def shares(self) -> Shares:
        """How the values are spread, as a check of the distribution compares them.

        Raises:
            InvalidInput: the column has neither bins nor top values.
        """
        if self.bins is not None and self.known:
            counts = list(self.bins.counts)
            for value, rows in zip(self.bins.repeated, self.bins.repeated_counts, strict=True):
                counts[bin_of(self.bins.edges, value)] += rows
            return Shares(edges=self.bins.edges, shares=tuple(count / self.known for count in counts))
        if self.top and self.known:
            total = self.known if self.is_top_exact else sum(each.rows for each in self.top)
            levels = tuple(_level(each.value) for each in self.top)
            return Shares(levels=levels, shares=tuple(each.rows / total for each in self.top))
        raise InvalidInput(
            f"The profile of '{self.column}' has no distribution.", hint="Numbers, texts and marks have one."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """How two columns go together: from -1 to 1, for Cramer's V from 0 to 1."""

    one: str
    other: str
    kind: CorrelationKind
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProfile:
    """What a table looks like.

    Attributes:
        duplicates: Rows that repeat an earlier one in all columns; None where it is not known.
        correlations: Of numbers by Pearson and Spearman, of categories by Cramer's V (with the correction of Bergsma
            2013), of a sample; the strongest first.
        flags: Columns with personal data.
        sample: Rows of the sample that quantiles, histograms and correlations are of.
        snapshot: Text of the `Ref` of the version it is of; empty for any other table.
    """

    rows: int
    columns: tuple[ColumnProfile, ...]
    duplicates: int | None = None
    correlations: tuple[Correlation, ...] = ()
    flags: tuple[PiiFlag, ...] = ()
    sample: int = 0
    snapshot: str = ""

    def column(self, name: str) -> ColumnProfile:
        """The profile of that column.

        Raises:
            InvalidInput: there is none; the hint names near ones.
        """
        for column in self.columns:
            if column.column == name:
                return column
        raise InvalidInput(
            f"The profile has no column '{name}'.", hint=did_you_mean(name, [column.column for column in self.columns])
        )


def merge(profiles: Sequence[TableProfile]) -> TableProfile:
    """The profile of all their rows together, as far as profiles tell.

    Exact are rows, missing and infinite values, ranges, means, deviations, zeros, lengths, and bins and top values where
    the parts have the same ones. Where they have not, the bins are those of the first part that has most rows, and rows
    of others are shared out as if they lay evenly in their bins. The number of different values is then a lower bound;
    duplicates and correlations are not known.

    Raises:
        InvalidInput: there is none, or a column is of different types.
    """
    if not profiles:
        raise InvalidInput("There is no profile to merge.")
    if len(profiles) == 1:
        return profiles[0]
    names = list(dict.fromkeys(column.column for profile in profiles for column in profile.columns))
    columns = []
    for name in names:
        parts = [next((c for c in p.columns if c.column == name), None) for p in profiles]
        found = [part for part in parts if part is not None]
        lacking = sum(p.rows for p, part in zip(profiles, parts, strict=True) if part is None)
        whole = _merge_columns(found)
        columns.append(replace(whole, rows=whole.rows + lacking, missing=whole.missing + lacking))
    flags = {flag.column: flag for profile in reversed(profiles) for flag in profile.flags}
    return TableProfile(
        rows=sum(p.rows for p in profiles),
        columns=tuple(columns),
        flags=tuple(flags[name] for name in names if name in flags),
        sample=sum(p.sample for p in profiles),
    )


def bin_of(edges: Sequence[float], value: float) -> int:
    """The bin that a value within the edges lies in."""
    import bisect

    return min(max(bisect.bisect_right(edges, value) - 1, 0), len(edges) - 2)


def _merge_columns(parts: Sequence[ColumnProfile]) -> ColumnProfile:
    kinds = {part.type for part in parts if part.type != "null"}
    if len(kinds) > 1:
        raise InvalidInput(f"Column '{parts[0].column}' is of type {' and '.join(sorted(kinds))}; it cannot be merged.")
    known = [part for part in parts if part.known] or list(parts[:1])
    mean, std = _moments(known)
    if all(part.std is None and part.known > 1 for part in known):
        std = None  # marks have a mean alone
    largest = max(known, key=lambda part: part.known)
    counts: Counter[JsonValue] = Counter()
    for part in known:
        counts.update({each.value: each.rows for each in part.top})
    is_complete = all(part.is_top_complete for part in known) and len(counts) <= MOST_TOP
    return replace(
        largest,
        rows=sum(part.rows for part in parts),
        missing=sum(part.missing for part in parts),
        not_numbers=sum(part.not_numbers for part in parts),
        infinite=sum(part.infinite for part in parts),
        distinct=max((part.distinct for part in known if part.distinct is not None), default=None),
        minimum=min((part.minimum for part in known if part.minimum is not None), default=None),
        maximum=max((part.maximum for part in known if part.maximum is not None), default=None),
        mean=mean,
        std=std,
        bins=_merge_bins([part.bins for part in known if part.bins is not None], largest.bins),
        top=tuple(
            ValueCount(value=v, rows=n) for v, n in sorted(counts.items(), key=lambda p: (-p[1], str(p[0])))[:MOST_TOP]
        ),
        is_top_complete=is_complete,
        is_top_exact=is_complete and all(part.is_top_exact for part in known),
        lengths=_merge_lengths(known),
        zeros=sum(part.zeros or 0 for part in parts) if any(part.zeros is not None for part in parts) else None,
    )


def _moments(parts: Sequence[ColumnProfile]) -> tuple[float | None, float | None]:
    # Chan, Golub and LeVeque 1979: parts of any sizes, without cancellation.
    rows, mean, squares = 0, 0.0, 0.0
    for part in parts:
        n = part.known - part.infinite
        if part.mean is None or not n:
            continue
        gap = part.mean - mean
        squares += (part.std or 0.0) ** 2 * (n - 1) + gap * gap * rows * n / (rows + n)
        mean += gap * n / (rows + n)
        rows += n
    if not rows:
        return None, None
    return mean, math.sqrt(squares / (rows - 1)) if rows > 1 else None


def _merge_bins(parts: Sequence[Bins], first: Bins | None) -> Bins | None:
    if first is None or not parts:
        return first
    low, high = min(part.edges[0] for part in parts), max(part.edges[-1] for part in parts)
    inner = first.edges[1:-1]
    edges = (low, *inner, high)
    if len(edges) > 2 and not (low < edges[1] and edges[-2] < high):
        edges = (low, *(edge for edge in inner if low < edge < high), high)
    counts = [0.0] * (len(edges) - 1)
    repeated: Counter[float] = Counter(dict.fromkeys(first.repeated, 0))
    for part in parts:
        for value, rows in zip(part.repeated, part.repeated_counts, strict=True):
            if value in repeated:
                repeated[value] += rows
            else:
                counts[bin_of(edges, value)] += rows
        for place, rows in enumerate(part.counts):
            _share_out(edges, counts, (part.edges[place], part.edges[place + 1]), rows)
    values = sorted(repeated)
    return replace(
        first,
        edges=edges,
        counts=tuple(_rounded(counts)),
        repeated=tuple(values),
        repeated_counts=tuple(repeated[value] for value in values),
        below=sum(part.below for part in parts),
        above=sum(part.above for part in parts),
        # Only sums over the same grid, and buckets of all parts, add up.
        **_added(parts),
    )


def _added(parts: Sequence[Bins]) -> dict[str, Any]:
    grids, kept = {(part.center, part.step) for part in parts}, {len(part.buckets) for part in parts}
    buckets = tuple(map(sum, zip(*(part.buckets for part in parts), strict=True))) if len(kept) == 1 else ()
    if len(grids) > 1:
        return {"sum": 0, "sum_squares": 0, "step": 0.0, "buckets": buckets}
    return {"sum": sum(p.sum for p in parts), "sum_squares": sum(p.sum_squares for p in parts), "buckets": buckets}


def _share_out(edges: Sequence[float], counts: list[float], ends: tuple[float, float], rows: int) -> None:
    low, high = ends
    first, last = bin_of(edges, low), bin_of(edges, math.nextafter(high, -math.inf))
    if first >= last or high <= low:
        counts[first] += rows
        return
    for place in range(first, last + 1):
        part = min(high, edges[place + 1]) - max(low, edges[place])
        counts[place] += rows * part / (high - low)


def _rounded(counts: Sequence[float]) -> list[int]:
    # So that the sum stays what it was.
    whole, given, found = 0.0, 0, []
    for count in counts:
        whole += count
        found.append(round(whole) - given)
        given = round(whole)
    return found


def _merge_lengths(parts: Sequence[ColumnProfile]) -> Lengths | None:
    known = [(part.lengths, part.known) for part in parts if part.lengths is not None and part.known]
    if not known:
        return None
    rows = sum(n for _, n in known)
    return Lengths(
        least=min(lengths.least for lengths, _ in known),
        mean=sum(lengths.mean * n for lengths, n in known) / rows,
        most=max(lengths.most for lengths, _ in known),
    )


def _level(value: JsonValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
