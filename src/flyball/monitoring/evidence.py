"""Whether a window has drifted: evidence that it is no chance, and a size that matters, both.

For each column a G statistic compares the window's counts with the reference's. It is divided by how much more the
reference's own windows differ than chance lets them, so that a weekly cycle is no drift; its chi-square tail is the
p-value. In twenty cells a small shift is hard to see, so for numbers a second statistic looks at location and spread
alone, from the ranks of the cells; the smaller p-value of the two counts, doubled. Benjamini and Hochberg's way over
all columns keeps the false alarms of a wide table down. And the drift metric's distance must exceed, by the metric's
threshold, what chance gives at this number of rows: a huge window does not alarm for nothing, a small one not for its
noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from flyball.monitoring import causes, readings, significance
from flyball.monitoring import profile as profiles
from flyball.monitoring.drift.base import DRIFT_METRICS, Cells, DriftMetric
from flyball.monitoring.profile import CategoryLevels, ColumnCounts, NumericBins, Profile, Reference

_EITHER_KIND = "jensen_shannon"
_DRAWS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDrift:
    """What is known about one column.

    Attributes:
        metric: The drift metric used: the one asked for, or `jensen_shannon` where that one cannot compare this kind.
        distance: Its value.
        excess: What of it chance does not explain.
        threshold: The excess from which it matters.
        p_value: The chance of such counts if nothing has changed.
        q_value: The same, corrected for the number of columns.
        cause: What changed most, in a few words; empty where nothing drifted.
    """

    column: str
    metric: str
    distance: float
    excess: float
    threshold: float
    p_value: float
    q_value: float
    drifted: bool
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """What is known about a window, the worst column first.

    Attributes:
        n_reference: Rows of the reference; `n`: of the window.
        drifted: Whether any column has drifted.
        share: Share of the columns that have.
    """

    n_reference: int
    n: int
    columns: tuple[ColumnDrift, ...]
    drifted: bool
    share: float

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence for each column that has drifted."""
        return tuple(f"{found.column}: {found.cause}" for found in self.columns if found.drifted)


def drift(
    reference: Reference,
    current: Profile,
    *,
    metric: str = _EITHER_KIND,
    threshold: float | None = None,
    alpha: float = 0.01,
) -> DriftReport:
    """Whether the window has drifted from the reference, by column, with how sure that is and why.

    Args:
        metric: Name of the drift metric that measures the size.
        threshold: The excess that matters; the metric's own by default.
        alpha: Share of false findings among the findings, and of quiet windows that alarm.

    Raises:
        NotFound: there is no metric of that name.
        InvalidInput: the window was not profiled against this reference.
    """
    profiles.require_same_cells(reference, current)
    asked = DRIFT_METRICS.get(metric)
    p_values = [p_value_of(reference, current, cells) for cells in reference.columns]
    columns = []
    for cells, p, q in zip(reference.columns, p_values, significance.false_discovery(p_values), strict=True):
        fits = cells.kind in asked.kinds
        chosen = asked if fits else DRIFT_METRICS.get(_EITHER_KIND)
        floor = threshold if threshold is not None and fits else chosen.threshold
        distance, excess = _size(reference, current, cells, chosen)
        drifted = bool(q <= alpha and excess >= floor)
        columns.append(
            ColumnDrift(
                column=cells.column,
                metric=metric if fits else _EITHER_KIND,
                distance=distance,
                excess=excess,
                threshold=floor,
                p_value=p,
                q_value=q,
                drifted=drifted,
                cause=causes.cause_of(cells, *_both(reference, current, cells)) if drifted else "",
            )
        )
    columns.sort(key=lambda each: (not each.drifted, -each.excess / (each.threshold or 1.0), each.p_value))
    count = sum(each.drifted for each in columns)
    return DriftReport(
        n_reference=reference.n,
        n=current.n,
        columns=tuple(columns),
        drifted=count > 0,
        share=count / len(columns),
    )


def inflation(reference: Reference, current: Profile, column: str) -> float:
    """How much larger than by chance the statistic of a quiet window of this size is."""
    rows = significance.effective_rows(reference.n, current.n)
    return 1 + rows * reference.dispersion.get(column, 0.0)


def _both(
    reference: Reference, current: Profile, cells: NumericBins | CategoryLevels
) -> tuple[ColumnCounts, ColumnCounts]:
    return reference.profile.columns[cells.column], current.columns[cells.column]


def p_value_of(reference: Reference, current: Profile, cells: NumericBins | CategoryLevels) -> float:
    """The chance of a column's counts if nothing has changed."""
    was, now = _both(reference, current, cells)
    counts = [readings.cell_counts(cells, sample) for sample in (was, now)]
    if isinstance(cells, CategoryLevels):
        counts = [readings.rare_joined(cells, was, vector) for vector in counts]
    statistic, degrees = significance.g_statistic(*counts)
    anything = significance.chi_square_tail(statistic / inflation(reference, current, cells.column), degrees)
    if isinstance(cells, CategoryLevels):
        return anything
    statistic, degrees = significance.trend_statistic(readings.in_order(cells, was), readings.in_order(cells, now))
    rows = significance.effective_rows(reference.n, current.n)
    quiet = 1 + rows * reference.trend_dispersion.get(cells.column, 0.0)
    return min(1.0, 2 * min(anything, significance.chi_square_tail(statistic / quiet, degrees)))


def _size(
    reference: Reference, current: Profile, cells: NumericBins | CategoryLevels, metric: DriftMetric
) -> tuple[float, float]:
    if not current.n:
        return 0.0, 0.0
    was, now = _both(reference, current, cells)
    before, after = readings.cells_of(cells, was, was), readings.cells_of(cells, was, now)
    distance = metric.distance(before, after)
    chance = _chance(before, after, metric, inflation(reference, current, cells.column))
    return distance, math.sqrt(max(0.0, distance**2 - chance**2))


def _chance(before: Cells, after: Cells, metric: DriftMetric, inflated: float) -> float:
    # The root mean square distance of two quiet samples of these sizes, drawn from what both have in common. The seed
    # is fixed, so that the same window gives the same finding.
    import numpy as np

    pooled = (before.counts + after.counts) / (before.counts.sum() + after.counts.sum())
    rows = [max(1, round(sample.counts.sum() / inflated)) for sample in (before, after)]
    random = np.random.default_rng(0)
    draws = [random.multinomial(n, pooled, size=_DRAWS).astype(np.float64) for n in rows]
    squares = [
        metric.distance(replace(before, counts=one), replace(before, counts=other)) ** 2
        for one, other in zip(*draws, strict=True)
    ]
    return math.sqrt(sum(squares) / _DRAWS)
