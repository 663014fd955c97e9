"""Profiles: they count every row once, and their sums are exact."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import serialization
from flyball.errors import InvalidInput
from flyball.monitoring import readings
from flyball.monitoring.profile import Profile, Reference, merge, profile
from flyball.monitoring.reference import fit_reference, windows_of

LEVELS = ["a", "b", "c"]


def table(*, rows: int = 2000, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    amount = random.normal(50, 12, rows)
    delay = np.where(random.random(rows) < 0.3, 0.0, random.gamma(2, 5, rows))
    return pa.table(
        {
            "amount": pa.array(amount, mask=random.random(rows) < 0.02),
            "delay": delay,
            "hour": random.integers(0, 12, rows),
            "carrier": np.array(LEVELS)[random.integers(0, 3, rows)],
            "is_late": random.random(rows) < 0.2,
            "when": pa.array(np.arange(rows) * 3_600_000_000, pa.timestamp("us")),
        }
    )


REFERENCE = fit_reference(table())

rows_of_a_table = st.lists(
    st.tuples(
        st.none() | st.floats(),
        st.sampled_from([0.0, -0.0, 1e300, -1e300, math.inf, math.nan]) | st.floats(-10, 60),
        st.none() | st.integers(-5, 30),
        st.none() | st.sampled_from([*LEVELS, *"uvwxyz"]) | st.text(max_size=90),
        st.none() | st.booleans(),
    ),
    max_size=60,
)


def of_rows(rows: list[tuple[object, ...]]) -> pa.Table:
    types = [pa.float64(), pa.float64(), pa.int64(), pa.string(), pa.bool_()]
    columns = list(zip(*rows, strict=True)) or [()] * 5
    arrays = [pa.array(list(column), kind) for column, kind in zip(columns, types, strict=True)]
    return pa.table(arrays, names=["amount", "delay", "hour", "carrier", "is_late"])


@given(rows_of_a_table, st.lists(st.integers(0, 60), max_size=4), st.randoms(use_true_random=False))
def test_the_sum_of_the_parts_is_the_profile_of_the_whole(rows, cuts, random):  # type: ignore[no-untyped-def]  # hypothesis fills them in
    whole = of_rows(rows)
    ends = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    parts = [profile(whole.slice(a, b - a), REFERENCE) for a, b in pairwise(ends)]
    parts = parts or [profile(whole, REFERENCE)]
    random.shuffle(parts)
    half = len(parts) // 2
    expected = profile(whole, REFERENCE)
    assert merge(parts) == expected
    assert merge([merge(parts[half:]), *([merge(parts[:half])] if half else [])]) == expected


@given(rows_of_a_table)
def test_every_row_is_in_exactly_one_cell(rows):  # type: ignore[no-untyped-def]  # hypothesis fills them in
    counted = profile(of_rows(rows), REFERENCE)
    for cells in REFERENCE.columns:
        vector = readings.cell_counts(cells, counted.columns[cells.column])
        assert vector.sum() == len(rows)
        assert (vector >= 0).all()


def test_many_unseen_categories_merge_exactly() -> None:
    names = [f"new {i:03}" for i in range(200)] * 2
    whole = pa.table({name: pa.nulls(400) for name in ("amount", "delay", "hour", "is_late")} | {"carrier": names})
    parts = [profile(whole.slice(i, 16), REFERENCE) for i in range(0, 400, 16)]
    assert merge(parts) == profile(whole, REFERENCE)
    assert merge(parts).columns["carrier"].unseen_levels["new 003"] == 2


def test_counts_are_those_of_numpy_at_every_block_border() -> None:
    values = np.random.default_rng(5).normal(size=100_001)
    reference = fit_reference(pa.table({"x": values}))
    (bins,), counts = reference.numeric, reference.profile.columns["x"]
    assert counts.counts == tuple(np.histogram(values, bins=np.array(bins.edges))[0].tolist())
    assert (counts.minimum, counts.maximum) == (values.min(), values.max())
    assert readings.mean(bins, counts) == pytest.approx(values.mean(), abs=1e-4)
    assert readings.deviation(bins, counts) == pytest.approx(values.std(), rel=1e-4)


def test_values_that_repeat_are_counted_by_themselves() -> None:
    bins = next(bins for bins in REFERENCE.numeric if bins.column == "delay")
    zeros = int(np.count_nonzero(table()["delay"].to_numpy() == 0))
    assert bins.repeated == (0.0,)
    assert REFERENCE.profile.columns["delay"].repeated == (zeros,)


def test_a_few_whole_numbers_have_a_bin_each() -> None:
    hours = table()["hour"].to_numpy()
    assert REFERENCE.profile.columns["hour"].counts == tuple(np.bincount(hours, minlength=12).tolist())


def test_moments_of_whole_numbers_are_exact() -> None:
    values = np.arange(1000) % 37
    reference = fit_reference(pa.table({"x": values}))
    assert readings.mean(reference.numeric[0], reference.profile.columns["x"]) == values.mean()


def test_times_keys_and_empty_columns_are_left_out() -> None:
    keyed = table().append_column("key", pa.array([f"id-{i}" for i in range(2000)])).append_column("n", pa.nulls(2000))
    names = {cells.column for cells in fit_reference(keyed).columns}
    assert names == {"amount", "delay", "hour", "carrier", "is_late"}


def test_a_key_that_is_asked_for_is_watched() -> None:
    keyed = pa.table({"key": [f"id-{i}" for i in range(500)]})
    reference = fit_reference(keyed, columns=["key"], max_levels=10)
    assert not reference.categorical[0].is_complete
    assert reference.profile.columns["key"].unseen == 490


def test_text_is_counted_alike_however_it_is_stored() -> None:
    plain = table().select(["carrier"])
    for kind in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())):
        stored = pa.table({"carrier": plain["carrier"].cast(kind)})
        assert profile(stored, REFERENCE).columns["carrier"] == profile(plain, REFERENCE).columns["carrier"]


def test_numbers_are_counted_alike_however_they_are_stored() -> None:
    plain = table().select(["hour"])
    for kind in (pa.int8(), pa.uint16(), pa.float32(), pa.float64(), pa.decimal128(21, 2)):
        stored = pa.table({"hour": plain["hour"].cast(pa.int64()).cast(kind, safe=False)})
        assert profile(stored, REFERENCE).columns["hour"] == profile(plain, REFERENCE).columns["hour"]


def test_a_column_that_is_gone_is_missing_and_one_of_another_type_unreadable() -> None:
    counted = profile(pa.table({"amount": ["n/a", None]}), REFERENCE).columns
    assert (counted["amount"].unreadable, counted["amount"].missing) == (1, 1)
    assert counted["carrier"].missing == 2


@pytest.mark.parametrize(
    "values", [[7.0] * 50, [0.0] * 50, [1e300, -1e300] * 25, [5e-324, 0.0] * 25, [1e16, 1e16 + 2] * 25]
)
def test_odd_columns_can_be_a_reference(values: list[float]) -> None:
    reference = fit_reference(pa.table({"x": values}))
    vector = readings.cell_counts(reference.columns[0], reference.profile.columns["x"])
    assert vector.sum() == 50
    assert reference.profile.columns["x"].below == reference.profile.columns["x"].above == 0


def test_references_and_profiles_survive_json() -> None:
    reference = fit_reference(table(), windows=4)
    assert serialization.from_json(serialization.to_json(reference), Reference) == reference
    counted = profile(of_rows([(math.inf, math.nan, None, "é", True)]), reference)
    assert serialization.from_json(serialization.to_json(counted), Profile) == counted


def test_windows_given_as_a_number_are_equal_runs_of_rows() -> None:
    by_number, plain = fit_reference(table(), windows=4), fit_reference(table())
    assert by_number.window_rows == (500, 500, 500, 500)
    assert by_number.profile == plain.profile
    assert set(by_number.dispersion) == {cells.column for cells in plain.columns}


def test_windows_are_cut_by_time() -> None:
    shuffled = table().take(np.random.default_rng(1).permutation(2000))
    windows = windows_of(shuffled, time="when", period=timedelta(days=1))
    assert [len(window) for window in windows] == [24] * 83 + [8]
    assert max(windows[0]["when"].to_pylist()) == datetime(1970, 1, 1, 23)  # noqa: DTZ001  # the table has no time zone
    with pytest.raises(InvalidInput, match="holds no times"):
        windows_of(shuffled, time="hour", period=timedelta(days=1))


def test_profiles_of_different_references_do_not_merge() -> None:
    other = fit_reference(table(seed=1))
    with pytest.raises(InvalidInput, match="different references"):
        merge([REFERENCE.profile, other.profile])
    with pytest.raises(InvalidInput, match="no profile"):
        merge([])


@pytest.mark.parametrize(
    ("given_table", "columns", "says"),
    [
        (table(), ["amont"], "no column 'amont'"),
        (table(), ["when"], "cannot be watched"),
        (table().slice(0, 0), None, "at least one row"),
        (table().select(["when"]), None, "no column to watch"),
    ],
)
def test_a_reference_that_cannot_be_says_why(given_table: pa.Table, columns: list[str] | None, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        fit_reference(given_table, columns=columns)
