"""PyTorch: an exported program, or a module as its weights (safetensors) and the source file of its class.

An exported program (`torch.export.export`) needs no code of its own. A module is made anew from its class and `config`, a mapping
of the class's arguments, before it gets its weights: this runs its file, so such a package is marked `trusted_only`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.errors import Corrupt, InvalidInput, MissingExtra
from flyball.models.flavors._boosting import read_labels, write_labels
from flyball.models.flavors._kept_file import keep_source, run_source
from flyball.models.flavors._matrix import MatrixPredictor
from flyball.models.flavors.base import Flavor, Predictor
from flyball.models.signature import Label, Task

if TYPE_CHECKING:
    import pyarrow as pa

_PROGRAM, _WEIGHTS = "model.pt2", "model.safetensors"


class PyTorch:
    """Modules and exported programs of PyTorch.

    Attributes that the flavor knows: `config` (arguments of the class), `classes` (labels in the order of the outputs, which
    are then logits), `columns` (names of the inputs). A module with `predict(table)` answers by that.
    """

    distributions = ("torch", "safetensors", "numpy")

    def matches(self, model: object) -> bool:
        """Whether it is a module or an exported program."""
        torch = sys.modules.get("torch")
        if torch is None:
            return False
        return isinstance(model, torch.nn.Module | torch.export.ExportedProgram)

    def save(self, model: object, folder: Path) -> dict[str, str]:
        """Writes the program, or the weights and the file of the class."""
        import torch

        found: Any = model
        facts = {
            "classes": write_labels(tuple(getattr(found, "classes", ()))),
            "columns": json.dumps(list(getattr(found, "columns", ()))),
        }
        if isinstance(model, torch.export.ExportedProgram):
            torch.export.save(model, folder / _PROGRAM)
            return {**facts, "form": "program"}
        config = getattr(found, "config", {})
        if not isinstance(config, Mapping):
            raise InvalidInput(
                "The `config` of the module is no mapping.", hint="Give the arguments of its class by name."
            )
        try:
            text = json.dumps(dict(config))
        except TypeError as error:
            raise InvalidInput(
                f"The `config` of the module cannot be kept: {error}.", hint="Use plain values."
            ) from error
        file = keep_source(type(found), folder)
        _weights().save_model(found, str(folder / _WEIGHTS))
        name = type(found).__qualname__
        return {**facts, "form": "module", "file": file, "class": name, "config": text, "trusted_only": "true"}

    def load(self, folder: Path, settings: Mapping[str, str]) -> Predictor:
        """Reads the program, or makes the module and gives it its weights."""
        try:
            import torch
        except ImportError as error:
            raise MissingExtra("The model needs PyTorch.", hint="pip install torch") from error
        known = {
            "columns": json.loads(settings.get("columns", "[]")),
            "classes": read_labels(settings.get("classes", "")),
            "squash": "softmax",
        }
        if settings.get("form") == "program":
            try:
                network = torch.export.load(folder / _PROGRAM).module()
            except Exception as error:
                raise Corrupt(f"The program cannot be read: {error}.") from error
        else:
            network = _module(folder, settings)
            if callable(getattr(network, "predict", None)):
                return _OwnPredict(network, **{key: known[key] for key in ("columns", "classes")})

        def ask(rows: Any) -> Any:
            with torch.no_grad():
                return network(torch.from_numpy(rows)).numpy()

        return MatrixPredictor(ask, **known)


def _module(folder: Path, settings: Mapping[str, str]) -> Any:
    found: Any = run_source(folder / settings["file"])
    for part in settings["class"].split("."):
        found = getattr(found, part, None)
    if found is None:
        raise Corrupt(f"The kept file has no class '{settings['class']}'.")
    try:
        network = found(**json.loads(settings["config"]))
    except TypeError as error:
        raise InvalidInput(
            f"The module cannot be made anew: {error}.",
            hint="Give it a `config` with the arguments of its class, or hand over torch.export.export(...).",
        ) from error
    try:
        _weights().load_model(network, str(folder / _WEIGHTS))
    except Exception as error:
        raise Corrupt(f"The weights cannot be read: {error}.") from error
    network.eval()
    return network


def _weights() -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        raise MissingExtra("Weights of a module are kept by safetensors.", hint="pip install safetensors") from error
    return safetensors.torch


class _OwnPredict:
    """A module that takes the table itself."""

    def __init__(self, network: Any, *, columns: list[str], classes: tuple[Label, ...]) -> None:
        self._network = network
        self.columns = tuple(columns)
        self.classes = classes
        self.task: Task = "classification" if classes else "other"

    def predict(self, table: pa.Table) -> pa.Table:
        """What the module's own `predict` gives: a table or mapping with `prediction`, or the predictions alone."""
        import torch

        from flyball.models.flavors.python_function import as_answer

        with torch.no_grad():
            return as_answer(self._network.predict(table))


plugin: Flavor = PyTorch()
