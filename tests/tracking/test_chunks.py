from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.tracking._chunks import (
    ENDS,
    FEWEST,
    MOST,
    Columns,
    from_places,
    make_chunks,
    open_arrays,
    open_chunk,
    sort_points,
    to_places,
)

INT64 = st.integers(-(2**63), 2**63 - 1)
TIMES = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)
VALUES = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
POINTS = st.lists(st.tuples(INT64, TIMES, VALUES), min_size=1, max_size=200)


def columns_of(points: list[tuple[int, int, float | None]]) -> Columns:
    return [point[0] for point in points], [point[1] for point in points], [point[2] for point in points]


@given(POINTS)
def test_a_chunk_gives_back_what_was_put_in(points: list[tuple[int, int, float | None]]) -> None:
    columns = sort_points(*columns_of(points))
    (chunk,) = make_chunks(columns)
    assert open_chunk(chunk.data) == columns


@given(POINTS)
def test_numpy_opens_it_alike(points: list[tuple[int, int, float | None]]) -> None:
    columns = sort_points(*columns_of(points))
    steps, times, values = open_arrays(make_chunks(columns)[0].data)
    assert (steps.tolist(), times.tolist()) == columns[:2]
    assert [None if math.isnan(value) else value for value in values.tolist()] == columns[2]


@given(POINTS)
def test_points_are_sorted_and_each_is_kept_once(points: list[tuple[int, int, float | None]]) -> None:
    columns = sort_points(*columns_of(points + points))
    places = to_places(columns)
    assert places == sorted(set(places))
    assert from_places(places) == columns
    assert set(places) == set(to_places(columns_of(points)))


@given(POINTS)
def test_what_stands_beside_a_chunk_is_true(points: list[tuple[int, int, float | None]]) -> None:
    steps, times, values = columns = sort_points(*columns_of(points))
    (chunk,) = make_chunks(columns)
    known = [value for value in values if value is not None]
    assert (chunk.first_step, chunk.last_step, chunk.count) == (steps[0], steps[-1], len(steps))
    assert (chunk.first_at, chunk.last_at, chunk.undefined) == (min(times), max(times), len(values) - len(known))
    assert (chunk.low, chunk.high) == ((min(known), max(known)) if known else (None, None))
    first, last, low, high = ENDS.iter_unpack(chunk.ends)
    assert (first[0], last[0]) == (steps[0], steps[-1])
    assert not known or (low[2], high[2]) == (chunk.low, chunk.high)


def test_the_same_points_have_the_same_digest() -> None:
    columns: Columns = ([1, 2], [3, 4], [0.5, None])
    assert make_chunks(columns)[0].digest == make_chunks(columns)[0].digest
    assert make_chunks(columns)[0].digest != make_chunks(([1, 2], [3, 4], [0.5, 0.0]))[0].digest


@pytest.mark.parametrize("count", [1, FEWEST, MOST, MOST + 1, 3 * MOST + 1])
def test_many_points_are_cut_into_chunks(count: int) -> None:
    columns: Columns = (list(range(count)), list(range(count)), [0.5] * count)
    chunks = make_chunks(columns)
    assert all(chunk.count <= MOST for chunk in chunks)
    assert [step for chunk in chunks for step in open_chunk(chunk.data)[0]] == columns[0]


def test_what_is_alike_takes_little_room() -> None:
    columns: Columns = (list(range(1000)), list(range(0, 1_000_000, 1000)), [math.sin(step) for step in range(1000)])
    assert len(make_chunks(columns)[0].data) < 9 * 1000
