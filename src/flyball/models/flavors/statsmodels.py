"""statsmodels: fitted results that predict from columns, such as OLS, Logit or GLM, as its own pickle.

Reading a pickle runs code, so the package is marked `trusted_only`.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.errors import Corrupt, InvalidInput, MissingExtra
from flyball.models.flavors.base import Flavor, Predictor
from flyball.models.frames import to_pandas
from flyball.models.signature import Label, Task

if TYPE_CHECKING:
    import pyarrow as pa

_FILE = "results.pickle"
_CONSTANTS = ("Intercept", "const")


class Statsmodels:
    """Results of statsmodels."""

    distributions = ("statsmodels", "numpy", "scipy", "pandas", "patsy", "formulaic")

    def matches(self, model: object) -> bool:
        """Whether it is what `fit` gave."""
        known = sys.modules.get("statsmodels.base.wrapper")
        return known is not None and isinstance(model, known.ResultsWrapper)

    def save(self, model: object, folder: Path) -> dict[str, str]:
        """Writes the results without the rows they were fitted on."""
        if not hasattr(model, "predict"):
            raise InvalidInput(f"A {type(model).__name__} does not predict.")
        try:
            model.save(str(folder / _FILE), remove_data=False)  # type: ignore[attr-defined]  # a ResultsWrapper
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise InvalidInput(f"The results cannot be pickled: {error}.") from error
        return {"trusted_only": "true"}

    def load(self, folder: Path, settings: Mapping[str, str]) -> Predictor:
        """Reads the pickle."""
        try:
            import statsmodels.api as sm
        except ImportError as error:
            raise MissingExtra("The model needs statsmodels.", hint="pip install statsmodels") from error
        try:
            results = sm.load(str(folder / _FILE))
        except (pickle.UnpicklingError, EOFError) as error:
            raise Corrupt(f"The results cannot be read: {error}.") from error
        return _Results(results)


class _Results:
    """Fitted results that predict on Arrow tables."""

    task: Task = "regression"
    classes: tuple[Label, ...] = ()

    def __init__(self, results: Any) -> None:
        self._results = results
        self._is_formula = getattr(results.model, "formula", None) is not None
        names = [name for name in getattr(results.model, "exog_names", None) or () if name not in _CONSTANTS]
        self.columns = () if self._is_formula else tuple(names)
        self._has_constant = not self._is_formula and "const" in (getattr(results.model, "exog_names", None) or ())

    def predict(self, table: pa.Table) -> pa.Table:
        """The mean that the results expect for each row."""
        import numpy as np
        import pyarrow as pa

        rows: Any = to_pandas(table)
        if self._has_constant:
            rows = rows.assign(const=1.0)[["const", *self.columns]] if self._const_first() else rows.assign(const=1.0)
        said = np.asarray(self._results.predict(rows), dtype=np.float64)
        if said.shape != (table.num_rows,):
            # A formula leaves out rows with missing values; what it said belongs to the others.
            raise InvalidInput(
                f"The results gave {said.shape[0]:,} predictions for {table.num_rows:,} rows.",
                hint="Fill missing values before, or give one model for each output.",
            )
        return pa.table({"prediction": said})

    def _const_first(self) -> bool:
        return bool(self._results.model.exog_names[0] == "const")


plugin: Flavor = Statsmodels()
