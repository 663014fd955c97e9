"""What changed in a column, in a few words."""

from __future__ import annotations

import math

from flyball.monitoring import readings
from flyball.monitoring.profile import CategoryLevels, ColumnCounts, NumericBins


def cause_of(cells: NumericBins | CategoryLevels, was: ColumnCounts, now: ColumnCounts) -> str:
    """The change that accounts for most of the distance: `mean 51.2 -> 63.9`, `missing 0.1 % -> 7.2 %`.

    Args:
        was: Counts of the reference.
        now: Counts of the window.
    """
    if isinstance(cells, NumericBins):
        groups = {
            "below": _weight(was.below, now.below, was, now),
            "above": _weight(was.above, now.above, was, now),
            "repeated": _weights(was.repeated, now.repeated, was, now),
        }
    else:
        groups = {"unseen": _weight(was.unseen, now.unseen, was, now)}
    groups["missing"] = _weight(was.missing, now.missing, was, now)
    groups["unreadable"] = _weight(was.unreadable, now.unreadable, was, now)
    rest = _within(was.counts, now.counts)
    heaviest = max(groups, key=groups.__getitem__)
    # Values far out of range are clipped in the sums, so the mean would say too little of them.
    if groups[heaviest] > min(rest, 0.5):
        return _outside_the_bins(heaviest, cells, was, now)
    return _shape(cells, was, now) if isinstance(cells, NumericBins) else _level(cells, was, now)


def number(value: float) -> str:
    """A number of four digits, as people read it.

    >>> number(51.2345), number(120000.0), number(3.0)
    ('51.23', '120000', '3')
    """
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.4g}"


def share(rows: int, total: int) -> str:
    """A share of rows in per cent.

    >>> share(72, 1000)
    '7.2 %'
    """
    return f"{100 * rows / total if total else 0.0:.1f} %"


def change(before: int, after: int, was: ColumnCounts, now: ColumnCounts) -> str:
    """The share of the rows before and after."""
    return f"{share(before, was.total)} -> {share(after, now.total)}"


def new_levels(now: ColumnCounts) -> str:
    """The window's categories that the reference did not have, and their share of the rows."""
    names = sorted(now.unseen_levels, key=lambda name: -now.unseen_levels[name])
    shown = ", ".join(f"'{name}'" for name in names[:3]) + (", ..." if len(names) > 3 else "")
    return f"new level{'s' if len(names) > 1 else ''} {shown} {share(now.unseen, now.total)}"


def _outside_the_bins(group: str, cells: NumericBins | CategoryLevels, was: ColumnCounts, now: ColumnCounts) -> str:
    if isinstance(cells, NumericBins):
        if group == "below":
            farthest = f" (down to {number(now.minimum)})" if now.minimum is not None else ""
            return f"below {number(cells.edges[0])}: {change(was.below, now.below, was, now)}{farthest}"
        if group == "above":
            farthest = f" (up to {number(now.maximum)})" if now.maximum is not None else ""
            return f"above {number(cells.edges[-1])}: {change(was.above, now.above, was, now)}{farthest}"
        if group == "repeated":
            place = _heaviest(was.repeated, now.repeated, was, now)
            rows = change(was.repeated[place], now.repeated[place], was, now)
            return f"value {number(cells.repeated[place])}: {rows}"
    if group == "missing":
        return f"missing {change(was.missing, now.missing, was, now)}"
    if group == "unreadable":
        return f"not of the reference's type {change(was.unreadable, now.unreadable, was, now)}"
    return new_levels(now) if now.unseen_levels else f"other levels {change(was.unseen, now.unseen, was, now)}"


def _shape(cells: NumericBins, was: ColumnCounts, now: ColumnCounts) -> str:
    middles = readings.mean(cells, was), readings.mean(cells, now)
    spreads = readings.deviation(cells, was), readings.deviation(cells, now)
    if middles[0] is not None and middles[1] is not None and spreads[0] and spreads[1]:
        moved = abs(middles[1] - middles[0]) / spreads[0]
        widened = abs(math.log(spreads[1] / spreads[0]))
        if max(moved, widened) >= 0.1:
            name, (before, after) = ("mean", middles) if moved >= widened else ("spread", spreads)
            assert before is not None
            assert after is not None
            return f"{name} {number(before)} -> {number(after)}"
    place = _heaviest(was.counts, now.counts, was, now)
    low, high = cells.edges[place], cells.edges[place + 1]
    rows = change(was.counts[place], now.counts[place], was, now)
    return f"between {number(low)} and {number(high)}: {rows}"


def _level(cells: CategoryLevels, was: ColumnCounts, now: ColumnCounts) -> str:
    place = _heaviest(was.counts, now.counts, was, now)
    return f"'{cells.levels[place]}' {change(was.counts[place], now.counts[place], was, now)}"


def _heaviest(before: tuple[int, ...], after: tuple[int, ...], was: ColumnCounts, now: ColumnCounts) -> int:
    return max(range(len(before)), key=lambda place: _weight(before[place], after[place], was, now))


def _weights(before: tuple[int, ...], after: tuple[int, ...], was: ColumnCounts, now: ColumnCounts) -> float:
    return sum(_weight(one, other, was, now) for one, other in zip(before, after, strict=True))


def _within(before: tuple[int, ...], after: tuple[int, ...]) -> float:
    # Of the rows in bins or levels alone: that these are fewer because more are missing is no change of shape.
    totals = sum(before), sum(after)
    if not all(totals):
        return 0.0
    pairs = [(one / totals[0], other / totals[1]) for one, other in zip(before, after, strict=True)]
    return sum((p - q) ** 2 / (p + q) for p, q in pairs if p + q)


def _weight(before: int, after: int, was: ColumnCounts, now: ColumnCounts) -> float:
    # A cell's part of the triangular discrimination, which is close to the Jensen-Shannon divergence and additive.
    p, q = before / was.total if was.total else 0.0, after / now.total if now.total else 0.0
    return (p - q) ** 2 / (p + q) if p + q else 0.0
