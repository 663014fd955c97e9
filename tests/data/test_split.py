from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.data.split import split
from flyball.data.table import Table
from flyball.errors import InvalidInput

DAY = 86_400


def days(*values: int | None, zone: str | None = None) -> Table:
    at = pa.array([None if value is None else value * DAY for value in values], pa.timestamp("s", zone))
    return Table(pa.table({"at": at, "id": list(range(len(values)))}), key="id", time="at")


def ids(table: Table) -> list[int]:
    found: list[int] = table.column("id").to_pylist()
    return found


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_a_duration_counts_back_from_the_latest_time(zone: str | None) -> None:
    past, recent = split(days(9, 1, 8, 3, zone=zone), holdout="2d")
    assert ids(past) == [1, 3]
    assert ids(recent) == [0, 2]


def test_what_lies_on_the_edge_is_past() -> None:
    past, recent = split(days(1, 2, 3), holdout=timedelta(days=1))
    assert (ids(past), ids(recent)) == ([0, 1], [2])


def test_a_share_takes_the_newest() -> None:
    past, recent = split(days(5, 1, 4, 2, 3), holdout="40%")
    assert (ids(past), ids(recent)) == ([1, 3, 4], [0, 2])


def test_rows_of_one_moment_stay_together() -> None:
    past, recent = split(days(1, 2, 2, 2), holdout="25%")
    assert (ids(past), ids(recent)) == ([0], [1, 2, 3])


def test_without_a_time_the_key_decides_and_always_the_same() -> None:
    table = Table(pa.table({"id": list(range(2000))}), key="id")
    _, recent = split(table, holdout="20%")
    assert 320 < len(recent) < 480
    _, again = split(table.with_arrow(table.arrow.slice(500)), holdout="20%")
    assert set(ids(again)) == {key for key in ids(recent) if key >= 500}


@pytest.mark.parametrize(
    ("table", "holdout", "found"),
    [
        (days(1, 2), "14d", "leaves 0 before and 2 held out. The rows span 1d."),
        (days(1, 1), "20%", "leaves 0 before"),
        (days(1, 2), "0s", "0 held out"),
        (days(), "1d", "of 0 rows"),
        (days(1, None), "1d", "missing in 1 rows"),
        (days(1, 2), "soon", "not a duration"),
        (days(1, 2), "0%", "no share"),
        (days(1, 2), "x%", "no share"),
        (Table(pa.table({"id": [1, 2]}), key="id"), "1d", "no time to split by"),
        (Table(pa.table({"at": ["a", "b"]}), time="at"), "1d", "type string holds no times"),
    ],
)
def test_a_split_that_cannot_be_made_says_why(table: Table, holdout: str, found: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        split(table, holdout=holdout)
    assert found in str(caught.value)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=40), st.integers(1, 99))
def test_no_row_is_lost_and_none_before_is_newer(values: list[int], share: int) -> None:
    table = days(*values)
    try:
        past, recent = split(table, holdout=f"{share}%")
    except InvalidInput:
        return
    assert sorted(ids(past) + ids(recent)) == list(range(len(values)))
    assert max(values[i] for i in ids(past)) < min(values[i] for i in ids(recent))
