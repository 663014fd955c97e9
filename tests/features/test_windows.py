from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.errors import InvalidInput
from flyball.features.join import join_features
from flyball.features.views import FeatureView, feature_view
from flyball.features.windows import Aggregate, aggregate, window

START = datetime(2013, 1, 1, tzinfo=UTC)
HOWS: tuple[Aggregate, ...] = get_args(Aggregate)
moments = st.none() | st.integers(0, 12)
keys = st.sampled_from(["a", "b", None])


def at(hours: list[Any]) -> pa.Array:
    return pa.array([None if h is None else START + timedelta(hours=h) for h in hours], pa.timestamp("us", "UTC"))


def a_view(over: str = "4h", *, created: str = "", column: str = "value") -> FeatureView:
    made = [window(column, how, over=over, name=how) for how in HOWS]
    return feature_view("v", entity=["key", "part"], time="since", created=created, windows=made)


def table(rows: list[tuple[Any, ...]], **more: Any) -> pa.Table:
    return pa.table({"key": pa.array([r[0] for r in rows], pa.string()), "part": [1] * len(rows), **more})


@settings(max_examples=30)
@given(
    left=st.lists(st.tuples(keys, moments), max_size=8),
    right=st.lists(st.tuples(keys, moments, moments, st.none() | st.integers(-5, 5)), max_size=14),
    has_created=st.booleans(),
    floats=st.booleans(),
)
def test_windows_are_what_a_plain_loop_finds(
    left: list[tuple[Any, Any]], right: list[tuple[Any, ...]], has_created: bool, floats: bool
) -> None:
    kind = pa.float64() if floats else pa.int64()
    requests = table(left, at=at([r[1] for r in left]))
    values = pa.array([r[3] for r in right], pa.int64()).cast(kind)
    source = table(right, since=at([r[1] for r in right]), created=at([r[2] for r in right]), value=values)
    found = join_features(requests, [(a_view(created="created" if has_created else ""), source)], time="at")
    for row, (key, moment) in zip(found.to_pylist(), left, strict=True):
        inside = [
            (since, created if has_created else 0, place, value)
            for place, (other, since, created, value) in enumerate(right)
            if None not in (key, moment, since, created if has_created else 0)
            and other == key
            and moment - 4 < since <= moment
            and (not has_created or created <= moment)
        ]
        for how in HOWS:
            expected = aggregate(how, [value for *_, value in sorted(inside, key=lambda item: item[:3])])
            expected = None if None in (key, moment) else expected
            assert row[how] == (pytest.approx(expected) if isinstance(expected, float) else expected), how


def test_the_far_edge_is_out_and_the_near_one_in() -> None:
    source = table([("a",)] * 2, since=at([0, 4]), value=[1, 10])
    found = join_features(table([("a",)], at=at([4])), [(a_view(), source)], time="at")
    assert found["sum"].to_pylist() == [10]


def test_nan_does_not_count() -> None:
    source = table([("a",)] * 2, since=at([1, 2]), value=[math.nan, 2.0])
    row = join_features(table([("a",)], at=at([3])), [(a_view(), source)], time="at").to_pylist()[0]
    assert (row["count"], row["mean"], row["last"], row["distinct"]) == (1, 2.0, 2.0, 1)
    assert aggregate("mean", [math.nan, 2.0]) == 2.0


def test_whole_numbers_stay_exact() -> None:
    source = table([("a",)] * 2, since=at([1, 2]), value=[2**62, 1])
    found = join_features(table([("a",)], at=at([3])), [(a_view(), source)], time="at")
    assert found["sum"].to_pylist() == [2**62 + 1]


def test_texts_have_counts_but_no_sums() -> None:
    source = table([("a",)] * 2, since=at([1, 2]), value=["x", "y"])
    made = [window("value", how, over="4h", name=how) for how in ("count", "distinct", "last", "max")]
    view = feature_view("v", entity=["key", "part"], time="since", windows=made)
    row = join_features(table([("a",)], at=at([3])), [(view, source)], time="at").to_pylist()[0]
    assert (row["count"], row["distinct"], row["last"], row["max"]) == (2, 2, "y", "y")
    with pytest.raises(InvalidInput, match="needs numbers"):
        join_features(table([("a",)], at=at([3])), [(a_view(), source)], time="at")


def test_a_window_that_holds_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="holds nothing"):
        window("x", "sum", over="0s")
    with pytest.raises(InvalidInput, match="no aggregate"):
        window("x", "avg", over="1h")  # type: ignore[arg-type]  # what a user may write
