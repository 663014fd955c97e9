"""Python object: anything with a `predict` that no other flavor knows, such as a Prophet, as a pickle.

Where its class stands in a file of the project, the file is kept too. Reading a pickle runs code, so the package is marked
`trusted_only`: load it only from a store that you trust.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from flyball.errors import Corrupt, InvalidInput
from flyball.models.flavors._kept_file import keep_source, run_source
from flyball.models.flavors.base import Flavor, Predictor
from flyball.models.frames import to_pandas
from flyball.models.signature import Label, Task

if TYPE_CHECKING:
    import pyarrow as pa

_FILE = "model.pickle"
_OF_OTHERS = frozenset(
    {
        "catboost",
        "flyball",
        "jax",
        "jaxlib",
        "keras",
        "lightgbm",
        "onnx",
        "statsmodels",
        "torch",
        "transformers",
        "xgboost",
    }
)


class PythonObject:
    """Objects with a `predict` of their own."""

    distributions = ("pyarrow", "pandas")

    def matches(self, model: object) -> bool:
        """Whether it has a `predict`, and belongs to no library that has a flavor."""
        if isinstance(model, FunctionType | type | ModuleType) or not callable(getattr(model, "predict", None)):
            return False
        roots = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
        return not roots & (_OF_OTHERS | {"sklearn"})

    def save(self, model: object, folder: Path) -> dict[str, str]:
        """Pickles the object, and keeps the file of its class where that is no installed package."""
        settings = {"format": "pickle", "protocol": "5", "trusted_only": "true"}
        kind = type(model)
        if not _is_installed(kind):
            settings |= {"file": keep_source(kind, folder), "module": kind.__module__}
        try:
            (folder / _FILE).write_bytes(pickle.dumps(model, protocol=5))
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise InvalidInput(
                f"The model cannot be pickled: {error}.", hint="Keep no lambdas, open files or connections in it."
            ) from error
        return settings

    def load(self, folder: Path, settings: Mapping[str, str]) -> Predictor:
        """Reads the pickle, with the classes of the kept file."""
        kept = run_source(folder / settings["file"]) if "file" in settings else None
        try:
            model = _Unpickler(io.BytesIO((folder / _FILE).read_bytes()), settings.get("module", ""), kept).load()
        except (pickle.UnpicklingError, EOFError, ValueError) as error:
            raise Corrupt(f"The model's pickle cannot be read: {error}.") from error
        except (ImportError, AttributeError) as error:
            raise InvalidInput(
                f"The model needs code that is not installed here: {error}.",
                hint="Install the packages named in its environment.",
            ) from error
        return _Object(model)


class _Unpickler(pickle.Unpickler):
    """Finds the classes of the model's own file in the file that was kept."""

    def __init__(self, file: io.BytesIO, module: str, kept: ModuleType | None) -> None:
        super().__init__(file)
        self._module = module
        self._kept = kept

    def find_class(self, module: str, name: str) -> Any:
        """The class of that name."""
        if self._kept is not None and module == self._module:
            found: Any = self._kept
            for part in name.split("."):
                found = getattr(found, part)
            return found
        return super().find_class(module, name)


class _Object:
    """An object that predicts on a table, or on a pandas frame where its `predict` says `frame` or `df`."""

    def __init__(self, model: Any) -> None:
        import inspect

        self._model = model
        self.columns = tuple(map(str, getattr(model, "columns", ())))
        self.classes: tuple[Label, ...] = tuple(getattr(model, "classes", ()))
        self.task: Task = "classification" if self.classes else "other"
        try:
            first = next(iter(inspect.signature(model.predict).parameters), "")
        except (TypeError, ValueError):
            first = ""
        self._wants_frame = first in ("frame", "df", "X", "data")

    def predict(self, table: pa.Table) -> pa.Table:
        """What the object says."""
        from flyball.models.flavors.python_function import as_answer

        return as_answer(self._model.predict(to_pandas(table) if self._wants_frame else table))


def _is_installed(kind: type[object]) -> bool:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file


plugin: Flavor = PythonObject()
