"""The Open Inference Protocol v2: what its answers look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flyball.errors import InvalidInput, did_you_mean
from flyball.schema import Column
from flyball.serving.decoding import WantedOutput
from flyball.serving.runtime import Answer, Runtime
from flyball.version import __version__

_DATATYPES = {"bool": "BOOL", "int": "INT64", "float": "FP64", "decimal": "FP64"}
_EXTRA = (
    {"name": "prediction_id", "datatype": "BYTES", "shape": [-1]},
    {"name": "version", "datatype": "INT64", "shape": [-1]},
)


def server_metadata() -> dict[str, Any]:
    """The server."""
    return {"name": "flyball", "version": __version__, "extensions": []}


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


def infer_response(
    runtime: Runtime, answer: Answer, ids: Sequence[str], *, request_id: str, outputs: Sequence[WantedOutput] | None
) -> dict[str, Any]:
    """The answer as tensors; `prediction_id` and `version` stand beside what the model gives.

    Raises:
        InvalidInput: an output is asked for that there is not.
    """
    versions = answer.versions()
    tensors = {}
    for name in ("prediction", "probability", "probabilities"):
        values = answer.column(name)
        if values is not None:
            tensors[name] = _output(name, values)
    tensors["prediction_id"] = {"name": "prediction_id", "datatype": "BYTES", "shape": [len(ids)], "data": list(ids)}
    tensors["version"] = {"name": "version", "datatype": "INT64", "shape": [len(ids)], "data": versions}
    if outputs:
        for output in outputs:
            if output.name not in tensors:
                raise InvalidInput(f"There is no output '{output.name}'.", hint=did_you_mean(output.name, tensors))
        tensors = {output.name: tensors[output.name] for output in outputs}
    version = versions[0] if versions and len(set(versions)) == 1 else runtime.champion.version
    response: dict[str, Any] = {"model_name": runtime.manifest.deployment, "model_version": str(version)}
    if request_id:
        response["id"] = request_id
    return {**response, "outputs": list(tensors.values())}


def _tensor(column: Column, classes: int) -> dict[str, Any]:
    if column.type == "list":
        return {"name": column.name, "datatype": "FP64", "shape": [-1, classes]}
    return {"name": column.name, "datatype": _DATATYPES.get(column.type, "BYTES"), "shape": [-1]}


def _output(name: str, values: list[Any]) -> dict[str, Any]:
    if name == "probabilities":
        width = max((len(row) for row in values if row is not None), default=0)
        flat = [value for row in values for value in (row if row is not None else [None] * width)]
        return {"name": name, "datatype": "FP64", "shape": [len(values), width], "data": flat}
    kinds = {type(value) for value in values if value is not None}
    for kind, datatype in ((bool, "BOOL"), (int, "INT64")):
        if kinds == {kind}:
            return {"name": name, "datatype": datatype, "shape": [len(values)], "data": values}
    if kinds <= {int, float} and (kinds or name == "probability"):
        return {"name": name, "datatype": "FP64", "shape": [len(values)], "data": values}
    texts = [value if value is None else str(value) for value in values]
    return {"name": name, "datatype": "BYTES", "shape": [len(values)], "data": texts}
