"""Times are UTC with their time zone; durations are read back as they were written."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.clock import FixedClock, SystemClock, format_duration, parse_duration, parse_time
from flyball.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("3h", 10_800),
        ("14d", 1_209_600),
        ("2w", 1_209_600),
        ("1d12h", 129_600),
        ("1d 12h 30m", 131_400),
        (" 1.5h ", 5400),
        ("0s", 0),
        ("0.25s", 0.25),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "3",
        "h",
        "3x",
        "-3h",
        "3h-1m",
        "1.5.5h",
        ".h",
        ".5h",
        "1e3s",
        "²h",
        "٣h",
        "1h,2m",
        "9" * 30 + "w",
        None,
        3,
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a duration"):
        parse_duration(text)


def test_a_duration_may_be_one_already() -> None:
    assert parse_duration(timedelta(hours=1)) == timedelta(hours=1)


@given(st.timedeltas(timedelta(), timedelta(days=100_000)))
def test_a_duration_is_read_back(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


def test_a_negative_duration_is_not_written() -> None:
    with pytest.raises(InvalidInput):
        format_duration(timedelta(seconds=-1))


@given(st.text())
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    for read in (parse_duration, parse_time):
        with contextlib.suppress(InvalidInput):
            read(text)


@pytest.mark.parametrize(
    "text", ["2013-03-01", "2013-03-01T00:00:00", "2013-03-01T00:00:00Z", "2013-02-28T19:00:00-05:00", "20130301"]
)
def test_a_moment_is_read_as_utc(text: str) -> None:
    found = parse_time(text)
    assert found == datetime(2013, 3, 1, tzinfo=UTC)
    assert found.tzinfo is UTC


def test_a_moment_may_be_one_already() -> None:
    new_york = datetime(2013, 2, 28, 19, tzinfo=timezone(timedelta(hours=-5)))
    assert parse_time(new_york) == new_york
    assert parse_time(new_york).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "yesterday", "2013-13-01", "0001-01-01T00:00:00+05:00", None, 3])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a time"):
        parse_time(text)


def test_the_system_clock_knows_its_time_zone() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_a_fixed_clock_moves_when_it_is_moved() -> None:
    clock = FixedClock()
    before = clock.now()
    assert clock.now() == before
    clock.advance(timedelta(hours=1))
    assert clock.now() - before == timedelta(hours=1)
