"""scikit-learn: any fitted estimator or Pipeline, as a pickle.

Reading a pickle runs code, so the package is marked `trusted_only`: load it only from a store that you trust.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.errors import Corrupt, InvalidInput, MissingExtra
from flyball.models.flavors._plain_numbers import takes_plain_numbers, without_names
from flyball.models.flavors.base import Flavor, Predictor, Scores, answer_table, label_array
from flyball.models.frames import to_pandas
from flyball.models.signature import Label, Task

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_FILE = "model.pickle"
_OF_THEIR_OWN = frozenset({"catboost", "lightgbm", "xgboost"})
_OF_A_SCRIPT = b"\x8c\x08__main__"  # how a pickle names the module of something it refers to
# Their `predict` is the class of the highest probability, so one pass gives both. Others may have their own threshold.
_HIGHEST_WINS = frozenset(
    {
        "DecisionTreeClassifier",
        "ExtraTreesClassifier",
        "HistGradientBoostingClassifier",
        "LogisticRegression",
        "RandomForestClassifier",
    }
)


class ScikitLearn:
    """Estimators of scikit-learn and what behaves like one."""

    distributions = ("scikit-learn", "numpy", "scipy", "pandas", "joblib")

    def matches(self, model: object) -> bool:
        """Whether it is an estimator, and not one of a library with a safer form of its own."""
        if type(model).__module__.partition(".")[0] in _OF_THEIR_OWN:
            return False
        sklearn = sys.modules.get("sklearn.base")  # who made one has imported it
        return sklearn is not None and isinstance(model, sklearn.BaseEstimator)

    def save(self, model: object, folder: Path) -> dict[str, str]:
        """Pickles the estimator."""
        if not hasattr(model, "predict"):
            raise InvalidInput(
                f"A {type(model).__name__} has no `predict`.", hint="End the Pipeline with an estimator that predicts."
            )
        try:
            data = pickle.dumps(model, protocol=5)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise InvalidInput(
                f"The model cannot be pickled: {error}.",
                hint="Use functions defined at the top of a module, no lambdas.",
            ) from error
        if _OF_A_SCRIPT in data:
            raise InvalidInput(
                "The model holds a class or function of the script that is being run; no other process could find it.",
                hint="Move it to a module of an installed package, or use scikit-learn's own classes.",
            )
        (folder / _FILE).write_bytes(data)
        return {"format": "pickle", "protocol": "5", "trusted_only": "true"}

    def load(self, folder: Path, settings: Mapping[str, str]) -> Predictor:
        """Reads the pickle."""
        try:
            import sklearn  # noqa: F401  # whether it is there
        except ImportError as error:
            raise MissingExtra("The model needs scikit-learn.", hint="pip install 'flyball[sklearn]'") from error
        try:
            model = pickle.loads((folder / _FILE).read_bytes())  # noqa: S301  # marked trusted_only
        except (pickle.UnpicklingError, EOFError) as error:
            raise Corrupt(f"The model's pickle cannot be read: {error}.") from error
        except (ImportError, AttributeError) as error:
            raise InvalidInput(
                f"The model needs code that is not installed here: {error}.",
                hint="Install the packages named in its environment.",
            ) from error
        return _Estimator(model)


def estimator(model: Any) -> Predictor:
    """A fitted estimator, of scikit-learn or of a library that keeps to its manners, as a predictor."""
    return _Estimator(model)


class _Estimator:
    """A fitted estimator that predicts on Arrow tables."""

    def __init__(self, model: Any) -> None:
        import sklearn.base

        self._model = self.estimator = model
        self.columns = tuple(str(name) for name in getattr(model, "feature_names_in_", ()))
        self.task: Task = "other"
        self.classes: tuple[Label, ...] = ()
        self._probable = False
        # Fitted on an array: scikit-learn warns at every call when it then meets names.
        self._by_position = not self.columns and hasattr(model, "n_features_in_")
        if sklearn.base.is_regressor(model):
            self.task = "regression"
        elif sklearn.base.is_classifier(model):
            self.task = "classification"
            self.classes = _labels(model)
            self._probable = hasattr(model, "predict_proba")
        self._one_pass = self._probable and type(_innermost(model)).__name__ in _HIGHEST_WINS
        self._names = label_array(self.classes)
        # Asked as late as possible: to copy a forest for nothing costs memory.
        self.takes_matrix = takes_plain_numbers(model)
        self._bare: Any = None

    def predict(self, table: pa.Table) -> pa.Table:
        """Predictions, and probabilities where the estimator knows them."""
        return answer_table(self._scores(self._model, self.frame(table)))

    def predict_matrix(self, rows: np.ndarray[Any, Any]) -> Scores:
        """The same of a matrix."""
        if self._bare is None:
            self._bare = without_names(self._model)
        return self._scores(self._bare, rows)

    def _scores(self, model: Any, rows: Any) -> Scores:
        import numpy as np

        if self.task != "classification":
            return Scores(prediction=_one_dimension(np.asarray(model.predict(rows))))
        if not self._probable:
            return Scores(prediction=self._names[self._places(model.predict(rows))])
        chances = np.asarray(model.predict_proba(rows), dtype=np.float64)
        if chances.ndim != 2 or chances.shape[1] != len(self.classes):
            raise InvalidInput("The classifier gives several outputs.", hint="Use one classifier for each of them.")
        places = chances.argmax(axis=1) if self._one_pass else self._places(model.predict(rows))
        return Scores(prediction=self._names[places], chances=chances)

    def frame(self, table: pa.Table) -> Any:
        """The table as the estimator takes it."""
        rows: Any = to_pandas(table)
        return rows.to_numpy() if self._by_position else rows

    def _places(self, predicted: Any) -> Any:
        import numpy as np

        return np.searchsorted(np.asarray(self._model.classes_), _one_dimension(np.asarray(predicted)))


def _labels(model: Any) -> tuple[Label, ...]:
    found = getattr(model, "classes_", ())
    if isinstance(found, list):
        raise InvalidInput("The classifier gives several outputs.", hint="Use one classifier for each of them.")
    labels: list[Any] = [label.item() if hasattr(label, "item") else label for label in found]
    if all(isinstance(label, float) and label.is_integer() for label in labels):
        labels = [int(label) for label in labels]
    return tuple(label if isinstance(label, str | int | bool) else str(label) for label in labels)


def _innermost(model: Any) -> Any:
    """The estimator at the end of pipelines and searches."""
    while True:
        if hasattr(model, "steps"):
            model = model.steps[-1][1]
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            return model


def _one_dimension(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    flat = values.reshape(-1) if values.ndim == 2 and values.shape[1] == 1 else values
    if flat.ndim != 1:
        raise InvalidInput("The model gives several values a row.", hint="Use one model for each of them.")
    return flat


plugin: Flavor = ScikitLearn()
