"""Python function: takes an Arrow table, gives predictions; kept as the source file it stands in.

A function `stream` beside it in the file takes the values of one row by name and yields texts: the answer, piece by piece.

The file is kept alone: it may import what is installed, but not its neighbours in the project. Lambdas and functions
inside functions have no place in a file that another process could find, so they are refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from flyball.errors import Corrupt, InvalidInput
from flyball.models.flavors._kept_file import run_source
from flyball.models.flavors.base import Flavor, Predictor
from flyball.models.signature import Label, Task

if TYPE_CHECKING:
    import pyarrow as pa


class PythonFunction:
    """A function of a module."""

    distributions = ("pyarrow",)

    def matches(self, model: object) -> bool:
        """Whether it is a plain function."""
        return isinstance(model, FunctionType)

    def save(self, model: object, folder: Path) -> dict[str, str]:
        """Copies the source file of the function's module."""
        if not isinstance(model, FunctionType):
            raise InvalidInput(f"A {type(model).__name__} is no plain function.", hint="Define it with `def`.")
        name = model.__qualname__
        if "<" in name:
            what = "A lambda" if "<lambda>" in name else f"'{model.__name__}', defined inside another function,"
            raise InvalidInput(
                f"{what} cannot be saved: no other process could find it.",
                hint="Define the function with `def` at the top level of a file.",
            )
        source = inspect.getsourcefile(model)
        if source is None or not Path(source).is_file():
            raise InvalidInput(
                f"'{name}' stands in no file, so it cannot be saved.",
                hint="Write it to a module and import it from there.",
            )
        file = Path(source).name
        (folder / file).write_bytes(Path(source).read_bytes())
        return {"file": file, "function": name, "trusted_only": "true"}

    def load(self, folder: Path, settings: Mapping[str, str]) -> Predictor:
        """Runs the source file and takes the function out of it."""
        module = run_source(folder / settings["file"])
        found: Any = module
        for part in settings["function"].split("."):
            found = getattr(found, part, None)
        if not callable(found):
            raise Corrupt(f"The kept file has no function '{settings['function']}'.")
        return _Function(found, getattr(module, "stream", None))


class _Function:
    """A function that predicts on Arrow tables."""

    task: Task = "other"
    classes: tuple[Label, ...] = ()
    columns: tuple[str, ...] = ()

    def __init__(self, function: Callable[[pa.Table], Any], stream: Callable[..., Iterator[str]] | None = None) -> None:
        self._function = function
        self._stream = stream
        self.streams = callable(stream)

    def stream(self, row: Mapping[str, Any]) -> Iterator[str]:
        """What the file's own `stream` yields."""
        assert self._stream is not None
        return self._stream(**row)

    def predict(self, table: pa.Table) -> pa.Table:
        """What the function gives: a table or mapping with `prediction`, or the predictions alone."""
        return as_answer(self._function(table))


def as_answer(given: Any) -> pa.Table:
    """What a user's own code gives as predictions: a table or mapping with `prediction`, or the predictions alone."""
    import pyarrow as pa

    if isinstance(given, pa.Table):
        return given
    if isinstance(given, Mapping):
        return pa.table({name: _array(values) for name, values in given.items()})
    if hasattr(given, "__arrow_c_stream__") and hasattr(given, "columns"):
        return pa.table(given)
    return pa.table({"prediction": _array(given)})


def _array(values: Any) -> Any:
    import pyarrow as pa

    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError) as error:
        raise InvalidInput(
            f"The function gave a {type(values).__name__} that is no column: {error}.",
            hint="Give one value a row, or a table with a column 'prediction'.",
        ) from error


plugin: Flavor = PythonFunction()
