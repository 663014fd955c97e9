"""What a model says of a matrix is what it says of a table."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from flyball.models.package import LoadedModel, load_model, save_model
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs

_DRAWN = np.random.default_rng(0)
TABLE = pa.table({"a": _DRAWN.normal(size=60), "b": _DRAWN.integers(0, 9, 60), "c": _DRAWN.normal(size=60) > 0})
ROWS = np.column_stack([TABLE[name].to_numpy().astype(float) for name in TABLE.column_names])
LABELS = np.where(ROWS[:, 0] + ROWS[:, 1] / 9 > 0.6, "late", "on time")
THREE = ROWS[:, 1].astype(int) % 3


def kept(model: Any, folder: Path) -> LoadedModel:
    blobs = Blobs(LocalObjects(folder, durable=False))
    return load_model(save_model(model, blobs, example=TABLE), blobs)


@pytest.mark.parametrize(
    ("model", "target"),
    [
        (HistGradientBoostingClassifier(max_iter=5), LABELS),
        (make_pipeline(StandardScaler(), LogisticRegression()), THREE),
        (GradientBoostingRegressor(n_estimators=5), ROWS[:, 0]),
        (Ridge(), ROWS[:, 0]),
    ],
    ids=["boosting", "pipeline", "trees", "ridge"],
)
def test_a_matrix_is_answered_as_a_table(model: Any, target: Any, tmp_path: Path) -> None:
    loaded = kept(model.fit(TABLE.to_pandas(), target), tmp_path)
    assert loaded.matrix is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of names that are missing
        scores = loaded.matrix.predict_matrix(ROWS)
    asked = loaded.predict(TABLE)
    assert scores.prediction.tolist() == asked["prediction"].to_pylist()
    if scores.chances is not None:
        assert scores.chances[:, -1].tolist() == asked["probability"].to_pylist()


def test_what_looks_at_names_is_asked_on_tables(tmp_path: Path) -> None:
    model = make_pipeline(make_column_transformer((StandardScaler(), ["a"])), Ridge())
    assert kept(model.fit(TABLE.to_pandas(), ROWS[:, 0]), tmp_path / "transformer").matrix is None
    categories = HistGradientBoostingClassifier(max_iter=2, categorical_features=["b"])
    assert kept(categories.fit(TABLE.to_pandas(), LABELS), tmp_path / "categories").matrix is None


def test_a_graph_is_answered_alike(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    node = helper.make_node("Gemm", ["rows", "weights"], ["sum"])
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [3, 1], [1.0, 2.0, 3.0])
    inputs = [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 3])]
    outputs = [helper.make_tensor_value_info("sum", TensorProto.FLOAT, [None, 1])]
    graph = helper.make_graph([node], "sum", inputs, outputs, [weights])
    loaded = kept(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path)
    assert loaded.matrix is not None
    assert loaded.matrix.predict_matrix(ROWS).prediction.tolist() == loaded.predict(TABLE)["prediction"].to_pylist()
