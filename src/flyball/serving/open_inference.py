"""The Open Inference Protocol v2: what its answers look like."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from flyball.errors import InvalidInput, did_you_mean
from flyball.schema import Column
from flyball.serialization import to_json
from flyball.serving.endpoint import Endpoint, Outcome
from flyball.serving.matrix import STORAGE
from flyball.serving.runtime import Runtime
from flyball.version import __version__

if TYPE_CHECKING:
    import numpy as np

_DATATYPES = {"bool": "BOOL", "int": "INT64", "float": "FP64", "decimal": "FP64"}
_OF_ARRAYS = {"b": "BOOL", "i": "INT64", "u": "INT64", "f": "FP64"}
_EXTRA = (
    {"name": "prediction_id", "datatype": "BYTES", "shape": [-1]},
    {"name": "version", "datatype": "INT64", "shape": [-1]},
)


class Wanted(Protocol):
    """An output that is asked for."""

    @property
    def name(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, Any]: ...


def server_metadata() -> dict[str, Any]:
    """The server."""
    return {"name": "flyball", "version": __version__, "extensions": ["binary_tensor_data", "model_repository"]}


def model_metadata(runtime: Runtime) -> dict[str, Any]:
    """A deployment as a model of the protocol, with the versions it serves."""
    champion = runtime.models[runtime.champion.package.id]
    classes = len(champion.signature.classes)
    return {
        "name": runtime.manifest.deployment,
        "versions": [str(arm.version) for arm in runtime.manifest.arms],
        "platform": f"flyball_{champion.package.flavor}",
        "inputs": [_tensor(column, classes) for column in runtime.inputs.columns],
        "outputs": [*(_tensor(column, classes) for column in champion.signature.outputs.columns), *_EXTRA],
    }


def repository_index(endpoints: Iterable[Endpoint], *, only_ready: bool) -> list[dict[str, str]]:
    """All models with their versions, and why one cannot be asked."""
    found = []
    for endpoint in endpoints:
        runtime = endpoint.runtime
        if runtime is not None:
            versions = {str(arm.version): None for arm in runtime.manifest.arms}
            found += [{"name": endpoint.name, "version": v, "state": "READY", "reason": ""} for v in versions]
        elif not only_ready:
            found.append({"name": endpoint.name, "version": "", "state": "UNAVAILABLE", "reason": endpoint.error})
    return found


def infer_response(
    runtime: Runtime,
    outcome: Outcome,
    ids: Sequence[str],
    *,
    request_id: str,
    parameters: Mapping[str, Any] | None = None,
    outputs: Sequence[Wanted] | None = None,
) -> tuple[bytes, int | None]:
    """The answer as tensors; `prediction_id` and `version` stand beside what the model gives.

    Args:
        parameters: Of the request; `binary_data_output` asks for all tensors in binary.
        outputs: Which tensors are asked for; all where it says nothing.

    Returns:
        The body, and the length of its JSON where tensors follow it in binary.

    Raises:
        InvalidInput: an output is asked for that there is not.
    """
    version, tensors = answer_tensors(runtime, outcome, ids, outputs)
    in_binary = bool(parameters and parameters.get("binary_data_output"))
    binary = set(tensors) if in_binary else set()
    if outputs:
        binary = {each.name for each in outputs if each.parameters.get("binary_data", in_binary)}
    response: dict[str, Any] = {"model_name": runtime.manifest.deployment, "model_version": version}
    if request_id:
        response["id"] = request_id
    tails = []
    for name in binary and tensors:
        if name in binary:
            tails.append(in_bytes(tensors[name], tensors[name].pop("data")))
            tensors[name]["parameters"] = {"binary_data_size": len(tails[-1])}
    for tensor in tensors.values():
        if hasattr(tensor.get("data"), "tolist"):
            tensor["data"] = tensor["data"].tolist()
    response["outputs"] = list(tensors.values())
    head = to_json(response)
    return (head, None) if not binary else (b"".join((head, *tails)), len(head))


def answer_tensors(
    runtime: Runtime, outcome: Outcome, ids: Sequence[str], outputs: Sequence[Wanted] | None
) -> tuple[str, dict[str, dict[str, Any]]]:
    """The version that answered, and the tensors by name, each with `name`, `datatype`, `shape` and its `data`.

    Raises:
        InvalidInput: an output is asked for that there is not.
    """
    count, versions = len(ids), outcome.versions
    tensors = {name: _output(name, values) for name, values in outcome.columns.items()}
    tensors["prediction_id"] = {"name": "prediction_id", "datatype": "BYTES", "shape": [count], "data": ids}
    tensors["version"] = {"name": "version", "datatype": "INT64", "shape": [count], "data": versions}
    for output in outputs or ():
        if output.name not in tensors:
            raise InvalidInput(f"There is no output '{output.name[:80]}'.", hint=did_you_mean(output.name, tensors))
    if outputs:
        tensors = {output.name: tensors[output.name] for output in outputs}
    is_one = versions and versions.count(versions[0]) == count
    return str(versions[0] if is_one else runtime.champion.version), tensors


def in_bytes(tensor: Mapping[str, Any], values: Sequence[Any]) -> bytes:
    """Values of a tensor as the extension for binary tensors writes them; what is missing is NaN, or an empty text."""
    import numpy as np

    if tensor["datatype"] == "BYTES":
        return _packed([value or "" for value in values] if None in values else values)
    return np.array(values, STORAGE[tensor["datatype"]]).tobytes()


def _packed(texts: Sequence[str]) -> bytes:
    lengths = set(map(len, texts))
    if len(lengths) == 1:
        # Ids are all alike: one text of all of them is made a multiple faster than one by one.
        length = struct.pack("<I", lengths.pop()).decode("latin-1")
        whole = length + length.join(texts)
        if whole.isascii():
            return whole.encode()
    coded = [text.encode() for text in texts]
    return b"".join(part for text in coded for part in (struct.pack("<I", len(text)), text))


def _tensor(column: Column, classes: int) -> dict[str, Any]:
    if column.type == "list":
        return {"name": column.name, "datatype": "FP64", "shape": [-1, classes]}
    return {"name": column.name, "datatype": _DATATYPES.get(column.type, "BYTES"), "shape": [-1]}


def _output(name: str, values: list[Any] | np.ndarray[Any, Any]) -> dict[str, Any]:
    if not isinstance(values, list):
        datatype = _OF_ARRAYS.get(values.dtype.kind)
        if datatype is not None:
            # The values are made a list of only where they go out as JSON.
            return {"name": name, "datatype": datatype, "shape": list(values.shape), "data": values.reshape(-1)}
        values = values.tolist()
    if name == "probabilities":
        width = max((len(row) for row in values if row is not None), default=0)
        flat = [value for row in values for value in (row if row is not None else [None] * width)]
        return {"name": name, "datatype": "FP64", "shape": [len(values), width], "data": flat}
    kinds = {type(values[0])} if len(values) == 1 else set(map(type, values))
    kinds.discard(type(None))
    for kind, datatype in ((bool, "BOOL"), (int, "INT64")):
        if kinds == {kind}:
            return {"name": name, "datatype": datatype, "shape": [len(values)], "data": values}
    if kinds <= {int, float} and (kinds or name == "probability"):
        return {"name": name, "datatype": "FP64", "shape": [len(values)], "data": values}
    texts = [value if value is None else str(value) for value in values]
    return {"name": name, "datatype": "BYTES", "shape": [len(values)], "data": texts}
