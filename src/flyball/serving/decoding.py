"""Reads requests into Arrow tables: named columns, rows, and the tensors of the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flyball.clock import Clock, parse_time
from flyball.errors import InvalidInput, did_you_mean
from flyball.refs import new_id
from flyball.schema import Column, Schema
from flyball.serving.runtime import Runtime
from flyball.serving.tensors import DATATYPES, Tensor, split_matrix, with_binary

if TYPE_CHECKING:
    import pyarrow as pa

_STORAGE = {"bool": "bool", "int": "int64", "float": "double", "string": "string"}
_LONGEST_ID = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictRequest:
    """Body of `POST /predict/{deployment}`.

    Attributes:
        rows: One object of column values for each prediction.
        columns: The same by column, which is faster to read; instead of `rows`.
        ids: A name for each prediction; made up if not given.
        time: When it is asked, ISO 8601; the server's time if not given.
        request_id: Kept in the prediction log.
    """

    rows: list[dict[str, Any]] | None = None
    columns: dict[str, list[Any]] | None = None
    ids: list[str] | None = None
    time: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedOutput:
    """One output that is asked for."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InferRequest:
    """Body of an infer call of the Open Inference Protocol."""

    inputs: list[Tensor]
    id: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    outputs: list[WantedOutput] | None = None


def table_of_request(request: PredictRequest, runtime: Runtime) -> pa.Table:
    """The table of a friendly request.

    Raises:
        InvalidInput: a column is unknown or missing, columns differ in length, or values are of no one type.
    """
    if (request.rows is None) == (request.columns is None):
        raise InvalidInput("The request has neither `rows` nor `columns`, or both.", hint="Give one of them.")
    if request.columns is not None:
        return table_of_columns(request.columns, runtime)
    return table_of_columns(_columns_of(request.rows or [], runtime), runtime)


def table_of_tensors(tensors: Sequence[Tensor], runtime: Runtime, binary: memoryview | None = None) -> pa.Table:
    """The table whose columns are the tensors, or those of the one tensor that holds all columns.

    Args:
        binary: What follows the JSON, in a request with binary tensors.

    Raises:
        InvalidInput: a tensor is unknown, or its shape, datatype or data are wrong.
    """
    columns: dict[str, Sequence[Any]] = {}
    pieces = split_matrix(with_binary(tensors, binary), runtime.signature_of(runtime.champion).names)
    for tensor in pieces:
        if tensor.name in columns:
            raise InvalidInput(f"Input '{tensor.name}' is given twice.")
        columns[tensor.name] = _values(tensor)
    table = table_of_columns(columns, runtime)
    for tensor in pieces:
        _check_declared(tensor, table)
    return table


def prediction_ids(given: object, count: int) -> list[str]:
    """The ids of the predictions: as given, or new ones.

    Raises:
        InvalidInput: what was given is no list of as many different texts.
    """
    if given is None:
        base = new_id()
        return [base] if count == 1 else [f"{base}-{place}" for place in range(count)]
    if isinstance(given, str) and count == 1:
        given = [given]
    if not isinstance(given, list) or len(given) != count:
        raise InvalidInput(f"There are {count} rows, so there must be {count} ids.", hint="Give one id a row, or none.")
    if not all(isinstance(name, str) and 0 < len(name) <= _LONGEST_ID for name in given):
        raise InvalidInput("An id is empty, too long or no text.", hint=f"Give texts of 1 to {_LONGEST_ID} characters.")
    if len(set(given)) < count:
        raise InvalidInput("Two predictions have the same id.", hint="Give each one its own.")
    return given


def moment(given: object, clock: Clock) -> datetime:
    """When it is asked: as given, or now.

    Raises:
        InvalidInput: what was given is no time.
    """
    if given is None or given == "":
        return clock.now()
    if not isinstance(given, str):
        raise InvalidInput(f"{given!r} is not a time.", hint="Write it as 2013-03-01T12:00:00Z.")
    return parse_time(given)


def _columns_of(rows: Sequence[Mapping[str, Any]], runtime: Runtime) -> dict[str, list[Any]]:
    known = set(runtime.inputs.names)
    needed = {column.name for column in runtime.signature_of(runtime.champion).columns if not column.nullable}
    needed -= runtime.lookup.outputs(runtime.champion)
    if runtime.manifest.key:
        known.add(runtime.manifest.key)
        needed.add(runtime.manifest.key)
    for row in rows:
        if not row.keys() <= known:
            _refuse_unknown(row, runtime)
    columns = {}
    for name in known:
        try:
            columns[name] = [row[name] for row in rows]
        except KeyError:
            if name in needed:
                place = next(place for place, row in enumerate(rows) if name not in row)
                raise InvalidInput(f"Row {place} has no '{name}', which is needed.", column=name) from None
            columns[name] = [row.get(name) for row in rows]
    return columns


def table_of_columns(columns: Mapping[str, Sequence[Any]], runtime: Runtime) -> pa.Table:
    """The table of columns of values by name.

    Raises:
        InvalidInput: a column is unknown, columns differ in length, or values are of no one type.
    """
    import pyarrow as pa

    _refuse_unknown(columns, runtime)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidInput(f"The columns have different lengths: {lengths}.")
    arrays = {}
    for name, values in columns.items():
        try:
            arrays[name] = pa.array(values)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError, TypeError, ValueError) as error:
            raise InvalidInput(f"The values of '{name}' are of no one type: {error}.", column=name) from error
    return pa.table(arrays)


def _refuse_unknown(names: Mapping[str, Any], runtime: Runtime) -> None:
    known = {*runtime.inputs.names, *([runtime.manifest.key] if runtime.manifest.key else [])}
    for name in names:
        if name not in known:
            left = known - set(names)
            raise InvalidInput(
                f"There is no column {name[:80]!r}.", hint=did_you_mean(name, left or known), column=name[:80]
            )


def _values(tensor: Tensor) -> Sequence[Any]:
    if tensor.datatype not in DATATYPES:
        raise InvalidInput(
            f"Input '{tensor.name}' has the datatype '{tensor.datatype}'.",
            hint=did_you_mean(tensor.datatype, DATATYPES),
        )
    if tensor.data is None:
        raise InvalidInput(f"Input '{tensor.name}' has no data.", hint="Give its values as JSON, or in binary.")
    shape = tensor.shape
    if len(shape) not in (1, 2) or shape[0] < 0 or shape[1:] not in ([], [1]):
        raise InvalidInput(f"Input '{tensor.name}' has the shape {shape}.", hint="Give [n] or [n, 1], one value a row.")
    data = tensor.data
    if len(shape) == 2 and data and all(isinstance(value, list) and len(value) == 1 for value in data):
        data = [value[0] for value in data]
    if len(data) != shape[0]:
        raise InvalidInput(f"Input '{tensor.name}' has the shape {shape} and {len(data)} values.")
    return data


def _check_declared(tensor: Tensor, table: pa.Table) -> None:
    from flyball.models.signature import conform

    kind = DATATYPES[tensor.datatype]
    declared = Schema(columns=(Column(name=tensor.name, type=kind, storage=_STORAGE[kind]),))
    try:
        conform(table, declared)
    except InvalidInput as error:
        raise InvalidInput(f"Input '{tensor.name}' is not {tensor.datatype}: {error.message}") from error
