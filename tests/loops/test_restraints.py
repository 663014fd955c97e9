"""What speaks against a training."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flyball.errors import InvalidInput
from flyball.loops.freeze import Freeze, freeze, freeze_between
from flyball.loops.restraints import broken_source
from flyball.monitoring.quality import QualityFinding
from flyball.monitoring.windows import Window
from flyball.serialization import from_json, to_json

FRIDAY = datetime(2026, 11, 20, 18, tzinfo=UTC)
WEEKENDS = freeze("0 18 * * 5", lasts="60h")


@pytest.mark.parametrize(
    ("hours", "is_on"), [(-0.1, False), (0, True), (30, True), (59.9, True), (60, False), (7 * 24, True)]
)
def test_a_freeze_that_comes_back_is_on_from_each_of_its_times(hours: float, is_on: bool) -> None:
    assert (WEEKENDS.until(FRIDAY + timedelta(hours=hours)) is not None) == is_on


def test_a_freeze_says_when_it_ends() -> None:
    assert WEEKENDS.until(FRIDAY + timedelta(hours=1)) == FRIDAY + timedelta(hours=60)


def test_a_freeze_between_two_moments_is_on_between_them() -> None:
    found = freeze_between("2026-12-20", "2027-01-02")
    end = datetime(2027, 1, 2, tzinfo=UTC)
    assert found.until(end - timedelta(seconds=1)) == end
    assert found.until(end) is None
    assert found.until(datetime(2026, 12, 19, tzinfo=UTC)) is None


def test_a_freeze_can_be_kept() -> None:
    assert from_json(to_json(WEEKENDS), Freeze) == WEEKENDS


@pytest.mark.parametrize(
    "declare",
    [
        lambda: freeze("now and then", lasts="1h"),
        lambda: freeze("0 18 * * 5", lasts="0s"),
        lambda: freeze_between("2027-01-02", "2026-12-20"),
        lambda: freeze_between("some day", "2026-12-20"),
    ],
)
def test_a_freeze_that_is_none_is_refused(declare: Any) -> None:
    with pytest.raises(InvalidInput):
        declare()


def window(kind: Any, share: float) -> Window:
    fault = QualityFinding(column="age", kind=kind, reference=0.01, current=share, detail="gone", p_value=0.0)
    return Window(deployment="shop", start=FRIDAY, end=FRIDAY, predictions=100, quality=(fault,))


@pytest.mark.parametrize(
    ("kind", "share", "is_broken"),
    [("missing", 0.9, True), ("unreadable", 1.0, True), ("missing", 0.1, False), ("unseen", 0.9, False)],
)
def test_a_source_is_broken_where_most_values_are_gone(kind: str, share: float, is_broken: bool) -> None:
    assert (broken_source([window(kind, share)]) is not None) == is_broken


def test_only_the_latest_window_tells_whether_a_source_is_broken() -> None:
    mended = Window(deployment="shop", start=FRIDAY, end=FRIDAY, predictions=100)
    assert broken_source([mended, window("missing", 0.9)]) is None
    assert broken_source([]) is None
