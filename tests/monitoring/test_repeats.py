"""Rows that repeat by nature are compared with windows as long, and ends of a table are no windows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flyball.monitoring.profile import Reference, profile
from flyball.monitoring.quality import quality
from flyball.monitoring.reference import fit_reference


def week(seed: int, *, n: int = 1_000, twice: float = 0.0) -> pa.Table:
    """A timetable: each row is one of 1,000 that come every week."""
    random = np.random.default_rng(seed)
    place = random.integers(0, 1_000, n)
    place = np.concatenate([place, place[: int(twice * n)]])
    return pa.table({"x": place * 1.37, "y": np.sqrt(place + 3.0)})


@pytest.fixture(scope="module")
def reference() -> Reference:
    weeks = [week(0, n=60), *(week(seed) for seed in range(1, 13)), week(13, n=90)]
    return fit_reference(pa.concat_tables(weeks), windows=weeks)


def kinds(reference: Reference, table: pa.Table) -> list[str]:
    return [fault.kind for fault in quality(reference, profile(table, reference))]


def test_a_timetable_repeats_by_nature(reference: Reference) -> None:
    assert [kinds(reference, week(seed)) for seed in range(50, 60)] == [[]] * 10


def test_rows_sent_twice_are_more_than_that(reference: Reference) -> None:
    assert "duplicated" in kinds(reference, week(99, n=800, twice=0.5))


def test_a_window_cut_short_by_the_end_of_the_table_makes_no_half_volume_usual(reference: Reference) -> None:
    assert "volume" in kinds(reference, week(99, n=450))
