from __future__ import annotations

import datetime as dt
import decimal
import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from flyball.data.table import Table, as_moments, read_table, write_table
from flyball.errors import InvalidInput

ARROW = pa.table(
    {
        "id": [1, 2, 3, 4],
        "at": pa.array([1, 2, 3, 4], pa.timestamp("s")),
        "origin": ["JFK", None, "EWR", "JFK"],
        "stops": [1, None, 0, 2],
        "far": [True, None, False, True],
        "miles": [10, 20, 30, 40],
        "late": [True, False, True, False],
        "landed": pa.array([5, 6, 7, 8], pa.timestamp("s")),
    }
)


@pytest.fixture
def rows() -> Table:
    return Table(ARROW, key="id", time="at", label="late", label_time="landed")


def test_x_holds_no_column_with_a_role(rows: Table) -> None:
    x, y = rows.xy()
    assert list(x.columns) == list(rows.x().columns) == ["origin", "stops", "far", "miles"]
    assert y.tolist() == [True, False, True, False]
    assert y.dtype == np.bool_


def test_another_label_is_left_out_of_x_and_so_is_the_declared_one(rows: Table) -> None:
    x, y = rows.xy("miles")
    assert list(x.columns) == ["origin", "stops", "far"]
    assert y.tolist() == [10, 20, 30, 40]


def test_columns_are_in_types_that_scikit_learn_takes(rows: Table) -> None:
    x = rows.x()
    assert {name: str(kind) for name, kind in x.dtypes.items()} == {
        "origin": "category",
        "stops": "float64",
        "far": "float64",
        "miles": "int64",
    }
    assert list(x["origin"].cat.categories) == ["EWR", "JFK"]
    assert x["origin"].isna().tolist() == [False, True, False, False]
    assert x["far"].tolist()[0] == 1.0


def test_dates_decimals_and_empty_columns_have_plain_types() -> None:
    table = Table(pa.table({"d": [dt.date(2013, 1, 1), None], "m": [decimal.Decimal("1.50"), None], "n": pa.nulls(2)}))
    frame = table.to_pandas()
    assert [str(kind) for kind in frame.dtypes] == ["datetime64[ms]", "float64", "float64"]
    assert frame["m"][0] == 1.5


def test_estimators_and_encoders_take_x(rows: Table) -> None:
    many = Table(pa.concat_tables([ARROW] * 20), **rows.roles)
    x, y = many.xy()
    model = HistGradientBoostingClassifier(max_iter=2).fit(x, y)
    unseen = x.head(1).assign(origin=pd.Categorical(["LGA"]))
    assert model.predict_proba(unseen).shape == (1, 2)
    for encoder in (OneHotEncoder(handle_unknown="ignore"), OrdinalEncoder()):
        assert make_column_transformer((encoder, ["origin"])).fit_transform(x).shape[0] == len(many)


def test_a_label_that_is_not_known_everywhere_is_refused_until_filtered() -> None:
    table = Table(pa.table({"a": [1, 2], "late": [None, "yes"]}), label="late")
    with pytest.raises(InvalidInput, match=r"missing in 1 of 2 rows.*labelled"):
        table.xy()
    _, y = table.labelled().xy()
    assert y.tolist() == ["yes"]


def test_without_a_label_there_is_no_xy() -> None:
    with pytest.raises(InvalidInput, match="has no label"):
        Table(pa.table({"a": [1]})).xy()
    with pytest.raises(InvalidInput, match="Did you mean 'late'"):
        Table(pa.table({"late": [1]})).xy("lat")


def test_a_role_needs_its_column() -> None:
    with pytest.raises(InvalidInput, match="no column 'ay' to be the label time"):
        Table(ARROW, label_time="ay")


@pytest.mark.parametrize(
    "mask",
    [
        [True, False, None, True],
        np.array([True, False, False, True]),
        pd.Series([True, False, False, True]),
        pc.field("miles").isin([10, 40]),
        pc.equal(ARROW["origin"], "JFK"),
    ],
)
def test_rows_are_filtered_by_any_mask(rows: Table, mask: object) -> None:
    kept = rows.filter(mask)
    assert kept.column("id").to_pylist() == [1, 4]
    assert kept.roles == rows.roles


@pytest.mark.parametrize("mask", [[True], [1, 2, 3, 4]])
def test_a_mask_that_does_not_fit_is_refused(rows: Table, mask: object) -> None:
    with pytest.raises(InvalidInput, match="does not fit 4 rows"):
        rows.filter(mask)


def test_a_selection_keeps_the_roles_of_its_columns(rows: Table) -> None:
    kept = rows.select(["miles", "at"])
    assert kept.column_names == ["miles", "at"]
    assert kept.roles == {"key": "", "time": "at", "label": "", "label_time": ""}
    with pytest.raises(InvalidInput, match="no column 'mile'"):
        rows.select(["mile"])


def test_a_table_is_read_by_other_libraries_and_pickled(rows: Table) -> None:
    assert pa.table(rows).equals(ARROW)
    copy = pickle.loads(pickle.dumps(rows))
    assert copy.arrow.equals(ARROW)
    assert copy.roles == rows.roles


def test_a_table_says_what_it_is(rows: Table) -> None:
    assert len(rows) == 4
    assert repr(rows) == "<Table of 4 rows, 8 columns, key='id', time='at', label='late', label_time='landed'>"
    assert rows.to_pandas().shape == (4, 8)


def test_a_table_is_written_and_read_with_its_roles(rows: Table) -> None:
    found = read_table(write_table(rows))
    assert found.arrow.to_pylist() == ARROW.to_pylist()
    assert found.roles == rows.roles
    with pytest.raises(InvalidInput, match="hold no table"):
        read_table(b"nothing")


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1_356_998_400 * 10**9], pa.timestamp("ns")),
        pa.array([1_356_998_400], pa.timestamp("s")),
        pa.array([dt.datetime(2013, 1, 1, tzinfo=dt.UTC)], pa.timestamp("ms", "America/New_York")),
        pa.array([dt.date(2013, 1, 1)]),
    ],
)
def test_times_of_every_kind_are_moments_in_utc(column: pa.Array) -> None:
    moments = as_moments(pa.chunked_array([column]))
    assert moments.type == pa.timestamp("us", "UTC")
    assert moments.to_pylist() == [dt.datetime(2013, 1, 1, tzinfo=dt.UTC)]


def test_what_holds_no_times_gives_no_moments() -> None:
    with pytest.raises(InvalidInput, match="holds no times"):
        as_moments(pa.chunked_array([["2013-01-01"]]))
