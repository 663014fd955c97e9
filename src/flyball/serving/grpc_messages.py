"""Messages of the Open Inference Protocol over gRPC.

Source of the numbers: the protocol's public specification, `open_inference_grpc.proto`, and of the repository's index and the
stream, which it lacks, Triton's.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flyball.errors import InvalidInput
from flyball.serving import protobuf as pb
from flyball.serving.decoding import InferRequest, WantedOutput
from flyball.serving.open_inference import in_bytes
from flyball.serving.tensors import Tensor

_CONTENTS = {1: "bool", 2: "int32", 3: "int64", 4: "uint32", 5: "uint64", 6: "<f", 7: "<d", 8: "bytes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcInfer:
    """An infer call.

    Attributes:
        raw: The values of all inputs, one after the other, where they came so; the answer's then go out so, too.
    """

    name: str
    version: str
    request: InferRequest
    raw: bytes | None


def read_infer(data: bytes) -> GrpcInfer:
    """The call that a message asks for.

    Raises:
        InvalidInput: it is none.
    """
    texts = {1: "", 2: "", 3: ""}
    parameters: dict[str, Any] = {}
    inputs: list[Tensor] = []
    outputs: list[WantedOutput] = []
    raw: list[bytes] = []
    for number, value in pb.fields(data):
        if number in texts:
            texts[number] = pb.text(value)
        elif number == 4:
            parameters.update(_parameter(value))
        elif number == 5:
            inputs.append(_input(value))
        elif number == 6:
            outputs.append(_wanted(value))
        elif number == 7:
            raw.append(pb.octets(value))
    if raw:
        inputs = _with_sizes(inputs, raw)
    ids = parameters.get("prediction_ids")
    if isinstance(ids, str):  # a parameter holds no list
        parameters["prediction_ids"] = ids.split(",")
    request = InferRequest(inputs=inputs, id=texts[3], parameters=parameters, outputs=outputs or None)
    return GrpcInfer(name=texts[1], version=texts[2], request=request, raw=b"".join(raw) if raw else None)


def read_name(data: bytes) -> tuple[str, str]:
    """Name and version of the model that a message asks for."""
    found = {1: "", 2: ""}
    for number, value in pb.fields(data):
        if number in found:
            found[number] = pb.text(value)
    return found[1], found[2]


def infer_message(name: str, version: str, id: str, tensors: Mapping[str, Mapping[str, Any]], *, in_raw: bool) -> bytes:
    """The answer to an infer call.

    Args:
        in_raw: Whether values stand in one piece of bytes for each tensor.
    """
    parts = [pb.text_field(1, name), pb.text_field(2, version), pb.text_field(3, id)]
    for tensor in tensors.values():
        head = pb.bytes_field(1, tensor["name"]) + pb.bytes_field(2, tensor["datatype"])
        head += pb.numbers_field(3, tensor["shape"])
        parts.append(pb.bytes_field(5, head if in_raw else head + pb.bytes_field(5, _contents(tensor))))
    if in_raw:
        parts += [pb.bytes_field(6, in_bytes(tensor, tensor["data"])) for tensor in tensors.values()]
    return b"".join(parts)


def model_message(found: Mapping[str, Any]) -> bytes:
    """What there is to say about a model."""
    parts = [pb.text_field(1, found["name"]), *(pb.bytes_field(2, version) for version in found["versions"])]
    parts.append(pb.text_field(3, found["platform"]))
    for number, tensors in ((4, found["inputs"]), (5, found["outputs"])):
        for each in tensors:
            body = pb.bytes_field(1, each["name"]) + pb.bytes_field(2, each["datatype"])
            parts.append(pb.bytes_field(number, body + pb.numbers_field(3, each["shape"])))
    return b"".join(parts)


def server_message(found: Mapping[str, Any]) -> bytes:
    """What there is to say about the server."""
    extensions = b"".join(pb.bytes_field(3, name) for name in found["extensions"])
    return pb.text_field(1, found["name"]) + pb.text_field(2, found["version"]) + extensions


def index_message(found: Sequence[Mapping[str, str]]) -> bytes:
    """The index of models."""
    names = ("name", "version", "state", "reason")
    return b"".join(
        pb.bytes_field(1, b"".join(pb.text_field(number, each[name]) for number, name in enumerate(names, start=1)))
        for each in found
    )


def streamed_message(error: str, answer: bytes) -> bytes:
    """One answer of a stream."""
    return pb.text_field(1, error) + (b"" if error else pb.bytes_field(2, answer))


def _parameter(entry: bytes) -> dict[str, Any]:
    name, found = "", None
    for number, value in pb.fields(entry):
        if number == 1:
            name = pb.text(value)
        elif number == 2:
            for kind, inner in pb.fields(value):
                found = _one_of(kind, inner)
    return {name: found}


def _one_of(kind: int, value: Any) -> Any:
    if kind in (1, 2):
        number = pb.whole(value)
        return number if kind == 2 else bool(number)
    if kind == 4:
        data = pb.octets(value)
        return struct.unpack("<d", data)[0] if len(data) == 8 else None
    return pb.text(value) if kind == 3 else value


def _input(data: bytes) -> Tensor:
    name = datatype = ""
    shape: list[int] = []
    parameters: dict[str, Any] = {}
    values: list[Any] | None = None
    for number, value in pb.fields(data):
        if number == 1:
            name = pb.text(value)
        elif number == 2:
            datatype = pb.text(value)
        elif number == 3:
            shape += [pb.signed(each) for each in pb.varints(value)]
        elif number == 4:
            parameters.update(_parameter(value))
        elif number == 5:
            values = [each for field, inner in pb.fields(value) for each in _values(field, inner)]
    parameters.pop("binary_data_size", None)  # it belongs to HTTP
    return Tensor(name=name, shape=shape, datatype=datatype, data=values, parameters=parameters)


def _values(field: int, value: Any) -> list[Any]:
    kind = _CONTENTS.get(field)
    if kind == "bytes":
        return [pb.text(value)]
    if kind in ("<f", "<d"):
        data = pb.octets(value)
        if len(data) % struct.calcsize(kind):
            raise InvalidInput("A tensor ends within a number.")
        return [each for (each,) in struct.iter_unpack(kind, data)]
    numbers = pb.varints(value)
    if kind == "bool":
        return [bool(each) for each in numbers]
    return [pb.signed(each) for each in numbers] if kind in ("int32", "int64") else numbers


def _wanted(data: bytes) -> WantedOutput:
    name = ""
    for number, value in pb.fields(data):
        if number == 1:
            name = pb.text(value)
    return WantedOutput(name=name)


def _with_sizes(inputs: list[Tensor], raw: list[bytes]) -> list[Tensor]:
    if len(inputs) != len(raw):
        raise InvalidInput(f"There are {len(inputs)} inputs and {len(raw)} raw contents.", hint="Give one for each.")
    return [
        Tensor(
            name=tensor.name, shape=tensor.shape, datatype=tensor.datatype, data=tensor.data,
            parameters={**tensor.parameters, "binary_data_size": len(part)},
        )
        for tensor, part in zip(inputs, raw, strict=True)
    ]  # fmt: skip


def _contents(tensor: Mapping[str, Any]) -> bytes:
    values = list(tensor["data"])
    if tensor["datatype"] == "BYTES":
        return b"".join(pb.bytes_field(8, value or "") for value in values)
    if tensor["datatype"] == "FP64":
        return pb.floats_field(7, (float("nan") if value is None else value for value in values))
    return pb.numbers_field(1 if tensor["datatype"] == "BOOL" else 3, (int(value or 0) for value in values))
