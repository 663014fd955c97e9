"""CatBoost: a model or estimator in CatBoost's own binary form. Reading it runs no code."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.errors import Corrupt, InvalidInput, MissingExtra
from flyball.models.flavors._boosting import BoosterPredictor, labels_of, read_labels, write_labels
from flyball.models.flavors.base import Flavor, Predictor
from flyball.models.frames import to_pandas
from flyball.models.signature import Task

if TYPE_CHECKING:
    import pyarrow as pa

_FILE = "model.cbm"


class CatBoost:
    """Models of CatBoost."""

    distributions = ("catboost", "numpy", "pandas")

    def matches(self, model: object) -> bool:
        """Whether it is a model of CatBoost."""
        catboost = sys.modules.get("catboost")
        return catboost is not None and isinstance(model, catboost.CatBoost)

    def save(self, model: object, folder: Path) -> dict[str, str]:
        """Writes the model; labels and the kind of task stand in the settings."""
        found: Any = model
        if not found.is_fitted():
            raise InvalidInput("The model cannot be kept: it has not learned anything.", hint="Fit it first.")
        found.save_model(str(folder / _FILE))
        labels = labels_of(model)
        return {"classes": write_labels(labels), "task": "classification" if labels else "regression"}

    def load(self, folder: Path, settings: Mapping[str, str]) -> Predictor:
        """Reads the model."""
        try:
            import catboost
        except ImportError as error:
            raise MissingExtra("The model needs CatBoost.", hint="pip install catboost") from error
        model = catboost.CatBoost()
        try:
            model.load_model(str(folder / _FILE))
        except catboost.CatBoostError as error:
            raise Corrupt(f"The model cannot be read: {error}.") from error
        task: Task = "classification" if settings.get("task") == "classification" else "regression"
        kind = "Probability" if task == "classification" else "RawFormulaVal"

        def ask(rows: Any) -> Any:
            return model.predict(rows, prediction_type=kind)

        return _CatBoostPredictor(model, model.feature_names_, task, read_labels(settings.get("classes", "")), ask)


class _CatBoostPredictor(BoosterPredictor):
    """CatBoost takes categories as texts, and none that is missing."""

    def frame(self, table: pa.Table) -> Any:
        """The table as CatBoost takes it."""
        found: Any = to_pandas(table)
        model: Any = self.estimator
        for place in model.get_cat_feature_indices():
            name = model.feature_names_[place]
            column = found[name].astype(object)
            found[name] = column.where(column.notna(), "nan").astype(str)
        return found


plugin: Flavor = CatBoost()
