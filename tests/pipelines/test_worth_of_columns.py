"""What the evaluate step measures of a model's columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from flyball import steps
from flyball.models.package import LoadedModel, load_model, save_model
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs
from tests.models import functions

ROWS = pa.table({"x": np.linspace(0, 1, 8_000), **{f"idle{place}": np.zeros(8_000) for place in range(9)}})
TRUTH = 2 * ROWS["x"].to_numpy()


@pytest.fixture
def model(tmp_path: Path) -> LoadedModel:
    blobs = Blobs(LocalObjects(tmp_path / "objects", durable=False))
    return load_model(save_model(functions.doubled, blobs, example=ROWS.slice(0, 5)), blobs)


def test_fewer_rows_are_taken_the_more_columns_there_are(model: LoadedModel) -> None:
    found = steps._importance(model, ROWS, TRUTH, spent=0.01)
    assert found is not None
    assert (found.metric, found.n, found.columns[0].column) == ("mae", 2_500, "x")


def test_nobody_waits_for_a_slow_model(model: LoadedModel) -> None:
    assert steps._importance(model, ROWS, TRUTH, spent=8_000 * 0.001) is None


def test_a_single_row_is_not_measured(model: LoadedModel) -> None:
    assert steps._importance(model, ROWS.slice(0, 1), TRUTH[:1], spent=0.0) is None
