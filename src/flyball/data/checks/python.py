"""Python: a `function` of the user, named as `module:name`, finds the table to be good: True, or one boolean for each row."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flyball.data.checks.base import EXAMPLES, Finding, TableCheck, share
from flyball.errors import FlyballError, InvalidInput
from flyball.serialization import JsonValue, convert

if TYPE_CHECKING:
    import pyarrow as pa


class Python:
    """What a user says in Python must hold. The function is handed the Arrow table, or the column if one is named."""

    # `code` is a digest of the function's source: a step that keeps its results runs again when it changes.
    params: Mapping[str, bool] = {"function": True, "code": False, "at_most": False}

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """Asks the function."""
        place = convert(params["function"], str)
        function = find_function(place)
        name = place.partition(":")[2]
        try:
            answer = function(table.column(column) if column else table)
        except FlyballError:
            raise
        except Exception as error:
            raise InvalidInput(f"The check '{name}' failed: {type(error).__name__}: {error}") from error
        return _judge(name, answer, table.num_rows, share(params))


def find_function(place: str) -> Callable[[Any], Any]:
    """The function of that module and name.

    Raises:
        InvalidInput: there is none.
    """
    module, _, name = place.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidInput(
            f"There is no function '{place}' to check with: {error}.",
            hint="Write it as module:name, in a file of the project.",
        ) from error
    if not callable(found):
        raise InvalidInput(f"'{place}' is no function.")
    checked: Callable[[Any], Any] = found
    return checked


def _judge(name: str, answer: Any, rows: int, at_most: float) -> Finding:
    import numpy as np
    import pyarrow as pa

    if isinstance(answer, bool | np.bool_):
        found = f"'{name}' {'holds' if answer else 'does not hold'}"
        return Finding(found=found, failing=0 if answer else max(1, rows), total=rows, passed=bool(answer))
    try:
        good = answer if isinstance(answer, pa.Array | pa.ChunkedArray) else pa.array(answer, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError):
        good = None
    if good is None or not pa.types.is_boolean(good.type) or len(good) != rows:
        raise InvalidInput(
            f"The check '{name}' gave a {type(answer).__name__}.",
            hint="Give True or False, or one boolean for each row.",
        )
    import pyarrow.compute as pc

    bad = pc.invert(pc.fill_null(good, False))
    places = pc.indices_nonzero(bad)
    passed = len(places) <= at_most * rows
    found = f"for {len(places):,} of {rows:,} rows '{name}' does not hold"
    return Finding(
        found=found, failing=len(places), total=rows, passed=passed, rows=tuple(places.slice(0, EXAMPLES).to_pylist())
    )


plugin: TableCheck = Python()
