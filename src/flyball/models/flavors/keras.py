"""Keras 3: a model in Keras' own form, `.keras`, read in its safe mode: no code is run. Any of its backends reads it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flyball.errors import Corrupt, InvalidInput, MissingExtra
from flyball.models.flavors._boosting import read_labels, write_labels
from flyball.models.flavors._matrix import MatrixPredictor
from flyball.models.flavors.base import Flavor, Predictor

_FILE = "model.keras"


class Keras:
    """Models of Keras 3 with one input for all columns."""

    distributions = ("keras", "numpy", "jax", "tensorflow", "torch")

    def matches(self, model: object) -> bool:
        """Whether it is a model of Keras."""
        keras = sys.modules.get("keras")
        return keras is not None and isinstance(model, keras.Model)

    def save(self, model: object, folder: Path) -> dict[str, str]:
        """Writes the model. What its outputs are is told from the last layer: softmax or sigmoid are chances, others values."""
        found: Any = model
        if len(found.inputs or ()) > 1:
            raise InvalidInput(
                f"The model has {len(found.inputs)} inputs.",
                hint="Join them in a first layer that takes one for all columns.",
            )
        try:
            found.save(folder / _FILE)
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"The model cannot be kept: {error}.", hint="Build and fit it first.") from error
        return {"classes": write_labels(_classes(found))}

    def load(self, folder: Path, settings: Mapping[str, str]) -> Predictor:
        """Reads the model."""
        try:
            import keras
        except ImportError as error:
            raise MissingExtra("The model needs Keras and a backend.", hint="pip install keras jax") from error
        try:
            model = keras.saving.load_model(folder / _FILE, compile=False, safe_mode=True)
        except (ValueError, OSError, KeyError) as error:
            raise Corrupt(f"The model cannot be read: {error}.") from error
        return MatrixPredictor(
            lambda rows: model.predict_on_batch(rows), classes=read_labels(settings.get("classes", ""))
        )


def _classes(model: Any) -> tuple[Any, ...]:
    named = getattr(model, "classes", ())
    if named:
        return tuple(named)
    last = getattr(model.layers[-1], "activation", None) if model.layers else None
    kind = getattr(last, "__name__", type(model.layers[-1]).__name__.lower() if model.layers else "")
    width = int(model.output_shape[-1])
    if kind in ("softmax", "sigmoid"):
        return tuple(range(2 if width == 1 else width))
    return ()


plugin: Flavor = Keras()
