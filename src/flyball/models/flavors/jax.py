"""JAX: a function with its weights as a program in StableHLO, by `jax.export`. Reading it runs no Python.

program = jax.export.export(jax.jit(predict))(jax.ShapeDtypeStruct(jax.export.symbolic_shape("rows, 4"), "float32"))
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flyball.errors import Corrupt, InvalidInput, MissingExtra
from flyball.models.flavors._matrix import MatrixPredictor
from flyball.models.flavors.base import Flavor, Predictor

_FILE = "model.stablehlo"


class Jax:
    """Programs that JAX has exported, of one matrix with a row for each row."""

    distributions = ("jax", "jaxlib", "numpy", "flatbuffers")

    def matches(self, model: object) -> bool:
        """Whether it is an exported program."""
        export = sys.modules.get("jax.export") or sys.modules.get("jax._src.export._export")
        kind = getattr(export, "Exported", None)
        return kind is not None and isinstance(model, kind)

    def save(self, model: object, folder: Path) -> dict[str, str]:
        """Writes the program. Two outputs or more are the chances of classes 0, 1, ...; one is a value."""
        found: Any = model
        if len(found.in_avals) != 1 or len(found.out_avals) != 1:
            raise InvalidInput(
                f"The program takes {len(found.in_avals)} arrays and gives {len(found.out_avals)}.",
                hint="Export a function of one matrix that gives one array; let it close over its weights.",
            )
        (folder / _FILE).write_bytes(found.serialize())
        shape = found.out_avals[0].shape
        width = int(shape[1]) if len(shape) == 2 else 1
        return {"outputs": str(width)}

    def load(self, folder: Path, settings: Mapping[str, str]) -> Predictor:
        """Reads the program."""
        try:
            from jax import export
        except ImportError as error:
            raise MissingExtra("The model needs JAX.", hint="pip install jax") from error
        try:
            program = export.deserialize(bytearray((folder / _FILE).read_bytes()))
        except Exception as error:
            raise Corrupt(f"The program cannot be read: {error}.") from error
        width = int(settings.get("outputs", "1"))
        return MatrixPredictor(lambda rows: program.call(rows), classes=tuple(range(width)) if width > 1 else ())


plugin: Flavor = Jax()
