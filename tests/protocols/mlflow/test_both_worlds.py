"""Models go both ways: what MLflow's real clients log is served here, and they load what was registered here."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from starlette.testclient import TestClient

from flyball.deployment.manifest import publish
from flyball.models.frames import to_pandas
from flyball.models.package import load_model, save_model
from flyball.serving.follower import Follower
from flyball.serving.inference_api import create_app
from flyball.workspace import Workspace
from tests.servers.mlflow_clients import MlflowClient

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
]

CITIES = pa.table({"city": ["a", "b", "c", "a"] * 10, "x": [1.0, 2.0, 3.0, 4.0] * 10})
AGES = pa.table({"age": [20.0, 30.0, 60.0, 70.0]})
LOAD = """
import json, sys
import mlflow, pandas as pd
uri, rows = sys.argv[1], pd.DataFrame(json.loads(sys.argv[2]))
model = mlflow.pyfunc.load_model(uri)
answer = model.predict(rows)
answer = answer["prediction"] if hasattr(answer, "columns") else answer
print(json.dumps([value.item() if hasattr(value, "item") else value for value in answer]))
"""
LOG = """
import json, sys
import mlflow, pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
rows, kind = pd.DataFrame({"age": [20.0, 30.0, 60.0, 70.0], "visits": [1, 2, 3, 4]}), sys.argv[1]
name = {"name": "model"} if mlflow.__version__[0] == "3" else {"artifact_path": "model"}
if kind == "xgboost":
    from xgboost import XGBClassifier
    fitted = XGBClassifier(n_estimators=2, min_child_weight=0).fit(rows, [0, 0, 1, 1])
    log, more = mlflow.xgboost.log_model, {}
else:
    fitted = LogisticRegression().fit(rows, [0, 0, 1, 1])
    log, more = mlflow.sklearn.log_model, {"serialization_format": kind} if kind else {}
mlflow.set_experiment("both")
with mlflow.start_run():
    log(fitted, **name, signature=infer_signature(rows, fitted.predict(rows)), registered_model_name="shop", **more)
mlflow.MlflowClient().set_registered_model_alias("shop", "champion", "1")
print(json.dumps(fitted.predict_proba(rows)[:, 1].tolist()))
"""
ROWS: list[dict[str, Any]] = [{"age": age, "visits": n} for n, age in enumerate((20.0, 30.0, 60.0, 70.0), start=1)]


@pytest.fixture
def follower(workspace: Workspace) -> Iterator[Follower]:
    """A model server's hand on the store."""
    made = Follower(workspace.store, replica="r1")
    yield made
    made.stop()


@pytest.mark.parametrize("uri", ["models:/late flights@champion", "models:/late flights/1"])
def test_a_client_loads_what_was_registered_here(workspace: Workspace, mlflow: MlflowClient, uri: str) -> None:
    fitted = LogisticRegression().fit(AGES.to_pandas(), [0, 0, 1, 1])
    workspace.registry.register("late flights", save_model(fitted, workspace.blobs, example=AGES))
    workspace.registry.promote("late flights", 1)
    assert mlflow.run(LOAD, uri, '{"age": [10.0, 80.0]}') == [0, 1]


def test_a_client_loads_a_model_that_was_fitted_on_categories(workspace: Workspace, mlflow: MlflowClient) -> None:
    fitted = HistGradientBoostingClassifier(categorical_features="from_dtype", min_samples_leaf=1, random_state=0)
    fitted.fit(to_pandas(CITIES), [city == "a" for city in CITIES["city"].to_pylist()])
    package = save_model(fitted, workspace.blobs, example=CITIES)
    workspace.registry.register("cities", package)
    here = load_model(package, workspace.blobs).predict(CITIES.slice(0, 4))["prediction"].to_pylist()
    found = mlflow.run(LOAD, "models:/cities/1", '{"city": ["a", "b", "c", "a"], "x": [1.0, 2.0, 3.0, 4.0]}')
    assert found == here == [True, False, False, True]


def test_a_client_loads_a_function(
    workspace: Workspace, mlflow: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "import pyarrow.compute as pc\n\n\ndef double(table):\n    return {'prediction': pc.multiply(table['age'], 2)}\n"
    (tmp_path / "doubling.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    function = importlib.import_module("doubling").double
    workspace.registry.register("double", save_model(function, workspace.blobs, example=AGES))
    assert mlflow.run(LOAD, "models:/double/1", '{"age": [1.0, 2.5]}') == [2.0, 5.0]


@pytest.mark.parametrize("kind", ["cloudpickle", "", "xgboost"], ids=["cloudpickle", "default", "xgboost"])
def test_what_a_client_logged_is_served(
    workspace: Workspace, mlflow: MlflowClient, follower: Follower, kind: str
) -> None:
    if kind == "" and mlflow.major == 3:
        pytest.importorskip("skops")
    if kind == "xgboost":
        pytest.importorskip("xgboost")
    wanted = mlflow.run(LOG, kind)
    version = workspace.registry.get_version("shop@champion")
    assert (version.package.flavor, version.package.signature.inputs.names) == ("mlflow", ("age", "visits"))
    workspace.deployments.deploy("shop", "shop", version.version)
    publish(workspace.store, workspace.deployments.get("shop"), workspace.registry)
    follower.look()
    with TestClient(create_app(follower)) as server:
        found = server.post("/predict/shop", json={"rows": ROWS}).json()["predictions"]
    assert [each["probability"] for each in found] == pytest.approx(wanted)
    assert [each["prediction"] for each in found] == [0, 0, 1, 1]
