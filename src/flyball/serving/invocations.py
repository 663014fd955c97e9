"""MLflow's scoring protocol: what `/invocations` takes and gives.

Source: MLflow's documentation of its inference server, "Local Inference Server Specification".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flyball.errors import InvalidInput, did_you_mean
from flyball.serialization import from_json, to_json
from flyball.serving.endpoint import Outcome

_FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
Columns = dict[str, Sequence[Any]]


def read_invocation(body: bytes, content_type: str, names: Sequence[str]) -> Columns:
    """The columns of a request.

    Args:
        content_type: Of the header: JSON or CSV.
        names: What the model takes, for what comes without names.

    Raises:
        InvalidInput: the body is of no format that there is.
    """
    kind = content_type.partition(";")[0].strip().lower() or "application/json"
    if kind == "text/csv":
        return _csv(body)
    if kind != "application/json":
        raise InvalidInput(f"The content type is '{kind[:60]}'.", hint="Send application/json or text/csv.")
    asked = from_json(body, dict[str, Any])
    given = [name for name in _FORMATS if name in asked]
    if len(given) != 1:
        unknown = next((name for name in asked if name not in (*_FORMATS, "params")), "")
        hint = did_you_mean(unknown, _FORMATS) if unknown and not given else f"Give one of {', '.join(_FORMATS)}."
        raise InvalidInput(f"The request has {len(given)} of the formats that there are.", hint=hint)
    if asked.get("params"):
        raise InvalidInput("The model takes no params.", hint="Leave them out.")
    value = asked[given[0]]
    if given[0] == "dataframe_split":
        return _split(value)
    if given[0] == "dataframe_records":
        return _records(value, "dataframe_records")
    return _tensors(value, given[0], names)


def invocation_response(outcome: Outcome) -> bytes:
    """The answer: what the model predicts, row by row."""
    return to_json({"predictions": outcome.column("prediction")})


def invocation_error(message: str) -> dict[str, str]:
    """An error in MLflow's form."""
    return {"error_code": "BAD_REQUEST", "message": message}


def _split(value: Any) -> Columns:
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("columns"), list)
        or not isinstance(value.get("data"), list)
    ):
        raise InvalidInput("dataframe_split holds no `columns` and `data`.", hint="Write it as pandas' orient='split'.")
    names, rows = [str(name) for name in value["columns"]], value["data"]
    if len(set(names)) < len(names):
        raise InvalidInput("dataframe_split names a column twice.")
    return _by_place(rows, names, "dataframe_split")


def _by_place(rows: list[Any], names: Sequence[str], what: str) -> Columns:
    for place, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            raise InvalidInput(f"Row {place} of {what} is no list of {len(names)} values.")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _records(value: Any, what: str) -> Columns:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise InvalidInput(f"{what} is no list of objects.", hint="Write it as pandas' orient='records'.")
    names = dict.fromkeys(name for row in value for name in row)
    return {name: [row.get(name) for row in value] for name in names}


def _tensors(value: Any, what: str, names: Sequence[str]) -> Columns:
    if isinstance(value, dict):
        columns = {name: found if isinstance(found, list) else [found] for name, found in value.items()}
        return {name: [_single(each) for each in found] for name, found in columns.items()}
    if not isinstance(value, list):
        raise InvalidInput(f"{what} is neither a list nor an object.")
    if value and all(isinstance(row, dict) for row in value):
        return _records(value, what)
    if value and not any(isinstance(row, list) for row in value) and len(names) == 1:
        return {names[0]: value}
    return _by_place(value, names, what)


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _csv(body: bytes) -> Columns:
    import pyarrow as pa
    import pyarrow.csv as csv

    if not body.strip():
        raise InvalidInput("The CSV is empty.", hint="Begin it with the names of the columns.")
    try:
        # A name that is no UTF-8 is only found out as it is read.
        columns: Mapping[str, list[Any]] = csv.read_csv(pa.BufferReader(body)).to_pydict()
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        first = str(error).partition("\n")[0]
        raise InvalidInput(
            f"The CSV cannot be read: {first}", hint="Begin it with the names of the columns."
        ) from error
    return dict(columns)
