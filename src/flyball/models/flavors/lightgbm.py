"""LightGBM: a Booster, or an estimator of its scikit-learn interface, in LightGBM's own text form. Reading it runs no code."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flyball.errors import Corrupt, InvalidInput, MissingExtra
from flyball.models.flavors._boosting import BoosterPredictor, labels_of, read_labels, write_labels
from flyball.models.flavors.base import Flavor, Predictor
from flyball.models.signature import Task

_FILE = "model.txt"
_CLASSES = ("binary", "cross_entropy", "multiclass", "multiclassova")
_RANKS = ("lambdarank", "rank_xendcg")


class LightGBM:
    """Models of LightGBM."""

    distributions = ("lightgbm", "numpy", "pandas")

    def matches(self, model: object) -> bool:
        """Whether it is a booster, or an estimator with one inside."""
        lightgbm = sys.modules.get("lightgbm")
        return lightgbm is not None and isinstance(model, lightgbm.Booster | lightgbm.LGBMModel)

    def save(self, model: object, folder: Path) -> dict[str, str]:
        """Writes the booster; the labels stand in the settings."""
        import lightgbm

        try:
            booster = model if isinstance(model, lightgbm.Booster) else model.booster_  # type: ignore[attr-defined]  # an LGBMModel
        except Exception as error:
            raise InvalidInput(f"The model cannot be kept: {error}.", hint="Fit it first.") from error
        booster.save_model(folder / _FILE)
        labels = labels_of(model) if hasattr(model, "predict_proba") else ()
        return {"classes": write_labels(labels), "objective": _objective(folder / _FILE)}

    def load(self, folder: Path, settings: Mapping[str, str]) -> Predictor:
        """Reads the booster."""
        try:
            import lightgbm
        except ImportError as error:
            raise MissingExtra("The model needs LightGBM.", hint="pip install lightgbm") from error
        try:
            booster = lightgbm.Booster(model_file=str(folder / _FILE))
        except lightgbm.basic.LightGBMError as error:
            raise Corrupt(f"The booster cannot be read: {error}.") from error
        objective = settings["objective"]
        task: Task = "regression"
        if objective in _CLASSES:
            task = "classification"
        elif objective in _RANKS or not objective:
            task = "other"

        def ask(rows: Any) -> Any:
            return booster.predict(rows)

        return BoosterPredictor(
            booster,
            booster.feature_name(),
            task,
            read_labels(settings["classes"]) if task == "classification" else (),
            ask,
        )


def _objective(file: Path) -> str:
    for line in file.read_text(encoding="utf-8").splitlines()[:30]:
        if line.startswith("objective="):
            return line.removeprefix("objective=").split()[0]
    return ""


plugin: Flavor = LightGBM()
