"""Faults of the data that a window's counts show: missing, misspelt, out of range, stuck, too few."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from flyball.data.exact_sums import bucket_of
from flyball.data.profile import BUCKETS
from flyball.monitoring import causes, evidence, factors, readings, significance, spelling
from flyball.monitoring import profile as profiles
from flyball.monitoring.profile import CategoryLevels, ColumnCounts, NumericBins, Profile, Reference

QualityKind = Literal[
    "missing", "unreadable", "unseen", "misspelt", "below", "above", "repeated", "volume", "duplicated", "late", "unit",
    "gone", "new_column",
]  # fmt: skip
_LEAST_ROWS = 3
_LEAST_WINDOWS = 3
_FLOORS = {"repeated": 0.05, "duplicated": 0.02}
_VOLUME = math.log(1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFinding:
    """One fault of a window.

    Attributes:
        column: The column; empty where it is the whole window.
        reference: The share of the reference's rows; rows of an ordinary window for `volume`.
        current: The same of this window.
        detail: What is wrong, in a few words.
        p_value: The chance of it if nothing has changed; for `repeated` and `volume` a bound of it.
    """

    column: str
    kind: QualityKind
    reference: float
    current: float
    detail: str
    p_value: float


def quality(
    reference: Reference, current: Profile, *, floor: float = 0.005, alpha: float = 0.001
) -> tuple[QualityFinding, ...]:
    """The faults of the window: its volume first, then the surest first.

    A share is a fault if it has grown by at least `floor` (a repeated value: by five points) and if chance, with the
    variation of the reference's own windows, would do so with a probability below `alpha`, corrected for the number of
    shares looked at. Volume is judged only where the reference has learned from at least three windows; this one must
    then span as much time as they do.

    Raises:
        InvalidInput: the window was not profiled against this reference.
    """
    profiles.require_same_cells(reference, current)
    looked_at = [found for cells in reference.columns for found in _shares(reference, current, cells)]
    looked_at += _duplicated(reference, current)
    q_values = significance.false_discovery([found.p_value for found in looked_at])
    faults = [
        found
        for found, q_value in zip(looked_at, q_values, strict=True)
        if q_value <= alpha and found.current - found.reference >= max(floor, _FLOORS.get(found.kind, 0.0))
    ]
    schema = tuple(_schema(reference, current))
    gone = {found.column for found in schema if found.kind == "gone"}
    told = [found for found in faults if found.column not in gone or found.kind != "missing"]
    units = tuple(_units(reference, current, alpha))
    return (*_volume(reference, current), *schema, *units, *sorted(told, key=lambda found: found.p_value))


def _shares(reference: Reference, current: Profile, cells: NumericBins | CategoryLevels) -> Iterator[QualityFinding]:
    was, now = reference.profile.columns[cells.column], current.columns[cells.column]
    inflated = evidence.inflation(reference, current, cells.column)

    def finding(kind: QualityKind, before: int, after: int, detail: str, *, tests: int = 1) -> QualityFinding:
        return QualityFinding(
            column=cells.column,
            kind=kind,
            reference=before / reference.n,
            current=after / current.n if current.n else 0.0,
            detail=detail,
            p_value=min(1.0, tests * _p_value((before, reference.n), (after, current.n), inflated)),
        )

    def change(before: int, after: int) -> str:
        return causes.change(before, after, was, now)

    yield finding("missing", was.missing, now.missing, f"missing {change(was.missing, now.missing)}")
    yield finding(
        "unreadable", was.unreadable, now.unreadable, f"not of the reference's type {change(0, now.unreadable)}"
    )
    if isinstance(cells, CategoryLevels):
        if cells.is_complete:
            by_chance = readings.unseen_by_chance(cells, was)
            alike = spelling.near(now.unseen_levels, cells.levels)
            kind: QualityKind = "misspelt" if alike else "unseen"
            yield finding(kind, by_chance, now.unseen, causes.new_levels(now) + spelling.words(alike))
        return
    # The reference's own ends were outside the range of all its other rows: one row each is to be expected.
    low, high = causes.number(cells.edges[0]), causes.number(cells.edges[-1])
    yield finding("below", 1, now.below, f"below {low}: {change(0, now.below)}")
    yield finding("above", 1, now.above, f"above {high}: {change(0, now.above)}")
    for value, before, after in zip(cells.repeated, was.repeated, now.repeated, strict=True):
        yield finding("repeated", before, after, f"value {causes.number(value)} repeats: {change(before, after)}")
    stuck = _stuck(cells, was, now)
    if stuck:
        before, after, where = stuck
        yield finding("repeated", before, after, f"{where} repeats: {change(before, after)}", tests=BUCKETS)


def _duplicated(reference: Reference, current: Profile) -> Iterator[QualityFinding]:
    was, now = reference.profile.rows, current.rows
    if was is None or now is None or not was.rows or not now.rows:
        return
    # How often rows repeat depends on how many there are: windows are compared with windows.
    before, after = max(reference.window_repeats, default=was.repeated / was.rows), now.repeated / now.rows
    yield QualityFinding(
        column="",
        kind="duplicated",
        reference=before,
        current=after,
        detail=f"rows that repeat another {100 * before:.1f} % -> {100 * after:.1f} %",
        p_value=_p_value((round(before * was.rows), was.rows), (now.repeated, now.rows), 1.0),
    )


def _units(reference: Reference, current: Profile, alpha: float) -> Iterator[QualityFinding]:
    for column, conversion, p_value in factors.changed_units(reference, current, alpha=alpha):
        detail = f"values are {conversion.words}: another unit?"
        yield QualityFinding(
            column=column, kind="unit", reference=1.0, current=conversion.factor, detail=detail, p_value=p_value
        )


def _schema(reference: Reference, current: Profile) -> Iterator[QualityFinding]:
    """Columns that are gone or new; a change of type shows in the rows that cannot be read."""
    if not current.types or not current.n:
        return
    watched = [cells.column for cells in reference.columns]
    for name in sorted({*watched, *reference.profile.types} - {*current.types}):
        if name in watched:
            yield QualityFinding(
                column=name, kind="gone", reference=0.0, current=1.0, detail="the column is gone", p_value=0.0
            )
    if not reference.profile.types:
        return
    for name in sorted({*current.types} - {*reference.profile.types}):
        yield QualityFinding(
            column=name, kind="new_column", reference=0.0, current=1.0,
            detail=f"a column that was not there before ({current.types[name]})", p_value=0.0,
        )  # fmt: skip


def _p_value(before: tuple[int, int], after: tuple[int, int], inflated: float) -> float:
    # Rows that vary more than by chance tell as much as fewer rows that do not (Rao and Scott 1981).
    if after[0] < _LEAST_ROWS:
        return 1.0
    (marked, rows), (hits, sample) = ([round(n / inflated) for n in pair] for pair in (before, after))
    return significance.hypergeometric_tail(hits, sample=sample, marked=marked + hits, total=rows + sample)


def _stuck(cells: NumericBins, was: ColumnCounts, now: ColumnCounts) -> tuple[int, int, str] | None:
    # One value that repeats fills one bucket and one bin; a shift of the whole fills bins, but no bucket.
    if not cells.has_buckets or not was.total or not now.total:
        return None
    before, after = _unknown_buckets(cells, was), _unknown_buckets(cells, now)
    bucket = _most_grown(before, after, was.total, now.total)
    bins = (was.below, *was.counts, was.above), (now.below, *now.counts, now.above)
    place = _most_grown(*bins, was.total, now.total)
    grown = after[bucket] / now.total - before[bucket] / was.total
    if bins[1][place] / now.total - bins[0][place] / was.total < grown / 2:
        return None
    if now.minimum == now.maximum and now.minimum is not None:
        where = f"value {causes.number(now.minimum)}"
    else:
        ends = [causes.number(edge) for edge in cells.edges]
        where = f"a value between {ends[place - 1]} and {ends[place]}" if 0 < place < len(ends) else ""
        where = where or f"a value {f'below {ends[0]}' if place == 0 else f'above {ends[-1]}'}"
    return before[bucket], after[bucket], where


def _most_grown(before: Sequence[int], after: Sequence[int], n_before: int, n_after: int) -> int:
    return max(range(len(before)), key=lambda i: after[i] / n_after - before[i] / n_before)


def _unknown_buckets(cells: NumericBins, counts: ColumnCounts) -> list[int]:
    import numpy as np

    buckets = list(counts.buckets)
    for bucket, rows in zip(bucket_of(np.array(cells.repeated)).tolist(), counts.repeated, strict=True):
        buckets[bucket] -= rows
    return buckets


def _volume(reference: Reference, current: Profile) -> Iterator[QualityFinding]:
    if len(reference.window_rows) < _LEAST_WINDOWS:
        return
    # The first and the last window of a table are seldom whole.
    whole = reference.window_rows[1:-1] if len(reference.window_rows) >= _LEAST_WINDOWS + 2 else reference.window_rows
    logs = [math.log(rows + 0.5) for rows in whole]
    usual = statistics.median(logs)
    spread = 1.4826 * statistics.median(abs(log - usual) for log in logs)
    usual_range = max(abs(log - usual) for log in logs)
    gap = abs(math.log(current.n + 0.5) - usual)
    if gap < max(_VOLUME, 5 * spread, 1.5 * usual_range):
        return
    ordinary = round(math.exp(usual) - 0.5)
    yield QualityFinding(
        column="",
        kind="volume",
        reference=float(ordinary),
        current=float(current.n),
        detail=f"{current.n} rows where {ordinary} are usual",
        p_value=1 / (len(logs) + 1),
    )
