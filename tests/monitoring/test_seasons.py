"""Windows are compared with their like where a season is declared."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from flyball.errors import InvalidInput
from flyball.monitoring.profile import Reference, profile
from flyball.monitoring.quality import quality
from flyball.monitoring.reference import fit_reference
from flyball.monitoring.seasons import MONDAY, at, seasonal
from flyball.monitoring.tables import Roles, examine_table
from flyball.serialization import from_json, to_json

DAY = timedelta(days=1)
FIRST = datetime.fromisoformat("2026-01-05T00:00:00+00:00")  # a Monday
SUNDAYS = 5.0


def day_of(place: int, *, warmer: float | None = None, n: int = 400) -> pa.Table:
    """A day's rows; weekends are warmer, and have half as many rows."""
    weekend = (FIRST + place * DAY).weekday() >= 5
    random = np.random.default_rng(1_000 + place)
    n = n // 2 if weekend else n
    shift = (SUNDAYS if weekend else 0.0) if warmer is None else warmer
    return pa.table(
        {
            "t": random.normal(15 + shift, 3, n),
            "at": [FIRST + place * DAY + row * timedelta(minutes=1) for row in range(n)],
        }
    )


@pytest.fixture(scope="module")
def reference() -> Reference:
    days = [day_of(place) for place in range(-42, 0)]
    starts = [FIRST + place * DAY for place in range(-42, 0)]
    season = seasonal(starts, cycle="7d", period="1d")
    tables = [day.drop_columns(["at"]) for day in days]
    return fit_reference(pa.concat_tables(tables), windows=tables, season=season)


def causes(reference: Reference, place: int, *, warmer: float | None = None) -> tuple[str, ...]:
    return examine_table(day_of(place, warmer=warmer), reference, roles=Roles(time="at")).causes


def test_what_is_usual_for_its_day_is_quiet(reference: Reference) -> None:
    alarms = [place for place in range(28) if causes(reference, place)]
    assert len(alarms) <= 1  # one of a hundred may


def test_a_sunday_like_a_monday_is_told_though_mondays_are_like_that(reference: Reference) -> None:
    assert "drift" in causes(reference, 6, warmer=0.0)
    assert "drift" in causes(reference, 7, warmer=SUNDAYS)


def test_without_the_season_it_is_not_told(reference: Reference) -> None:
    from dataclasses import replace

    assert causes(replace(reference, season=None), 6, warmer=0.0) == ()


def test_as_many_rows_as_on_other_days_are_too_many_on_a_sunday(reference: Reference) -> None:
    def kinds(n: int) -> list[str]:
        sunday = at(reference, FIRST + 6 * DAY)
        return [fault.kind for fault in quality(sunday, profile(day_of(6, n=n), sunday)) if fault.kind == "volume"]

    assert (kinds(800), kinds(400)) == (["volume"], [])


def test_a_season_is_kept_with_the_reference(reference: Reference) -> None:
    kept = from_json(to_json(reference), Reference)
    assert kept == reference
    assert at(kept, FIRST + 6 * DAY).profile.n == 6 * 200
    assert at(kept, MONDAY).profile.n == 6 * 400


def test_too_little_of_a_phase_is_compared_with_the_whole() -> None:
    days = [day_of(place).drop_columns(["at"]) for place in range(8)]
    season = seasonal([FIRST + place * DAY for place in range(8)], cycle="7d", period="1d")
    fitted = fit_reference(pa.concat_tables(days), windows=days, season=season)
    assert at(fitted, FIRST).profile.n == 800
    assert at(fitted, FIRST + DAY) == fitted


@pytest.mark.parametrize(("cycle", "period"), [("7d", "2d"), ("1d", "1d"), ("1d", "2d"), ("365d", "1m")])
def test_a_season_that_windows_do_not_divide_is_refused(cycle: str, period: str) -> None:
    with pytest.raises(InvalidInput, match="season"):
        seasonal([FIRST], cycle=cycle, period=period)


def test_windows_without_phases_are_refused() -> None:
    days = [day_of(place).drop_columns(["at"]) for place in range(8)]
    with pytest.raises(InvalidInput, match="8 windows and 1 phases"):
        fit_reference(pa.concat_tables(days), windows=days, season=seasonal([FIRST], cycle="7d", period="1d"))
