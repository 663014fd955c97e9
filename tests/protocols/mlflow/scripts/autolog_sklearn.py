"""Autologging of scikit-learn, a search over a grid included."""

from __future__ import annotations

import warnings

import mlflow
from checks import check, same
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.simplefilter("ignore")
client = MlflowClient()
experiment = mlflow.set_experiment("autolog sklearn").experiment_id
frame, target = load_iris(as_frame=True, return_X_y=True)
mlflow.sklearn.autolog()


@check
def a_fit_is_a_run() -> None:
    with mlflow.start_run() as run:
        forest = RandomForestClassifier(n_estimators=5, random_state=0).fit(frame, target)
        forest.score(frame, target)
    found = client.get_run(run.info.run_id)
    same(found.data.params["n_estimators"], "5")
    assert found.data.metrics["training_score"] > 0.9
    same(found.data.tags["estimator_name"], "RandomForestClassifier")
    assert any("score" in name for name in found.data.metrics if name != "training_score"), found.data.metrics
    assert found.inputs.dataset_inputs
    loaded = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    same(list(loaded.predict(frame)), list(forest.predict(frame)))


@check
def a_pipeline_is_a_run_of_its_own() -> None:
    make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, target)
    run = mlflow.last_active_run()
    same(run.info.status, "FINISHED")
    assert "logisticregression__C" in run.data.params


@check
def a_grid_search_has_a_run_for_each_candidate() -> None:
    with mlflow.start_run() as run:
        GridSearchCV(LogisticRegression(max_iter=200), {"C": [0.1, 1.0, 10.0]}, cv=2).fit(frame, target)
    children = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{run.info.run_id}'")
    same(sorted(child.data.params["C"] for child in children), ["0.1", "1.0", "10.0"])
    found = client.get_run(run.info.run_id)
    assert "best_C" in found.data.params
    assert found.data.metrics["best_cv_score"] > 0.5
    assert "cv_results.csv" in {file.path for file in client.list_artifacts(run.info.run_id)}
