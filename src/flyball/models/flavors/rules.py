"""Rules: conditions in SQL, kept as JSON and asked by DuckDB, which is given the rows and nothing else.

Reading them runs no code.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput, MissingExtra
from flyball.models.flavors.base import Flavor, Predictor
from flyball.models.rules import Rules
from flyball.models.signature import Label, Task
from flyball.serialization import from_json, to_json

if TYPE_CHECKING:
    import pyarrow as pa

_FILE = "rules.json"


class RulesFlavor:
    """Tables of rules."""

    distributions = ("duckdb",)

    def matches(self, model: object) -> bool:
        """Whether it is a table of rules."""
        return isinstance(model, Rules)

    def save(self, model: object, folder: Path) -> dict[str, str]:
        """Writes the rules as JSON."""
        (folder / _FILE).write_bytes(to_json(model))
        return {}

    def load(self, folder: Path, settings: Mapping[str, str]) -> Predictor:
        """Reads the rules."""
        return _Decider(from_json((folder / _FILE).read_bytes(), Rules))


class _Decider:
    """Rules that predict on Arrow tables."""

    columns: tuple[str, ...] = ()

    def __init__(self, rules: Rules) -> None:
        try:
            import duckdb
        except ImportError as error:
            raise MissingExtra("Rules need DuckDB.", hint="pip install 'flyball[data]'") from error
        self._rules = rules
        self._error = duckdb.Error
        answers = list(dict.fromkeys([*(rule.then for rule in rules.rules), rules.otherwise]))
        is_number = all(isinstance(each, int | float) and not isinstance(each, bool) for each in answers)
        self.task: Task = "regression" if is_number else "classification"
        self.classes: tuple[Label, ...] = () if is_number else _labels(answers)
        self._connection = duckdb.connect(config={"enable_external_access": "false"})
        self._connection.execute("SET threads = 1")
        self._connection.execute("SET lock_configuration = true")
        self._lock = threading.Lock()

    def predict(self, table: pa.Table) -> pa.Table:
        """The prediction of the first rule that holds, for each row."""
        import numpy as np
        import pyarrow as pa

        numbered = table.append_column("__row", pa.array(np.arange(table.num_rows)))
        cases = " ".join(f"WHEN ({rule.when}\n) THEN {place}" for place, rule in enumerate(self._rules.rules))
        chosen = f"CASE {cases} ELSE {len(self._rules.rules)} END" if cases else "0"
        with self._lock:
            self._connection.register("rows", numbered)
            try:
                # The conditions are the model itself; the connection reaches nothing but these rows.
                found = self._connection.sql(f'SELECT {chosen} AS rule FROM rows ORDER BY "__row"').to_arrow_table()  # noqa: S608  # see above
            except self._error as error:
                raise InvalidInput(f"The rules cannot be asked: {str(error).partition(chr(10))[0]}") from error
            finally:
                self._connection.unregister("rows")
        answers: Any = pa.array([*(rule.then for rule in self._rules.rules), self._rules.otherwise])
        said = {"prediction": answers.take(found["rule"].combine_chunks())}
        if self.task == "classification" and len(self.classes) == 2:
            said["probability"] = pa.array([float(each == self.classes[1]) for each in said["prediction"].to_pylist()])
        return pa.table(said)


def _labels(answers: list[Any]) -> tuple[Label, ...]:
    return (False, True) if all(isinstance(each, bool) for each in answers) else tuple(sorted(answers))


plugin: Flavor = RulesFlavor()
