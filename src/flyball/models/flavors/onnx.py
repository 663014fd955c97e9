"""ONNX: a graph that many libraries write, run by ONNX Runtime. Reading it runs no code of the model's.

Takes an `onnx.ModelProto`, or a path to an `.onnx` file. A graph has one input of all columns together, as most converters
write it, or one for each column, named as the column is.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.errors import Corrupt, InvalidInput, MissingExtra
from flyball.models.flavors.base import Flavor, Predictor, Scores, answer_table
from flyball.models.signature import Label, Task

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_FILE = "model.onnx"
_TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int16)": "int16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}


class Onnx:
    """Graphs of ONNX."""

    distributions = ("onnxruntime", "numpy")

    def matches(self, model: object) -> bool:
        """Whether it is a graph, or the path of a file with one."""
        if isinstance(model, str | os.PathLike):
            return Path(model).suffix == ".onnx"
        onnx = sys.modules.get("onnx")
        return onnx is not None and isinstance(model, onnx.ModelProto)

    def save(self, model: object, folder: Path) -> dict[str, str]:
        """Writes the graph."""
        if isinstance(model, str | os.PathLike):
            if not Path(model).is_file():
                raise InvalidInput(f"There is no file '{model}'.")
            data = Path(model).read_bytes()
        else:
            data = model.SerializeToString()  # type: ignore[attr-defined]  # a ModelProto
        (folder / _FILE).write_bytes(data)
        return {}

    def load(self, folder: Path, settings: Mapping[str, str]) -> Predictor:
        """Opens the graph."""
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtra("The model needs ONNX Runtime.", hint="pip install onnxruntime") from error
        try:
            # From its bytes: a graph that names other files would be read from wherever they are said to lie.
            session = onnxruntime.InferenceSession(
                (folder / _FILE).read_bytes(), _options(settings.get("threads", "")), providers=_providers()
            )
        except Exception as error:
            raise Corrupt(f"The graph cannot be opened: {str(error).partition(chr(10))[0][:300]}.") from error
        return _Graph(session, json.loads(settings.get("classes", "[]")))


def _options(threads: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if threads:
        options.intra_op_num_threads = int(threads)
        # Threads that wait for work by spinning take the processor from everybody else.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _providers() -> list[str]:
    import onnxruntime

    there = onnxruntime.get_available_providers()
    return [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in there]


class _Graph:
    """A graph that predicts on Arrow tables."""

    def __init__(self, session: Any, classes: list[Label]) -> None:
        self._session = session
        self._inputs = session.get_inputs()
        self._outputs = session.get_outputs()
        self._is_together = len(self._inputs) == 1 and len(self._inputs[0].shape) == 2 and self._inputs[0].shape[1] != 1
        self.columns = () if self._is_together else tuple(each.name for each in self._inputs)
        # What converters write for a classifier: its labels, then its probabilities.
        self._has_chances = len(self._outputs) > 1 and "float" in self._outputs[1].type
        self.task: Task = "classification" if self._has_chances else "other"
        self.classes: tuple[Label, ...] = tuple(classes)

    def predict(self, table: pa.Table) -> pa.Table:
        """What the graph gives: its first output, and a classifier's probabilities."""
        return answer_table(self._scores(self._feed(table)))

    @property
    def takes_matrix(self) -> bool:
        """Whether it takes numbers, as many rows as are given."""
        takes_any = all(not isinstance(each.shape[0], int) for each in self._inputs if each.shape)
        return takes_any and all(_TYPES.get(each.type, "object") not in ("object", "bool") for each in self._inputs)

    def predict_matrix(self, rows: np.ndarray[Any, Any]) -> Scores:
        """The same of a matrix."""
        if self._is_together:
            wanted = self._inputs[0]
            return self._scores({wanted.name: rows.astype(_TYPES[wanted.type])})
        return self._scores(
            {
                each.name: rows[:, place].astype(_TYPES[each.type]).reshape(-1, *[1] * (len(each.shape) - 1))
                for place, each in enumerate(self._inputs)
            }
        )

    def _scores(self, feed: dict[str, Any]) -> Scores:
        import numpy as np

        given = self._session.run(None, feed)
        first = np.asarray(given[0])
        flat = first.reshape(-1) if first.ndim == 2 and first.shape[1] == 1 else first
        if flat.ndim != 1:
            raise InvalidInput(
                f"The graph gives an array of shape {first.shape[1:]} a row.", hint="End it with one value a row."
            )
        return Scores(prediction=flat, chances=self._chances(given[1]) if self._has_chances else None)

    def _chances(self, given: Any) -> Any:
        import numpy as np

        if isinstance(given, list):  # a mapping a row, from label to probability
            self.classes = self.classes or tuple(given[0])
            return np.asarray([list(row.values()) for row in given], dtype=np.float64)
        chances = np.asarray(given, dtype=np.float64)
        return chances if chances.ndim == 2 and chances.shape[1] > 1 else np.column_stack([1 - chances, chances])

    def _feed(self, table: pa.Table) -> dict[str, Any]:
        import numpy as np

        if self._is_together:
            wanted = self._inputs[0]
            columns = [_values(table, name, _TYPES.get(wanted.type, "float32")) for name in table.column_names]
            width = wanted.shape[1]
            if isinstance(width, int) and width != len(columns):
                raise InvalidInput(f"The graph takes {width} columns, and the example has {len(columns)}.")
            return {wanted.name: np.column_stack(columns)}
        return {
            each.name: _values(table, each.name, _TYPES.get(each.type, "float32")).reshape(
                -1, *[1] * (len(each.shape) - 1)
            )
            for each in self._inputs
        }


def _values(table: pa.Table, name: str, kind: str) -> Any:
    import numpy as np

    column = table.column(name)
    if kind == "object":
        return np.asarray(["" if value is None else str(value) for value in column.to_pylist()], dtype=object)
    try:
        return column.to_numpy().astype(kind)
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"Column '{name}' is {column.type}, and the graph takes {kind}.", column=name) from error


plugin: Flavor = Onnx()
