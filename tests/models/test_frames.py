from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from flyball.data.table import Table
from flyball.models.frames import to_pandas

MOMENT = dt.datetime(2013, 3, 1, 12, tzinfo=dt.UTC)
COLUMNS = {
    "texts": pa.array(["b", "a", "b"]),
    "texts with gaps": pa.array(["b", None, "a"]),
    "nothing but gaps": pa.array([None, None, None], pa.string()),
    "numbers": pa.array([1, 2, 3]),
    "numbers with gaps": pa.array([1, None, 3]),
    "floats with gaps": pa.array([1.5, None, 3.0]),
    "booleans": pa.array([True, False, True]),
    "booleans with gaps": pa.array([True, None, False]),
    "decimals": pa.array([Decimal("1.5"), None, Decimal("2.0")]),
    "dates": pa.array([MOMENT.date(), None, MOMENT.date()]),
    "moments": pa.array([MOMENT, None, MOMENT], pa.timestamp("us", "UTC")),
    "nothing": pa.nulls(3),
}


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_serving_sees_what_training_saw(name: str) -> None:
    table = pa.table({"x": COLUMNS[name]})
    pd.testing.assert_frame_equal(to_pandas(table), Table(table).to_pandas())


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_texts_are_the_same_however_they_are_stored(kind: pa.DataType) -> None:
    texts = pa.array(["b", None, "a", "b"])
    pd.testing.assert_frame_equal(to_pandas(pa.table({"x": texts.cast(kind)})), to_pandas(pa.table({"x": texts})))


def test_texts_in_several_pieces_share_their_categories() -> None:
    texts = pa.chunked_array([["b", None], ["a", "b"]])
    column = to_pandas(pa.table({"x": texts}))["x"]
    assert column.astype(object).where(column.notna(), None).tolist() == ["b", None, "a", "b"]
    assert column.cat.categories.tolist() == ["a", "b"]


@pytest.mark.parametrize("direct", [True, False])
def test_a_row_alone_is_encoded_as_it_was_among_all(direct: bool) -> None:
    rng = np.random.default_rng(0)
    texts = np.array(["a", "b", "c", None], dtype=object)[rng.integers(0, 4, 400)]
    table = pa.table({"city": pa.array(texts), "x": rng.random(400)})
    label = np.isin(texts, np.array(["a", None], dtype=object)) ^ (table["x"].to_numpy() > 0.7)
    trees = HistGradientBoostingClassifier(max_iter=20, random_state=0)
    encoder = make_column_transformer((OneHotEncoder(sparse_output=False), ["city"]), remainder="passthrough")
    model = (trees if direct else make_pipeline(encoder, trees)).fit(Table(table).to_pandas(), label)
    together = model.predict_proba(Table(table).to_pandas())[:20]
    alone = [model.predict_proba(to_pandas(table.slice(row, 1)))[0] for row in range(20)]
    assert np.array_equal(together, alone)


def test_a_table_without_columns_keeps_its_rows() -> None:
    assert len(to_pandas(pa.table({"x": [1, 2]}).select([]))) == 2
