"""Weak slices: what is planted is found, and nothing is where nothing is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flyball.errors import InvalidInput
from flyball.evaluation.weak_slices import WeakSlice, find_weak_slices
from flyball.serialization import from_json, to_json

N = 8_000


def rows(seed: int) -> tuple[np.ndarray, dict[str, list[Any]]]:
    random = np.random.default_rng(seed)
    columns = {
        "carrier": random.choice(["UA", "B6", "EV", "DL"], N, p=[0.4, 0.3, 0.2, 0.1]).tolist(),
        "origin": random.choice(["JFK", "LGA", "EWR"], N).tolist(),
        "distance": random.uniform(100, 3000, N).tolist(),
        "hour": random.integers(0, 24, N).tolist(),
    }
    return random.exponential(0.1, N), columns


def where(columns: dict[str, list[Any]], **wanted: Any) -> np.ndarray:
    found: np.ndarray = np.all([np.array(columns[name]) == value for name, value in wanted.items()], axis=0)
    return found


def test_a_weak_value_is_found() -> None:
    losses, columns = rows(1)
    losses[where(columns, carrier="DL")] += 0.1
    [found] = find_weak_slices(losses, columns)
    assert found.where == {"carrier": "DL"}
    assert found.n == columns["carrier"].count("DL")
    assert found.loss == pytest.approx(0.2, abs=0.03)
    assert found.rest == pytest.approx(0.1, abs=0.01)
    assert found.share_of_loss == pytest.approx(0.09, abs=0.03)


def test_two_columns_together_are_found_where_neither_alone_is_weak() -> None:
    losses, columns = rows(2)
    losses[where(columns, carrier="EV", origin="LGA")] += 0.2
    found = find_weak_slices(losses, columns)
    assert found[0].where == {"carrier": "EV", "origin": "LGA"}
    assert len(found) == 1


def test_a_range_of_numbers_is_found() -> None:
    losses, columns = rows(3)
    losses[np.array(columns["distance"]) > 2500] += 0.15
    [found] = find_weak_slices(losses, columns)
    assert list(found.where) == ["distance"]
    assert found.where["distance"].startswith(">= 2")


def test_two_faults_are_both_found_and_the_costlier_is_first() -> None:
    losses, columns = rows(4)
    losses[where(columns, carrier="DL")] += 0.1
    losses[where(columns, origin="EWR")] += 0.1
    found = find_weak_slices(losses, columns)
    assert [each.where for each in found[:2]] == [{"origin": "EWR"}, {"carrier": "DL"}]


def test_quiet_rows_have_hardly_ever_a_weak_slice() -> None:
    false = sum(bool(find_weak_slices(*rows(100 + seed), seed=seed)) for seed in range(40))
    assert false <= 2


def test_rows_without_truth_and_missing_values_do_no_harm() -> None:
    losses, columns = rows(5)
    losses[where(columns, carrier="DL")] += 0.2
    losses[::3] = np.nan
    columns["hour"][::5] = [None] * len(columns["hour"][::5])
    assert find_weak_slices(losses, columns)[0].where == {"carrier": "DL"}


def test_few_rows_have_no_weak_slice() -> None:
    losses, columns = rows(6)
    assert find_weak_slices(losses[:100], {name: values[:100] for name, values in columns.items()}) == ()
    assert find_weak_slices([], {}) == ()


def test_losses_that_are_all_alike_have_none() -> None:
    _, columns = rows(7)
    assert find_weak_slices(np.zeros(N), columns) == ()


def test_the_same_rows_give_the_same_slices_and_they_can_be_kept() -> None:
    losses, columns = rows(1)
    losses[where(columns, carrier="DL")] += 0.1
    found = find_weak_slices(losses, columns)
    assert found == find_weak_slices(losses, columns)
    assert from_json(to_json(found), tuple[WeakSlice, ...]) == found


@pytest.mark.parametrize("wrong", [{"alpha": 0}, {"worse_by": -1}, {"min_rows": 1}, {"most": 0}])
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        find_weak_slices(*rows(8), **wrong)


def test_a_column_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'x' has 3 rows"):
        find_weak_slices(np.zeros(N), {"x": [1, 2, 3]})
