from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flyball.data.table import Table, write_table
from flyball.errors import InvalidInput
from flyball.models.package import save_model
from flyball.registry.explaining import explain_version
from flyball.registry.versions import ModelVersion, Registry
from flyball.storage.objects import Blobs

pytest.importorskip("sklearn")

from sklearn.linear_model import LinearRegression

ROWS = pa.table({"a": np.arange(10.0), "b": np.ones(10), "label": 2 * np.arange(10.0)})


@pytest.fixture
def version(registry: Registry, blobs: Blobs) -> ModelVersion:
    inputs = ROWS.select(["a", "b"])
    model = LinearRegression().fit(inputs.to_pandas(), ROWS["label"].to_numpy())
    package = save_model(model, blobs, example=inputs.slice(0, 2))
    return registry.register(
        "double", package, holdout=blobs.put(write_table(Table(ROWS, label="label"))), label="label"
    )


def test_a_version_is_explained_against_the_rows_it_is_judged_on(version: ModelVersion, blobs: Blobs) -> None:
    found = explain_version(version, ROWS.slice(9, 1), blobs=blobs)
    assert (found.model, found.background) == ("models:/double/1", 10)
    assert found.base == pytest.approx(9.0)
    assert found.rows[0].contributions[0].contribution == pytest.approx(9.0)


def test_other_rows_can_be_compared_with(version: ModelVersion, blobs: Blobs) -> None:
    frame = ROWS.slice(0, 1).to_pandas()
    found = explain_version(version, frame, blobs=blobs, background=ROWS.slice(4, 1))
    assert found.background == 1
    assert found.base == pytest.approx(8.0)


def test_rows_that_do_not_fit_are_refused(version: ModelVersion, blobs: Blobs) -> None:
    with pytest.raises(InvalidInput, match="no column 'b'"):
        explain_version(version, ROWS.select(["a"]), blobs=blobs)
