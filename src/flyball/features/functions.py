"""On-demand features: what a function makes of a request's own columns and of other features.

A function is kept as the source that it needs and no more: itself, and what it reaches at the top level of its file. So a model
server can run it without the project, and a change elsewhere in the file is no new version.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flyball.data.arrow import to_arrow
from flyball.declarations import declare
from flyball.errors import InvalidInput, WorkFailed
from flyball.features.sources import standalone_source
from flyball.refs import check_name

if TYPE_CHECKING:
    import pyarrow as pa


class OnDemand:
    """Features that are made when they are asked for: the same function in training and in serving. Called, it is the function.

    Attributes:
        inputs: Columns that the function takes: of the rows or the request, and features of views.
    """

    def __init__(self, function: Callable[..., object], *, name: str = "", inputs: Sequence[str] = ()) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = check_name(name or getattr(function, "__name__", ""), "on-demand feature")
        self.inputs = (inputs,) if isinstance(inputs, str) else tuple(inputs)
        if not self.inputs:
            raise InvalidInput(
                f"On-demand feature '{self.name}' takes no columns.", hint="Name them: inputs=['distance']."
            )

    def __call__(self, rows: object) -> object:
        """What the function gives."""
        return self.function(rows)

    def __repr__(self) -> str:
        return f"<on-demand feature {self.name}>"

    @property
    def source(self) -> str:
        """The function as a file of its own.

        Raises:
            InvalidInput: it cannot stand alone.
        """
        return standalone_source(self.function, whole=True)


def on_demand(*, inputs: Sequence[str], name: str = "") -> Callable[[Callable[..., object]], OnDemand]:
    """Declares features that a function makes of a request's own columns and of other features.

    The function takes an Arrow table of the inputs and gives one value a row (a feature of the function's name), a mapping of
    columns, or a table. Training calls it once with all rows, serving with those of a request.

    Args:
        inputs: Columns that it takes: of the rows, and features of views.
        name: Name of the feature, where it is another than the function's.
    """

    def made(function: Callable[..., object]) -> OnDemand:
        found = OnDemand(function, name=name, inputs=inputs)
        declare(found)
        return found

    return made


def compute(function: Callable[..., object], name: str, inputs: Sequence[str], rows: pa.Table) -> pa.Table:
    """The columns that an on-demand function makes of rows, as many as there are rows.

    Raises:
        InvalidInput: the rows lack a column that it takes.
        WorkFailed: the function failed, or did not give one value a row.
    """
    for column in inputs:
        if column not in rows.column_names:
            raise InvalidInput(f"On-demand feature '{name}' takes '{column}', which the rows lack.", column=column)
    try:
        found = _as_table(function(rows.select(list(inputs))), name)
    except Exception as error:
        raise WorkFailed(f"On-demand feature '{name}' failed: {type(error).__name__}: {error}") from error
    if found.num_rows != rows.num_rows:
        raise WorkFailed(f"On-demand feature '{name}' gave {found.num_rows} values for {rows.num_rows} rows.")
    return found


def _as_table(given: object, name: str) -> pa.Table:
    import pyarrow as pa

    if isinstance(given, Mapping):
        return to_arrow(pa.table({str(key): _column(values) for key, values in given.items()}))
    if isinstance(given, pa.Table) or hasattr(given, "columns"):
        return to_arrow(given)
    return to_arrow(pa.table({name: _column(given)}))


def _column(values: Any) -> Any:
    import pyarrow as pa

    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    return pa.array(values, from_pandas=True)
