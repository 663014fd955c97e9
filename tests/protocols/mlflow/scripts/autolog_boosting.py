"""Autologging of XGBoost and, where it is there, LightGBM; Optuna's callback."""

from __future__ import annotations

import importlib.util
import warnings

import mlflow
import numpy as np
from checks import check, same
from mlflow import MlflowClient

warnings.simplefilter("ignore")
client = MlflowClient()
experiment = mlflow.set_experiment("autolog boosting").experiment_id
generator = np.random.default_rng(0)
features = generator.normal(size=(200, 4))
target = (features[:, 0] > 0).astype(int)


def there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


@check
def xgboost_is_logged_round_by_round() -> None:
    import xgboost

    mlflow.xgboost.autolog()
    data = xgboost.DMatrix(features, target)
    with mlflow.start_run() as run:
        booster = xgboost.train(
            {"max_depth": 2, "objective": "binary:logistic"},
            data,
            num_boost_round=8,
            evals=[(data, "train")],
            verbose_eval=False,
        )
    found = client.get_run(run.info.run_id)
    same(found.data.params["max_depth"], "2")
    history = client.get_metric_history(run.info.run_id, "train-logloss")
    same([point.step for point in history], list(range(8)))
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert any("feature_importance" in file for file in files), files
    loaded = mlflow.xgboost.load_model(f"runs:/{run.info.run_id}/model")
    assert np.allclose(loaded.predict(data), booster.predict(data))


@check
def xgboost_in_the_manner_of_sklearn() -> None:
    import xgboost

    mlflow.xgboost.autolog()
    with mlflow.start_run() as run:
        made = xgboost.XGBClassifier(n_estimators=4).fit(features, target)
    same(client.get_run(run.info.run_id).data.params["objective"], "binary:logistic")
    loaded = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    same(list(loaded.predict(features)), list(made.predict(features)))


@check
def lightgbm_is_logged_round_by_round() -> None:
    if not there("lightgbm"):
        return
    import lightgbm

    mlflow.lightgbm.autolog()
    data = lightgbm.Dataset(features, target)
    with mlflow.start_run() as run:
        lightgbm.train({"objective": "binary", "verbose": -1}, data, 6, valid_sets=[data], valid_names=["train"])
    same(len(client.get_metric_history(run.info.run_id, "train-binary_logloss")), 6)
    loaded = mlflow.lightgbm.load_model(f"runs:/{run.info.run_id}/model")
    same(loaded.predict(features).shape, (200,))


@check
def optunas_callback_keeps_a_run_for_each_trial() -> None:
    if not there("optuna_integration"):
        return
    import os

    import optuna
    from optuna_integration.mlflow import MLflowCallback

    optuna.logging.disable_default_handler()
    callback = MLflowCallback(tracking_uri=os.environ["MLFLOW_TRACKING_URI"], metric_name="loss")
    study = optuna.create_study(study_name="optuna study")
    study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=4, callbacks=[callback])
    made = client.get_experiment_by_name("optuna study").experiment_id
    runs = client.search_runs([made])
    same(len(runs), 4)
    assert all("x" in run.data.params and "loss" in run.data.metrics for run in runs)
