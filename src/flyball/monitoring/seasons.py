"""Seasons: windows that are compared with their like, a Monday with Mondays, eight o'clock with eight o'clock.

Without a season a reference learns only *that* its windows differ, and forgives every window as much. With one, each phase of
the season is compared with the reference's windows of that phase, and what is forgiven is how much windows of one phase
differ: what is unusual for a Sunday is found, though it would be ordinary on a Monday.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flyball.clock import parse_duration
from flyball.errors import InvalidInput
from flyball.monitoring import profile as profiles
from flyball.monitoring import readings, significance
from flyball.monitoring.profile import CategoryLevels, NumericBins, Phase, Profile, Reference, Season

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Counts = npt.NDArray[np.float64]

MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
"""Seasons and windows are counted from a Monday, so that weeks begin where people begin them."""

_MOST_PHASES = 1_000
_LEAST_ROWS = 100
_LEAST_WINDOWS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SeasonSpec:
    """A season and the phases that some windows are of.

    Attributes:
        cycle: How long it is until it comes again; `period`: length of a phase.
        phases: That of each window, counted from Monday 00:00 UTC.
    """

    cycle: timedelta
    period: timedelta
    phases: tuple[int, ...]


def seasonal(starts: Sequence[datetime], *, cycle: str | timedelta, period: str | timedelta) -> SeasonSpec:
    """The season of windows of one period each.

    Args:
        starts: A moment in each window.
        cycle: How long it is until the season comes again, such as `7d`; a multiple of the period.
        period: Length of a window, such as `1d`.

    Raises:
        InvalidInput: the cycle is no multiple of the period, or has more than a thousand phases.
    """
    whole, part = parse_duration(cycle), parse_duration(period)
    check_season(whole, part)
    return SeasonSpec(cycle=whole, period=part, phases=tuple(_phase(start, whole, part) for start in starts))


def check_season(cycle: timedelta, period: timedelta) -> None:
    """Refuses a season that windows of this length do not divide.

    Raises:
        InvalidInput: the cycle is no multiple of the period, or has more than a thousand phases.
    """
    if period <= timedelta(0) or cycle % period or not 1 < cycle // period <= _MOST_PHASES:
        raise InvalidInput(
            f"A season of {cycle} has no phases of {period}.",
            hint="Give a multiple of the window, such as 7d for windows of 1d.",
        )


def learn_season(spec: SeasonSpec, own: Sequence[Profile], columns: Sequence[NumericBins | CategoryLevels]) -> Season:
    """What is normal in each phase, from the reference's own windows.

    Raises:
        InvalidInput: there is not one phase for each window.
    """
    if len(own) != len(spec.phases):
        raise InvalidInput(
            f"There are {len(own)} windows and {len(spec.phases)} phases.", hint="Give one moment of each window."
        )
    by_phase: list[list[Profile]] = [[] for _ in range(spec.cycle // spec.period)]
    for phase, window in zip(spec.phases, own, strict=True):
        by_phase[phase].append(window)
    alike = [windows for windows in by_phase if len(windows) >= _LEAST_WINDOWS]
    return Season(
        cycle_seconds=spec.cycle.total_seconds(),
        period_seconds=spec.period.total_seconds(),
        phases=tuple(_phase_of(windows) for windows in by_phase),
        dispersion={cells.column: _dispersion(cells, alike) for cells in columns},
        trend_dispersion={cells.column: _trend(cells, alike) for cells in columns if isinstance(cells, NumericBins)},
    )


def at(reference: Reference, moment: datetime) -> Reference:
    """What is normal at a moment: that of its phase, where the reference has enough of it, else the whole."""
    season = reference.season
    if season is None:
        return reference
    cycle, period = (timedelta(seconds=value) for value in (season.cycle_seconds, season.period_seconds))
    phase = season.phases[_phase(moment, cycle, period)]
    if phase is None:
        return reference
    return replace(
        reference, profile=phase.profile, dispersion=season.dispersion, trend_dispersion=season.trend_dispersion,
        window_rows=phase.window_rows,
    )  # fmt: skip


def _phase(moment: datetime, cycle: timedelta, period: timedelta) -> int:
    return ((moment - MONDAY) % cycle) // period


def _phase_of(windows: Sequence[Profile]) -> Phase | None:
    if len(windows) < _LEAST_WINDOWS or sum(window.n for window in windows) < _LEAST_ROWS:
        return None
    return Phase(profile=profiles.merge(windows), window_rows=tuple(window.n for window in windows))


def _dispersion(cells: NumericBins | CategoryLevels, alike: Sequence[Sequence[Profile]]) -> float:
    vectors = [[readings.cell_counts(cells, window.columns[cells.column]) for window in windows] for windows in alike]
    return _excess(vectors, significance.g_statistic)


def _trend(cells: NumericBins, alike: Sequence[Sequence[Profile]]) -> float:
    vectors = [[readings.in_order(cells, window.columns[cells.column]) for window in windows] for windows in alike]
    return _excess(vectors, significance.trend_statistic)


def _excess(groups: Sequence[Sequence[Counts]], statistic: Callable[[Counts, Counts], tuple[float, int]]) -> float:
    """How much more than by chance a window differs from the others of its phase, per row, over all phases."""
    ratios = [ratio for windows in groups for ratio in significance.ratios_of(windows, statistic)]
    return significance.excess_of(ratios)
