from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flyball.data.profile import merge
from flyball.data.profile_table import profile_table
from flyball.errors import InvalidInput
from flyball.monitoring.evidence import drift
from flyball.monitoring.from_profile import reference_from_profile
from flyball.monitoring.profile import Reference, profile
from flyball.monitoring.reference import fit_reference


def flights(rows: int, *, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "origin": pa.array(
                np.array(["EWR", "JFK", "LGA", None], dtype=object)[rng.integers(0, 4, rows)], pa.string()
            ),
            "tail": pa.array([f"N{number}" for number in rng.integers(0, 300, rows)]),
            "key": pa.array([f"flight {number}" for number in range(rows)]),
            "distance": rng.integers(50, 5000, rows),
            "hour": pa.array(rng.integers(0, 24, rows), pa.int8()),
            "delay": pa.array(np.where(rng.random(rows) < 0.1, np.nan, rng.normal(0, 20, rows)), from_pandas=True),
            "rain": np.where(rng.random(rows) < 0.8, 0.0, rng.exponential(1, rows)),
            "odd": np.where(
                rng.random(rows) < 0.01, math.inf, np.where(rng.random(rows) < 0.02, -math.inf, rng.normal(size=rows))
            ),
            "nan": np.where(rng.random(rows) < 0.3, math.nan, rng.normal(size=rows)),
            "late": pa.array(rng.random(rows) < 0.3),
            "empty": pa.nulls(rows, pa.float64()),
        }
    )


def fitted(table: pa.Table, columns: list[str] | None = None) -> Reference:
    """What the rows give, but for what a profile cannot know: a sample of the rows as wholes."""
    reference = fit_reference(table, columns=columns)
    return replace(reference, profile=replace(reference.profile, rows=None))


@pytest.mark.parametrize("rows", [1, 15, 5_000, 90_000])
def test_it_is_the_reference_that_the_rows_give(rows: int) -> None:
    table = flights(rows)
    assert reference_from_profile(profile_table(table)) == fitted(table)


def test_it_is_so_for_files_too(tmp_path: Path) -> None:
    table = flights(90_000)
    pq.write_table(table.slice(0, 40_000), tmp_path / "a.parquet", row_group_size=7_000)
    pq.write_table(table.slice(40_000), tmp_path / "b.parquet")
    found = profile_table([tmp_path / "a.parquet", tmp_path / "b.parquet"])
    assert reference_from_profile(found) == fitted(table)


def test_columns_are_chosen_by_name() -> None:
    table = flights(5_000)
    found = reference_from_profile(profile_table(table), columns=["hour", "origin"])
    assert found == fitted(table, ["hour", "origin"])
    with pytest.raises(InvalidInput, match="cannot be watched"):
        reference_from_profile(profile_table(table), columns=["empty"])


def test_hidden_columns_are_left_out() -> None:
    table = pa.table({"mail": [f"p{number % 50}@example.org" for number in range(1000)], "n": range(1000)})
    assert [cells.column for cells in reference_from_profile(profile_table(table)).columns] == ["n"]


def test_a_window_is_compared_with_it() -> None:
    found = reference_from_profile(profile_table(flights(20_000)))
    shifted = flights(3_000, seed=1).set_column(5, "delay", pa.array(np.random.default_rng(2).normal(30, 20, 3_000)))
    drifted = [one.column for one in drift(found, profile(shifted, found)).columns if one.drifted]
    assert drifted == ["delay"]


def test_merged_profiles_still_give_one() -> None:
    parts = [profile_table(flights(4_000, seed=seed)) for seed in (1, 2)]
    whole = merge(parts)
    with pytest.raises(InvalidInput, match="cannot be watched"):
        reference_from_profile(whole, columns=["delay"])  # each part had its own grid
    assert reference_from_profile(whole).profile.n == 8_000
