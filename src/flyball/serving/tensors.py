"""One input of the Open Inference Protocol, whatever way it came: as JSON, in binary, or as one matrix of all columns."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flyball.errors import InvalidInput, did_you_mean
from flyball.schema import ColumnType
from flyball.serving.matrix import STORAGE

DATATYPES: dict[str, ColumnType] = {
    "BOOL": "bool", "INT8": "int", "INT16": "int", "INT32": "int", "INT64": "int", "UINT8": "int", "UINT16": "int",
    "UINT32": "int", "UINT64": "int", "FP16": "float", "FP32": "float", "FP64": "float", "BYTES": "string",
}  # fmt: skip
"""Datatypes of the Open Inference Protocol and what they mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One input."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


def with_binary(tensors: Sequence[Tensor], binary: memoryview | None) -> list[Tensor]:
    """The tensors, each with its values, those that came in binary after the JSON too.

    Raises:
        InvalidInput: sizes, datatypes and what came do not go together.
    """
    start, made = 0, []
    for tensor in tensors:
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            made.append(tensor)
            continue
        if tensor.data is not None:
            raise InvalidInput(f"Input '{tensor.name}' has data both in JSON and in binary.", hint="Give one of them.")
        if binary is None or type(size) is not int or not 0 <= size <= len(binary) - start:
            there = 0 if binary is None else len(binary) - start
            raise InvalidInput(f"Input '{tensor.name}' has the binary size {size!r}; {there} bytes are left.")
        made.append(replace(tensor, data=_unpacked(tensor, bytes(binary[start : start + size]))))
        start += size
    if binary is not None and start != len(binary):
        raise InvalidInput(f"{len(binary) - start} bytes are left after all tensors.", hint="Correct the sizes.")
    return made


def split_matrix(tensors: list[Tensor], names: Sequence[str]) -> list[Tensor]:
    """One tensor for each column, of the one that holds all of them side by side; others as they are.

    Raises:
        InvalidInput: its shape does not fit its data.
    """
    if len(tensors) != 1 or len(tensors[0].shape) != 2:
        return tensors
    (tensor,) = tensors
    rows, width = tensor.shape
    if width != len(names) or rows < 0 or tensor.data is None or (width == 1 and tensor.name in names):
        return tensors
    data = tensor.data
    if data and all(isinstance(row, list) for row in data):
        if any(len(row) != width for row in data):
            raise InvalidInput(f"Input '{tensor.name}' has the shape {tensor.shape} and rows of other lengths.")
        data = [value for row in data for value in row]
    if len(data) != rows * width:
        raise InvalidInput(f"Input '{tensor.name}' has the shape {tensor.shape} and {len(data)} values.")
    return [
        Tensor(name=name, shape=[rows], datatype=tensor.datatype, data=data[place::width])
        for place, name in enumerate(names)
    ]


def _unpacked(tensor: Tensor, packed: bytes) -> list[Any]:
    import numpy as np

    if tensor.datatype == "BYTES":
        return _texts(tensor.name, packed)
    kind = STORAGE.get(tensor.datatype)
    if kind is None:
        hint = did_you_mean(tensor.datatype, DATATYPES)
        raise InvalidInput(f"Input '{tensor.name}' has the datatype '{tensor.datatype}'.", hint=hint)
    if len(packed) % np.dtype(kind).itemsize:
        raise InvalidInput(
            f"Input '{tensor.name}' has {len(packed)} bytes, no whole number of {tensor.datatype} values."
        )
    values: list[Any] = np.frombuffer(packed, kind).tolist()
    return values


def _texts(name: str, packed: bytes) -> list[str]:
    texts, start = [], 0
    while start < len(packed):
        if start + 4 > len(packed):
            raise InvalidInput(f"Input '{name}' ends within the length of a text.")
        (size,) = struct.unpack_from("<I", packed, start)
        start += 4 + size
        if start > len(packed):
            raise InvalidInput(f"Input '{name}' ends within a text.")
        try:
            texts.append(packed[start - size : start].decode())
        except UnicodeDecodeError as error:
            raise InvalidInput(f"Input '{name}' holds a text that is no UTF-8.") from error
    return texts
