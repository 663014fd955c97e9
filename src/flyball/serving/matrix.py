"""Reads requests for models that take only numbers straight into a matrix.

What is not read here, for whatever reason, is read by `decoding`, which also words what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from flyball.schema import Schema

if TYPE_CHECKING:
    import numpy as np

_WHOLE = frozenset({"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})
_FLOATS = frozenset({"FP16", "FP32", "FP64"})
_NUMBERS = _WHOLE | _FLOATS
_LARGEST = 2.0**53  # above it a float does not hold every whole number
STORAGE = {
    "BOOL": "?", "INT8": "<i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "<u1", "UINT16": "<u2",
    "UINT32": "<u4", "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
"""How binary tensors lie in a body, as numpy calls it."""


class _Wanted(msgspec.Struct, gc=False):
    name: str
    parameters: dict[str, Any] = {}


class _Flat(msgspec.Struct, gc=False):
    name: str
    shape: list[int]
    datatype: str
    data: list[float | None] = []
    parameters: dict[str, Any] = {}


class _Nested(msgspec.Struct, gc=False):
    name: str
    shape: list[int]
    datatype: str
    data: list[list[float | None]] = []
    parameters: dict[str, Any] = {}


class _FlatRequest(msgspec.Struct):
    inputs: list[_Flat]
    id: str = ""
    parameters: dict[str, Any] = {}
    outputs: list[_Wanted] | None = None


class _NestedRequest(msgspec.Struct):
    inputs: list[_Nested]
    id: str = ""
    parameters: dict[str, Any] = {}
    outputs: list[_Wanted] | None = None


_read_flat = msgspec.json.Decoder(_FlatRequest).decode
_read_nested = msgspec.json.Decoder(_NestedRequest).decode


@dataclass(slots=True)
class MatrixRequest:
    """A request that was read.

    Attributes:
        rows: Shape (rows, columns), float64, in the order of the runtime's inputs.
        ids: Names of the predictions as given; None for new ones.
        time: When it is asked as given.
        outputs: Of the Open Inference Protocol: what is asked for, and whether in binary.
    """

    rows: np.ndarray[Any, Any]
    id: str
    ids: Any = None
    time: Any = None
    parameters: Mapping[str, Any] | None = None
    outputs: Sequence[_Wanted] | None = None


class MatrixReader:
    """Reads requests of one generation.

    Args:
        inputs: The columns that it takes: numbers and booleans only.
        orders: Names of the columns in the order of each arm, by revision.
        key: Column by which predictions are routed; empty for none.
    """

    def __init__(self, inputs: Schema, orders: Mapping[str, Sequence[str]], *, key: str = "") -> None:
        import numpy as np

        self.inputs = inputs
        self._places = {name: place for place, name in enumerate(inputs.names)}
        self._whole = [place for place, column in enumerate(inputs.columns) if column.type == "int"]
        self._booleans = {place for place, column in enumerate(inputs.columns) if column.type == "bool"}
        self._orders = {
            revision: None if tuple(names) == inputs.names else [self._places[name] for name in names]
            for revision, names in orders.items()
        }
        self._key = self._places[key] if key else -1
        self._rows = self._row_reader()
        self._array = np.array  # to import a module within a function takes as long as to read a row

    def of_arm(self, arm: Any, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The rows with the columns in the order of an arm."""
        order = self._orders[arm.revision]
        return rows if order is None else rows[:, order]

    def keys(self, rows: np.ndarray[Any, Any]) -> list[Any]:
        """The values of the key column; None where one is missing."""
        kind = self.inputs.columns[self._key].type
        values = rows[:, self._key].tolist()
        if kind == "float":
            return [None if value != value else value for value in values]
        made: Callable[[float], object] = int if kind == "int" else bool
        return [None if value != value else made(value) for value in values]

    def tensors(self, body: bytes, binary: memoryview | None = None) -> MatrixRequest | None:
        """The matrix of an infer call of the Open Inference Protocol; None where it takes another reader.

        Args:
            body: Its JSON.
            binary: What follows the JSON, in a request with binary tensors.
        """
        try:
            asked = _read_nested(body) if _is_nested(body) else _read_flat(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        rows = self._single(asked.inputs)
        if rows is None:
            if binary is not None and _sizes(asked.inputs) != len(binary):
                return None
            rows = self._matrix(asked.inputs, binary)
        if rows is None or not len(rows) or (self._whole and not self._fits(rows)):
            return None
        given = asked.parameters
        return MatrixRequest(rows, asked.id, given.get("prediction_ids"), given.get("time"), given, asked.outputs)

    def rows(self, body: bytes) -> MatrixRequest | None:
        """The matrix of a friendly request; None where it takes another reader."""
        import numpy as np

        try:
            asked = self._rows(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if (asked.rows is None) == (asked.columns is None):
            return None
        if asked.columns is not None:
            rows = self._of_columns(asked.columns)
        else:
            rows = np.empty((len(asked.rows), len(self._places)))
            if asked.rows:
                rows[:, self._order] = [msgspec.structs.astuple(row) for row in asked.rows]
        if rows is None or not len(rows) or (self._whole and not self._fits(rows)):
            return None
        return MatrixRequest(rows, asked.request_id, asked.ids, asked.time or None)

    def _row_reader(self) -> Callable[[bytes], Any]:
        columns = self.inputs.columns
        kinds = [(bool if column.type == "bool" else float) for column in columns]
        fields: list[Any] = [
            (f"f{place}", kind | None, None) if column.nullable else (f"f{place}", kind | None)
            for place, (column, kind) in enumerate(zip(columns, kinds, strict=True))
        ]
        names = {f"f{place}": column.name for place, column in enumerate(columns)}
        row = msgspec.defstruct("Row", _needed_first(fields), rename=names, forbid_unknown_fields=True, gc=False)
        self._order = [int(field.name[1:]) for field in msgspec.structs.fields(row)]
        request = msgspec.defstruct(
            "Request",
            [
                ("rows", list[row] | None, None),  # type: ignore[valid-type]  # made of the signature
                ("columns", dict[str, list[float | None]] | None, None),
                ("ids", list[str] | None, None),
                ("time", str, ""),
                ("request_id", str, ""),
            ],
        )
        return msgspec.json.Decoder(request).decode

    def _single(self, tensors: Sequence[_Flat | _Nested]) -> np.ndarray[Any, Any] | None:
        """The numbers of what nearly everybody sends, one tensor of floats in JSON; None where it is anything else.

        The general way gives the same, and takes three times as long for a single row.
        """
        if len(tensors) != 1 or self._booleans:
            return None
        tensor = tensors[0]
        shape, data = tensor.shape, tensor.data
        width = len(self._places)
        if len(shape) != 2 or shape[1] != width or width < 2 or tensor.datatype not in _FLOATS or tensor.parameters:
            return None
        if type(tensor) is not _Flat or len(data) != shape[0] * width:
            return None
        values: np.ndarray[Any, Any] = self._array(data, "f8").reshape(shape)
        return values

    def _matrix(self, tensors: Sequence[_Flat | _Nested], binary: memoryview | None) -> np.ndarray[Any, Any] | None:
        import numpy as np

        if len(tensors) == 1 and len(tensors[0].shape) == 2 and tensors[0].shape[1] == len(self._places):
            tensor = tensors[0]
            if (
                tensor.datatype not in _NUMBERS
                or self._booleans
                or (len(self._places) == 1 and tensor.name not in self._places)
            ):
                return None
            values = _values(tensor, binary, 0)
            return values.reshape(tensor.shape) if values is not None and _is_filled(values, tensor.shape) else None
        if len(tensors) != len(self._places) or self._booleans:
            return None
        rows, start = None, 0
        for tensor in tensors:
            place = self._places.get(tensor.name)
            values = _values(tensor, binary, start)
            if place is None or values is None or tensor.datatype not in _NUMBERS:
                return None
            if tensor.shape not in ([values.size], [values.size, 1]) or not _is_flat_or(values, tensor.shape):
                return None
            rows = np.full((values.size, len(self._places)), np.nan) if rows is None else rows
            if values.size != len(rows):
                return None
            rows[:, place] = values.reshape(-1)
            start += tensor.parameters.get("binary_data_size", 0)
        return rows if len({tensor.name for tensor in tensors}) == len(tensors) else None

    def _of_columns(self, columns: Mapping[str, list[float | None]]) -> np.ndarray[Any, Any] | None:
        import numpy as np

        if columns.keys() != self._places.keys() or self._booleans:
            return None
        counts = {len(values) for values in columns.values()}
        if len(counts) != 1:
            return None
        rows = np.empty((counts.pop(), len(self._places)))
        for name, values in columns.items():
            rows[:, self._places[name]] = values
        return rows

    def _fits(self, rows: np.ndarray[Any, Any]) -> bool:
        import numpy as np

        whole = rows[:, self._whole]
        is_fine = (np.trunc(whole) == whole) & (np.abs(whole) < _LARGEST)
        return bool((is_fine | np.isnan(whole)).all())


def _needed_first(fields: list[Any]) -> list[Any]:
    # As in a signature of Python, what may be left out comes last.
    return sorted(fields, key=len)


def _sizes(tensors: Sequence[_Flat | _Nested]) -> int:
    sizes = [tensor.parameters.get("binary_data_size", 0) for tensor in tensors]
    return sum(size if isinstance(size, int) else -1 for size in sizes)


def _is_nested(body: bytes) -> bool:
    return b'"data":[[' in body or b'"data": [[' in body


def _values(tensor: _Flat | _Nested, binary: memoryview | None, start: int) -> np.ndarray[Any, Any] | None:
    """The numbers of a tensor; None where they are not of the type that it says they are."""
    import numpy as np

    size = tensor.parameters.get("binary_data_size") if tensor.parameters else None
    if size is not None:
        kind = STORAGE.get(tensor.datatype)
        is_there = binary is not None and isinstance(size, int) and 0 <= size <= len(binary) - start
        if kind is None or not is_there or size % np.dtype(kind).itemsize or tensor.data:
            return None
        assert binary is not None
        return np.frombuffer(binary[start : start + size], kind).astype(np.float64)
    try:
        values = np.array(tensor.data, np.float64)
    except ValueError:  # rows of different lengths
        return None
    if tensor.datatype in _WHOLE and not (np.trunc(values) == values).all():
        return None
    return values


def _is_filled(values: np.ndarray[Any, Any], shape: Sequence[int]) -> bool:
    if shape[0] < 0 or values.size != shape[0] * shape[1]:
        return False
    return _is_flat_or(values, shape)


def _is_flat_or(values: np.ndarray[Any, Any], shape: Sequence[int]) -> bool:
    return values.ndim == 1 or list(values.shape) == list(shape)
