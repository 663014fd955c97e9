"""XGBoost: a Booster, or an estimator of its scikit-learn interface, in XGBoost's own binary form. Reading it runs no code."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flyball.errors import Corrupt, InvalidInput, MissingExtra
from flyball.models.flavors._boosting import BoosterPredictor, labels_of, read_labels, write_labels
from flyball.models.flavors.base import Flavor, Predictor
from flyball.models.signature import Label, Task

_FILE = "model.ubj"


class XGBoost:
    """Models of XGBoost."""

    distributions = ("xgboost", "xgboost-cpu", "numpy", "pandas")

    def matches(self, model: object) -> bool:
        """Whether it is a booster, or an estimator with one inside."""
        xgboost = sys.modules.get("xgboost")
        if xgboost is None:
            return False
        return isinstance(model, xgboost.Booster | getattr(xgboost, "XGBModel", xgboost.Booster))

    def save(self, model: object, folder: Path) -> dict[str, str]:
        """Writes the booster; the labels stand in the settings."""
        import xgboost

        try:
            booster = model if isinstance(model, xgboost.Booster) else model.get_booster()  # type: ignore[attr-defined]  # an XGBModel
        except Exception as error:
            raise InvalidInput(f"The model cannot be kept: {error}.", hint="Fit it first.") from error
        booster.save_model(folder / _FILE)
        best = getattr(booster, "best_iteration", None) if booster.attr("best_iteration") else None
        return {
            "classes": write_labels(labels_of(model) if hasattr(model, "predict_proba") else ()),
            **({} if best is None else {"best_iteration": str(best)}),
        }

    def load(self, folder: Path, settings: Mapping[str, str]) -> Predictor:
        """Reads the booster."""
        try:
            import xgboost
        except ImportError as error:
            raise MissingExtra("The model needs XGBoost.", hint="pip install xgboost") from error
        booster = xgboost.Booster()
        try:
            booster.load_model(folder / _FILE)
        except xgboost.core.XGBoostError as error:
            raise Corrupt(f"The booster cannot be read: {str(error).partition(chr(10))[0]}.") from error
        task, classes, is_turned = _what(booster, read_labels(settings.get("classes", "")))
        if "best_iteration" in settings:
            booster = booster[: int(settings["best_iteration"]) + 1]  # as its own estimators predict

        def ask(rows: Any) -> Any:
            said = booster.predict(xgboost.DMatrix(rows, enable_categorical=True))
            return 1 / (1 + _exp(-said)) if is_turned else said

        return BoosterPredictor(booster, booster.feature_names or (), task, classes, ask)


def _what(booster: Any, labels: tuple[Label, ...]) -> tuple[Task, tuple[Label, ...], bool]:
    """Task, labels, and whether the booster gives log-odds in place of a probability."""
    learner = json.loads(booster.save_config())["learner"]
    objective = learner["objective"]["name"]
    if objective.startswith(("binary:", "multi:")):
        if objective == "multi:softmax":
            booster.set_param({"objective": "multi:softprob"})
        count = max(2, int(learner["learner_model_param"]["num_class"]))
        return "classification", labels or tuple(range(count)), objective == "binary:logitraw"
    return ("regression" if objective.startswith(("reg:", "count:")) else "other"), (), False


def _exp(values: Any) -> Any:
    import numpy as np

    return np.exp(values)


plugin: Flavor = XGBoost()
