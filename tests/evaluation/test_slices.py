from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.evaluation.slices import group_rows


def _sizes(values: object, min_size: int = 1) -> dict[str, int]:
    return {group.value: len(group.rows) for group in group_rows(values, min_size=min_size)}  # type: ignore[arg-type]  # any sequence, as users give


def test_categories_come_by_size() -> None:
    assert list(_sizes(["b", "a", "b", "c", "b", "a"]).items()) == [("b", 3), ("a", 2), ("c", 1)]


def test_small_categories_are_put_together() -> None:
    assert _sizes(["a"] * 5 + ["b", "c", "d"], min_size=2) == {"a": 5, "(other)": 3}


def test_categories_after_the_fiftieth_are_put_together() -> None:
    sizes = _sizes([f"c{k:02}" for k in range(60)] * 2)
    assert len(sizes) == 51
    assert sizes["(other)"] == 20


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
def test_missing_values_are_a_group(missing: object) -> None:
    assert _sizes(["a", missing, "a", missing]) == {"a": 2, "(missing)": 2}


def test_a_column_without_any_value_is_one_group() -> None:
    assert _sizes([None, None]) == {"(missing)": 2}


def test_few_distinct_numbers_are_categories() -> None:
    assert _sizes([1, 2, 2, 1.5]) == {"2": 2, "1": 1, "1.5": 1}


def test_booleans_read_as_true_and_false() -> None:
    assert _sizes([True, False, True]) == {"true": 2, "false": 1}


def test_many_distinct_numbers_are_cut_into_fifths() -> None:
    assert _sizes(list(range(100))) == {
        "< 20": 20,
        "[20, 40)": 20,
        "[40, 60)": 20,
        "[60, 80)": 20,
        ">= 80": 20,
    }


def test_a_range_holds_the_rows_its_name_says() -> None:
    values = np.random.default_rng(0).lognormal(5, 2, 500)
    for group in group_rows(values, min_size=1):  # type: ignore[arg-type]  # any sequence, as users give
        inside = values[group.rows]
        if group.value.startswith("["):
            low, high = map(float, group.value[1:-1].split(","))
            assert ((low <= inside) & (inside < high)).all()


def test_a_number_that_most_rows_share_is_a_range_of_its_own() -> None:
    assert _sizes([0.0] * 90 + list(range(1, 21))) == {"< 1": 90, ">= 1": 20}


@pytest.mark.parametrize("wrap", [list, pd.Series, pa.array, np.array, tuple])
def test_a_column_may_come_in_any_form(wrap: object) -> None:
    assert _sizes(wrap(["a", "b", "a"])) == {"a": 2, "b": 1}  # type: ignore[operator]  # the cases are functions


def test_values_that_are_neither_numbers_nor_text_read_as_text() -> None:
    assert _sizes([date(2013, 1, 1), ["x"], ["x"]]) == {"['x']": 2, "2013-01-01": 1}


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=2), st.booleans())), st.integers(1, 5)
)
def test_every_row_is_in_exactly_one_group(values: list[object], min_size: int) -> None:
    rows = [row for group in group_rows(values, min_size=min_size) for row in group.rows.tolist()]
    assert sorted(rows) == list(range(len(values)))
