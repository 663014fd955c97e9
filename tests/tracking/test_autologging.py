"""Trainings are logged without a line in the user's code, and trained exactly as without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flyball as fb
from flyball import session
from flyball.errors import InvalidInput
from flyball.tracking.runs import Run

X = np.random.default_rng(0).normal(size=(200, 3))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One stands in an empty folder."""
    for name in [name for name in os.environ if name.startswith("FLYBALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "_opened", {})
    return tmp_path


@pytest.fixture
def on() -> Iterator[object]:
    with fb.autolog() as made:
        yield made


def runs() -> list[Run]:
    return fb.connect().tracking.list_runs()


def names(run: Run) -> list[str]:
    return [artifact.name for artifact in fb.connect().tracking.list_artifacts(run.id)]


@pytest.mark.usefixtures("on")
def test_a_fit_is_a_run() -> None:
    from sklearn.linear_model import LogisticRegression

    LogisticRegression(C=0.5).fit(X, Y)
    (run,) = runs()
    assert (run.name, run.state, run.experiment) == ("LogisticRegression", "finished", "Default")
    assert run.params["C"] == 0.5
    assert run.tags["estimator"].endswith("LogisticRegression")
    assert run.metrics["training_score"] is not None
    assert run.metrics["training_score"] > 0.9
    assert names(run) == ["model/input_example.arrow", "model/model.pickle", "model/package.json"]


@pytest.mark.usefixtures("on")
def test_a_fit_in_a_run_belongs_to_it() -> None:
    from sklearn.linear_model import LogisticRegression

    with fb.run("mine") as run:
        LogisticRegression().fit(X, Y)
    (found,) = runs()
    assert found.id == run.id
    assert "training_score" in found.metrics


@pytest.mark.usefixtures("on")
def test_the_parts_of_a_training_are_no_trainings() -> None:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    StandardScaler().fit(X)
    make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=4, n_jobs=2)).fit(X, Y)
    (run,) = runs()
    assert run.name == "Pipeline"
    assert run.params["randomforestclassifier__n_estimators"] == 4


@pytest.mark.usefixtures("on")
def test_a_search_keeps_its_best_and_its_table() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(X, Y)
    (run,) = runs()
    assert run.params["best_C"] in (0.1, 1.0)
    assert run.metrics["best_cross_validation_score"] is not None
    assert "cross_validation.parquet" in names(run)


@pytest.mark.usefixtures("on")
def test_a_fit_that_fails_is_a_failed_run_and_raises_as_ever() -> None:
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LogisticRegression().fit(X, Y[:-1])
    (run,) = runs()
    assert run.state == "failed"


@pytest.mark.usefixtures("on")
def test_what_cannot_be_logged_does_not_stop_a_training(caplog: pytest.LogCaptureFixture) -> None:
    from sklearn.base import BaseEstimator

    class Odd(BaseEstimator):  # type: ignore[misc]  # has no types
        def get_params(self, deep: bool = True) -> dict[str, Any]:
            raise RuntimeError("no params")

        def fit(self, X: Any, y: Any = None) -> Odd:
            self.fitted_ = True
            return self

        def predict(self, X: Any) -> Any:
            return X

    assert Odd().fit(X, Y).fitted_
    assert "could not be logged" in caplog.text
    assert runs()[0].state == "finished"


def test_it_ends_with_its_block() -> None:
    from sklearn.linear_model import LogisticRegression

    before = LogisticRegression.fit
    with fb.autolog("sklearn", models=False):
        assert LogisticRegression.fit is not before
    assert LogisticRegression.fit is before
    LogisticRegression().fit(X, Y)
    assert runs() == []


def test_models_are_registered_if_one_wants_that() -> None:
    from sklearn.tree import DecisionTreeClassifier

    with fb.autolog("scikit-learn", register_as="buyers"):
        model = DecisionTreeClassifier().fit(X, Y)
    version = fb.connect().registry.get_version("buyers/1")
    assert version.run.endswith(runs()[0].id)
    rows = {f"x{place}": X[:5, place] for place in range(3)}
    assert fb.predict("buyers/1", rows)["prediction"].to_pylist() == model.predict(X[:5]).tolist()


def test_an_unknown_library_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'sklaern'"):
        fb.autolog("sklaern")


def test_no_library_is_imported_before_the_user_does() -> None:
    code = """
import sys
import flyball as fb
on = fb.autolog()
assert "sklearn" not in sys.modules
import sklearn.base
from sklearn.tree import DecisionTreeClassifier
assert hasattr(DecisionTreeClassifier.fit, "__flyball__")
assert type(sklearn.base.__loader__).__module__ != "flyball.tracking.autologging.on_import"
on.undo()
assert not hasattr(DecisionTreeClassifier.fit, "__flyball__")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_xgboost_rounds_are_logged() -> None:
    xgboost = pytest.importorskip("xgboost")
    with fb.autolog():
        data = xgboost.DMatrix(X, Y)
        params = {"objective": "binary:logistic", "max_depth": 2, "nthread": 1}
        xgboost.train(params, data, num_boost_round=5, evals=[(data, "train")], verbose_eval=False)
        xgboost.XGBClassifier(n_estimators=4, max_depth=2, n_jobs=1).fit(X, Y, eval_set=[(X, Y)], verbose=False)
    classes, booster = runs()
    assert (booster.name, booster.params["max_depth"], booster.params["num_boost_round"]) == ("xgboost", 2, 5)
    assert len(fb.connect().tracking.metric_history(booster.id, "train-logloss")) == 5
    assert {"feature_importance.json", "model/model.ubj"} <= set(names(booster))
    assert classes.name == "XGBClassifier"
    assert len(fb.connect().tracking.metric_history(classes.id, "validation_0-logloss")) == 4
    assert "training_score" in classes.metrics


@pytest.mark.filterwarnings("ignore:The argument 'eval_set'")
def test_lightgbm_rounds_are_logged() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    with fb.autolog():
        data = lightgbm.Dataset(X, Y)
        params = {"objective": "binary", "num_leaves": 4, "verbose": -1, "num_threads": 1}
        lightgbm.train(params, data, num_boost_round=5, valid_sets=[data], valid_names=["train"])
        lightgbm.LGBMClassifier(n_estimators=4, verbose=-1, n_jobs=1).fit(X, Y, eval_set=[(X[:50], Y[:50])])
    classes, booster = runs()
    assert (booster.name, booster.params["num_leaves"], booster.params["num_boost_round"]) == ("lightgbm", 4, 5)
    assert len(fb.connect().tracking.metric_history(booster.id, "train-binary_logloss")) == 5
    assert "model/model.txt" in names(booster)
    assert json.loads((fb.connect().blobs.get(_digest(booster, "feature_importance.json"))).decode())
    assert classes.name == "LGBMClassifier"
    assert len(fb.connect().tracking.metric_history(classes.id, "valid_0-binary_logloss")) == 4


def _digest(run: Run, name: str) -> str:
    (found,) = [item for item in fb.connect().tracking.list_artifacts(run.id) if item.name == name]
    return found.digest


KERAS = """
class Callback:
    pass

class callbacks:
    Callback = Callback

class Model:
    loss, optimizer = "mse", None
    def fit(self, x=None, y=None, epochs=1, callbacks=None):
        for epoch in range(epochs):
            for one in callbacks:
                one.on_epoch_end(epoch, {"loss": 1.0 / (epoch + 1), "name": "text"})
        return "history"
"""
TRANSFORMERS = """
from types import SimpleNamespace

class Trainer:
    def __init__(self):
        self.model, self.args, self.callbacks = self, SimpleNamespace(to_dict=lambda: {"max_steps": 2, "none": None}), []
    def is_world_process_zero(self):
        return True
    def add_callback(self, one):
        self.callbacks.append(one)
    def remove_callback(self, one):
        self.callbacks.remove(one)
    def train(self):
        for step in (1, 2):
            for one in self.callbacks:
                one.on_log(self.args, SimpleNamespace(global_step=step), None, logs={"loss": 1.0 / step})
        return "output"
"""


def test_a_library_of_the_shape_of_keras_is_logged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Keras itself is tested in test_autologging_deep.py; this holds what we do by its documented shape.
    (folder / "keras.py").write_text(KERAS, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    with fb.autolog("keras"):
        import keras  # type: ignore[import-not-found,unused-ignore]  # ours, of a moment ago

        assert keras.Model().fit(epochs=3) == "history"
    del sys.modules["keras"]
    (run,) = runs()
    assert (run.name, run.params["epochs"], run.params["loss"]) == ("keras", 3, "mse")
    history = fb.connect().tracking.metric_history(run.id, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]


def test_a_library_of_the_shape_of_transformers_is_logged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "transformers").mkdir()
    (folder / "transformers" / "__init__.py").write_text("class TrainerCallback: ...", encoding="utf-8")
    (folder / "transformers" / "trainer.py").write_text(TRANSFORMERS, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    for name in ("transformers", "transformers.trainer"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with fb.autolog("transformers"):
        from transformers.trainer import Trainer  # type: ignore[import-not-found,unused-ignore]  # ours, of a moment ago

        assert Trainer().train() == "output"
    del sys.modules["transformers"], sys.modules["transformers.trainer"]
    (run,) = runs()
    assert run.params == {"max_steps": 2, "model": "Trainer"}
    history = fb.connect().tracking.metric_history(run.id, "loss")
    assert [(point.step, point.value) for point in history] == [(1, 1.0), (2, 0.5)]
