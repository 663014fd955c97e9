from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from flyball.models.frames import to_pandas


@pytest.mark.parametrize(
    "texts",
    [pa.array(["a", None]), pa.array(["a", None], pa.large_string()), pa.array(["a", None]).dictionary_encode()],
)
def test_texts_are_objects_with_none(texts: pa.Array) -> None:
    column = to_pandas(pa.table({"x": texts}))["x"]
    assert (column.dtype, column.tolist()) == (np.dtype(object), ["a", None])


def test_whole_numbers_with_gaps_are_floats() -> None:
    column = to_pandas(pa.table({"x": [1, None]}))["x"]
    assert column.dtype == np.float64
    assert np.isnan(column[1])


def test_numbers_and_booleans_without_gaps_keep_their_type() -> None:
    frame = to_pandas(pa.table({"i": [1], "f": [0.5], "b": [True]}))
    assert [str(kind) for kind in frame.dtypes] == ["int64", "float64", "bool"]


def test_booleans_with_gaps_are_objects() -> None:
    column = to_pandas(pa.table({"x": [True, None]}))["x"]
    assert (column.dtype, column.tolist()) == (np.dtype(object), [True, None])


@pytest.mark.parametrize("kind", [pa.timestamp("s"), pa.timestamp("ns", "UTC"), pa.timestamp("ms", "Europe/Berlin")])
def test_moments_are_utc_in_microseconds(kind: pa.DataType) -> None:
    moments = pa.array([dt.datetime(2013, 3, 1, 12, tzinfo=dt.UTC), None], pa.timestamp("us", "UTC")).cast(kind)
    column = to_pandas(pa.table({"x": moments}))["x"]
    assert str(column.dtype) == "datetime64[us, UTC]"
    assert column[0] == pd.Timestamp("2013-03-01T12:00:00Z")
    assert pd.isna(column[1])


def test_a_table_without_columns_keeps_its_rows() -> None:
    assert len(to_pandas(pa.table({"x": [1, 2]}).select([]))) == 2
