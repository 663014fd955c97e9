"""MLflow: a folder with an `MLmodel`, as `mlflow.<library>.log_model` writes it.

Models of scikit-learn, XGBoost and LightGBM are read by their own libraries, those with a loader of their own by that; the
`mlflow` package is needed for the rest. Reading a model runs code that came with it, so the package is marked
`trusted_only`.
"""

from __future__ import annotations

import importlib
import pickle
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.errors import Corrupt, InvalidInput, MissingExtra, NotFound
from flyball.models.flavors.base import Flavor, HasEstimator, Predictor
from flyball.models.flavors.scikit_learn import estimator
from flyball.models.mlmodel import MLMODEL, MLmodel, parse
from flyball.models.signature import Label, Task

if TYPE_CHECKING:
    import pyarrow as pa

_SKOPS_TRUSTED = ("numpy.dtype",)


class Mlflow:
    """Model folders of MLflow."""

    distributions = ("pyyaml",)

    def matches(self, model: object) -> bool:
        """Whether it is the path of such a folder."""
        return isinstance(model, Path) and (model / MLMODEL).is_file()

    def save(self, model: object, folder: Path) -> dict[str, str]:
        """Copies the folder."""
        if not isinstance(model, Path) or not (model / MLMODEL).is_file():
            raise InvalidInput(
                f"{str(model)[:100]!r} is no folder with an MLmodel.", hint="Save it with mlflow's save_model first."
            )
        said = parse((model / MLMODEL).read_bytes())
        shutil.copytree(model, folder, dirs_exist_ok=True)
        return {"flavors": " ".join(sorted(said.flavors)), "trusted_only": "true"}

    def load(self, folder: Path, settings: Mapping[str, str]) -> Predictor:
        """Reads the model by the library that it is of."""
        path = folder / MLMODEL
        if not path.is_file():
            raise Corrupt("The package has no MLmodel.")
        said = parse(path.read_bytes())
        try:
            return _load(folder, said)
        except (pickle.UnpicklingError, EOFError) as error:
            raise Corrupt(f"The model cannot be read: {error}.") from error
        except (ModuleNotFoundError, AttributeError) as error:
            raise MissingExtra(
                f"The model needs code that is not installed here: {error}.",
                hint="Install the packages named in its requirements.txt.",
            ) from error


def _load(folder: Path, said: MLmodel) -> Predictor:
    flavors, function = said.flavors, said.flavors.get("python_function", {})
    wanted = str(function.get("predict_fn") or "predict")
    with _code(folder, *(settings.get("code") for settings in flavors.values())):
        if "sklearn" in flavors and wanted == "predict":
            settings = flavors["sklearn"]
            return _estimator(_unpickled(_file(folder, settings, "pickled_model"), settings))
        if "xgboost" in flavors:
            return _xgboost(folder, flavors["xgboost"])
        if "lightgbm" in flavors:
            return _lightgbm(folder, flavors["lightgbm"])
        loader = str(function.get("loader_module") or "")
        if loader and not loader.startswith("mlflow."):
            path = _file(folder, function, "data") if function.get("data") else folder
            return _Called(importlib.import_module(loader)._load_pyfunc(str(path)).predict)
    return _by_mlflow(folder, said)


def _by_mlflow(folder: Path, said: MLmodel) -> Predictor:
    try:
        pyfunc = importlib.import_module("mlflow.pyfunc")
    except ImportError as error:
        names = ", ".join(sorted(said.flavors))
        raise MissingExtra(
            f"The model is of MLflow's kind {names}, which only the mlflow package can read.", hint="pip install mlflow"
        ) from error
    return _Called(pyfunc.load_model(str(folder)).predict)


def _unpickled(path: Path, settings: Mapping[str, Any]) -> Any:
    kind = str(settings.get("serialization_format") or ("skops" if path.suffix == ".skops" else "pickle"))
    if kind == "skops":
        try:
            skops = importlib.import_module("skops.io")
        except ImportError as error:
            raise MissingExtra("The model was saved by skops.", hint="pip install 'flyball[mlflow]'") from error
        return skops.load(path, trusted=[*(settings.get("skops_trusted_types") or ()), *_SKOPS_TRUSTED])
    if kind not in ("pickle", "cloudpickle"):
        raise InvalidInput(f"The model was saved as '{kind[:40]}', which is not known.")
    # What cloudpickle wrote is a pickle; it names the module cloudpickle itself where it needs that.
    return pickle.loads(path.read_bytes())  # noqa: S301  # marked trusted_only


def _xgboost(folder: Path, settings: Mapping[str, Any]) -> Predictor:
    xgboost = _library("xgboost")
    name = str(settings.get("model_class") or "xgboost.core.Booster")
    model: Any = _class(name, "xgboost")()
    # As bytes: the library looks at what is in them, where of a file it only knows some endings.
    model.load_model(bytearray(Path(_file(folder, settings, "data")).read_bytes()))
    if name.rpartition(".")[2] != "Booster":
        return _estimator(model)
    columns = tuple(model.feature_names or ())
    return _CalledBooster(lambda rows: model.predict(xgboost.DMatrix(rows)), columns, model)


def _lightgbm(folder: Path, settings: Mapping[str, Any]) -> Predictor:
    lightgbm = _library("lightgbm")
    path = _file(folder, settings, "data")
    if str(settings.get("model_class") or "lightgbm.basic.Booster").rpartition(".")[2] != "Booster":
        return _estimator(_unpickled(path, settings))
    model = lightgbm.Booster(model_file=str(path))
    return _CalledBooster(model.predict, tuple(model.feature_name()), model)


def _estimator(model: Any) -> Predictor:
    found = estimator(model)
    if found.columns:
        return found
    places = tuple(f"x{place}" for place in range(int(getattr(model, "n_features_in_", 0) or 0)))
    return _Placed(found, places) if places and isinstance(found, HasEstimator) else found


class _Placed:
    """An estimator that was fitted on a plain array, whose columns are named by their place."""

    def __init__(self, model: Any, columns: tuple[str, ...]) -> None:
        self.task: Task = model.task
        self.classes: tuple[Label, ...] = model.classes
        self.columns = columns
        self.predict = model.predict
        self.estimator = model.estimator
        self.frame = model.frame


class _Called:
    """Anything that takes a frame and gives predictions."""

    task: Task = "other"
    classes: tuple[Label, ...] = ()

    def __init__(self, function: Any, columns: tuple[str, ...] = ()) -> None:
        self._function = function
        self.columns = columns

    def predict(self, table: pa.Table) -> pa.Table:
        """What it gives: one prediction a row, or a list of numbers a row."""
        import numpy as np
        import pyarrow as pa

        given = self._function(_frame(table))
        if hasattr(given, "columns") and hasattr(given, "iloc"):
            names = [str(name) for name in given.columns]
            names = names if "prediction" in names else ["prediction", *names[1:]]
            return pa.table({name: pa.array(given.iloc[:, place]) for place, name in enumerate(names)})
        values = np.asarray(given)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        return pa.table({"prediction": pa.array(values.tolist() if values.ndim > 1 else values)})


class _CalledBooster(_Called):
    """A booster, which can be looked into."""

    def __init__(self, function: Any, columns: tuple[str, ...], booster: object) -> None:
        super().__init__(function, columns)
        self.estimator = booster

    def frame(self, table: pa.Table) -> Any:
        """The table as the booster takes it."""
        return _frame(table)


def _frame(table: pa.Table) -> Any:
    # As a caller of MLflow would give it: texts as texts, not as categories.
    return table.to_pandas(timestamp_as_object=False, date_as_object=False)


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtra(f"The model needs {name}.", hint=f"pip install {name}") from error


def _class(name: str, library: str) -> Any:
    module, _, attribute = name.rpartition(".")
    if module.partition(".")[0] != library:
        raise InvalidInput(f"'{name[:100]}' is no class of {library}.")
    return getattr(importlib.import_module(module), attribute)


def _file(folder: Path, settings: Mapping[str, Any], key: str) -> Path:
    path = (folder / str(settings.get(key) or "")).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.exists():
        raise NotFound(f"The MLmodel names '{str(settings.get(key))[:100]}', which is not there.")
    return path


@contextmanager
def _code(folder: Path, *named: Any) -> Iterator[None]:
    """Lets modules that came with the model be found while it is read."""
    paths = [str(_file(folder, {"code": name}, "code")) for name in {str(name) for name in named if name}]
    sys.path[:0] = paths
    try:
        yield
    finally:
        for path in paths:
            sys.path.remove(path)


plugin: Flavor = Mlflow()
