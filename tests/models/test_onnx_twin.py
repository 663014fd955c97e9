"""An ONNX twin counts only where it says what the model says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.peers import peer_or_none
from flyball.models import onnx_twin
from flyball.models.explaining import explain_model
from flyball.models.onnx_twin import NoTwin, load_served, make_twin
from flyball.models.package import ModelPackage, load_model, save_model
from flyball.serialization import from_json, to_json
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs

_DRAWN = np.random.default_rng(0)
TABLE = pa.table({f"c{place}": _DRAWN.normal(size=2_000) for place in range(4)})
FRAME = TABLE.to_pandas()
LATE = (FRAME["c0"] + FRAME["c1"] > 0).to_numpy()


@pytest.fixture(scope="module")
def converter() -> Path:
    """A Python with skl2onnx, in an environment of its own."""
    python = peer_or_none("skl2onnx")
    if python is None:
        pytest.skip("skl2onnx cannot be had")
    return python


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(LocalObjects(tmp_path / "objects", durable=False))


def kept(model: Any, blobs: Blobs) -> ModelPackage:
    return save_model(model, blobs, example=TABLE)


@pytest.mark.parametrize(
    ("model", "target"),
    [
        pytest.param(HistGradientBoostingClassifier(max_iter=20), LATE, marks=pytest.mark.soak),
        (make_pipeline(StandardScaler(), LogisticRegression()), np.where(LATE, "late", "on time")),
        pytest.param(Ridge(), FRAME["c0"] * 3 + FRAME["c1"], marks=pytest.mark.soak),
    ],
    ids=["boosting", "pipeline", "regression"],
)
def test_a_twin_answers_as_its_model(model: Any, target: Any, blobs: Blobs, converter: Path) -> None:
    package = kept(model.fit(FRAME, target), blobs)
    made = make_twin(package, blobs, rows=TABLE, converter=converter)
    assert isinstance(made, ModelPackage), made
    assert made.twin is not None
    assert made.id == package.id
    assert made.twin.rows == 2_100
    assert made.twin.speedup > 1
    served, native = load_served(from_json(to_json(made), ModelPackage), blobs, threads=1), load_model(package, blobs)
    mine, theirs = served.predict(TABLE), native.predict(TABLE)
    if served.signature.classes:
        assert mine["prediction"].to_pylist() == theirs["prediction"].to_pylist()
    for name in set(theirs.column_names) - {"prediction"} or {"prediction"}:
        assert mine[name].to_pylist() == pytest.approx(theirs[name].to_pylist(), abs=2e-5)


@pytest.mark.soak
def test_a_twin_is_explained_by_the_model_itself(blobs: Blobs, converter: Path) -> None:
    package = kept(HistGradientBoostingClassifier(max_iter=5).fit(FRAME, LATE), blobs)
    made = make_twin(package, blobs, converter=converter)
    assert isinstance(made, ModelPackage)
    rows = TABLE.slice(0, 2)
    asked = [explain_model(model, rows, name="m") for model in (load_served(made, blobs), load_model(package, blobs))]
    assert to_json(asked[0]) == to_json(asked[1])


def test_a_model_without_a_proven_twin_is_served_as_it_is(blobs: Blobs, converter: Path, tmp_path: Path) -> None:
    package = kept(LogisticRegression().fit(FRAME, LATE), blobs)
    beside = tmp_path / "python"
    assert make_twin(package, blobs, converter=beside) == NoTwin(
        reason=f"The converter did not end well: [Errno 2] No such file or directory: '{beside}'"
    )
    assert make_twin(replace(package, flavor="rules"), blobs) == NoTwin(
        reason="Models of the flavor 'rules' are not converted."
    )
    assert load_served(package, blobs).predict(TABLE).equals(load_model(package, blobs).predict(TABLE))


@pytest.mark.soak
def test_a_graph_that_says_otherwise_is_no_twin(blobs: Blobs, converter: Path) -> None:
    package = kept(LogisticRegression().fit(FRAME, LATE), blobs)
    other = kept(LogisticRegression().fit(FRAME, ~LATE), blobs)
    graph = make_twin(other, blobs, converter=converter)
    assert isinstance(graph, ModelPackage)
    assert graph.twin is not None
    found = onnx_twin._compare(load_model(package, blobs), blobs.get(graph.twin.file), [np.asarray(FRAME)])
    assert isinstance(found, NoTwin)
    assert "labels differ" in found.reason
