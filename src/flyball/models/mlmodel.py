"""What an `MLmodel`, the text that makes a folder a model of MLflow's, says; and what it says of a model of ours.

The control plane reads the text alone; nothing here loads a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from flyball.errors import InvalidInput, MissingExtra
from flyball.models.environment import Environment
from flyball.models.signature import Signature, Task
from flyball.schema import Column, ColumnType, Schema
from flyball.serialization import to_json

MLMODEL = "MLmodel"
_LARGEST = 4_000_000
_MOST_COLUMNS = 10_000
# MLflow's types, and NumPy's, as ours. Widths are those that every source of rows can be brought to.
_TYPES: dict[str, tuple[ColumnType, str]] = {
    "boolean": ("bool", "bool"), "bool": ("bool", "bool"),
    "integer": ("int", "int64"), "long": ("int", "int64"),
    "float": ("float", "double"), "double": ("float", "double"),
    "string": ("string", "string"), "str": ("string", "string"), "object": ("string", "string"),
    "binary": ("binary", "binary"), "bytes": ("binary", "binary"),
    "datetime": ("timestamp", "timestamp[us, tz=UTC]"),
}  # fmt: skip
_THEIRS = {"bool": "boolean", "int": "long", "float": "double", "decimal": "double", "string": "string"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MLmodel:
    """What an `MLmodel` says.

    Attributes:
        flavors: Settings of each flavor that the model can be read as.
        inputs: What the signature says of its inputs; None if there is none.
    """

    flavors: dict[str, dict[str, Any]]
    inputs: list[dict[str, Any]] | None = None
    outputs: list[dict[str, Any]] | None = None
    mlflow_version: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def parse(data: bytes) -> MLmodel:
    """Reads the text of an `MLmodel`.

    Raises:
        InvalidInput: it is none.
        MissingExtra: the library that reads YAML is not installed.
    """
    if len(data) > _LARGEST:
        raise InvalidInput(f"The MLmodel has {len(data):,} bytes.", hint="It is a short text; is this another file?")
    found = _yaml(data)
    if not isinstance(found, dict) or not isinstance(found.get("flavors"), dict) or not found["flavors"]:
        raise InvalidInput("The MLmodel names no flavor.", hint="It is written by mlflow's save_model and log_model.")
    signature = found.get("signature")
    signature = signature if isinstance(signature, dict) else {}
    return MLmodel(
        flavors={
            str(name): settings if isinstance(settings, dict) else {} for name, settings in found["flavors"].items()
        },
        inputs=_columns_said(signature.get("inputs")),
        outputs=_columns_said(signature.get("outputs")),
        mlflow_version=str(found.get("mlflow_version") or ""),
        facts=found,
    )


def signature_of(said: MLmodel) -> Signature:
    """What the model takes and gives, in our words; without inputs where it does not say."""
    inputs = _inputs(said.inputs or [])
    prediction = _prediction(said.outputs or [])
    task: Task = "classification" if prediction.type in ("string", "bool") else "other"
    return Signature(task=task, inputs=Schema(columns=tuple(inputs)), outputs=Schema(columns=(prediction,)))


def environment_of(said: MLmodel, requirements: str) -> Environment:
    """Where the model was made, as far as it says."""
    python = str(said.flavors.get("python_function", {}).get("python_version") or "")
    packages = {}
    for line in requirements.splitlines():
        found = re.fullmatch(r"\s*([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*==\s*([^\s;#]+).*", line)
        if found:
            packages[re.sub(r"[-_.]+", "-", found[1]).lower()] = found[2]
    return Environment(python=python, platform="", packages=dict(sorted(packages.items())))


def written(
    signature: Signature, flavors: Mapping[str, Mapping[str, Any]], *, created: str, size: int, identity: str
) -> bytes:
    """The text of an `MLmodel` for a model of ours. It is JSON, which is YAML too.

    Args:
        flavors: How MLflow is to read it.
        identity: Tells the model from others.
    """
    told: dict[str, Any] = {
        "flavors": flavors, "mlflow_version": "3.0.0", "model_size_bytes": size, "model_uuid": identity,
        "utc_time_created": created,
    }  # fmt: skip
    inputs = _columns_told(signature.inputs)
    if inputs:
        outputs = _columns_told(Schema(columns=signature.outputs.columns[:1]), tensor=True) or []
        told["signature"] = {
            "inputs": to_json(inputs).decode(),
            "outputs": to_json(outputs).decode() if outputs else None,
            "params": None,
        }
    return msgspec.json.format(to_json(told), indent=2)


def requirements_of(environment: Environment, distributions: Iterable[str]) -> str:
    """Lines of a requirements file: these distributions in the versions that the model was made with."""
    known = environment.packages
    return "".join(f"{name}=={known[name]}\n" for name in distributions if name in known)


def _yaml(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return msgspec.yaml.decode(data)
    except ImportError as error:
        raise MissingExtra("Reading an MLmodel needs PyYAML.", hint="pip install 'flyball[mlflow]'") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, TypeError) as error:
        raise InvalidInput(f"The MLmodel cannot be read: {str(error)[:200]}.") from error


def _columns_said(text: Any) -> list[dict[str, Any]] | None:
    if not isinstance(text, str):
        return None
    try:
        found = msgspec.json.decode(text, type=list[dict[str, Any]])
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise InvalidInput(f"The signature in the MLmodel cannot be read: {str(error)[:200]}.") from error
    if len(found) > _MOST_COLUMNS:
        raise InvalidInput(
            f"The signature in the MLmodel has {len(found):,} columns, at most {_MOST_COLUMNS:,} are taken."
        )
    return found


def _inputs(said: list[dict[str, Any]]) -> list[Column]:
    """The columns that a model takes; none where rows are no plain columns."""
    if len(said) == 1 and said[0].get("type") == "tensor" and not said[0].get("name"):
        dtype, shape = _tensor(said[0])
        # A model that was fitted on a plain array takes its columns by their place.
        if len(shape) == 2 and 0 < shape[1] <= _MOST_COLUMNS and dtype in _TYPES:
            kind, storage = _TYPES[dtype]
            return [
                Column(name=f"x{place}", type=kind, nullable=kind == "float", storage=storage)
                for place in range(shape[1])
            ]
        return []
    found: list[Column] = []
    for place, column in enumerate(said):
        word = column.get("type")
        if word == "tensor":
            dtype, shape = _tensor(column)
            word = dtype if len(shape) == 1 or shape[1:] == [1] else ""
        if not isinstance(word, str) or word not in _TYPES:
            return []
        kind, storage = _TYPES[word]
        name = str(column.get("name", f"x{place}"))
        nullable = kind in ("float", "string", "timestamp") or not column.get("required", True)
        found.append(Column(name=name, type=kind, nullable=nullable, storage=storage))
    return found if len({column.name for column in found}) == len(found) else []


def _prediction(said: list[dict[str, Any]]) -> Column:
    word: Any = said[0].get("type") if said else ""
    if word == "tensor":
        dtype, shape = _tensor(said[0])
        word = dtype if len(shape) == 1 or shape[1:] == [1] else ""
    kind, storage = _TYPES.get(word, ("float", "double")) if isinstance(word, str) else ("float", "double")
    return Column(name="prediction", type=kind, nullable=False, storage=storage)


def _tensor(said: dict[str, Any]) -> tuple[str, list[int]]:
    """A tensor's type as one of `_TYPES`, or its own name, and its shape."""
    spec = said.get("tensor-spec")
    spec = spec if isinstance(spec, dict) else {}
    dtype, shape = str(spec.get("dtype", "")), spec.get("shape")
    sizes = [size for size in shape if isinstance(size, int)] if isinstance(shape, list) else []
    for start, name in (
        ("float", "double"),
        ("int", "long"),
        ("uint", "long"),
        ("str", "string"),
        ("datetime64", "datetime"),
    ):
        if dtype.startswith(start):
            dtype = name
    return dtype, sizes


def _columns_told(schema: Schema, *, tensor: bool = False) -> list[dict[str, Any]] | None:
    """A schema in MLflow's words; None where it has none for a column."""
    told: list[dict[str, Any]] = []
    for column in schema.columns:
        word = "datetime" if column.type in ("timestamp", "date") else _THEIRS.get(column.type)
        if word is None:
            return None
        if tensor:
            dtype = {
                "boolean": "bool",
                "long": "int64",
                "double": "float64",
                "string": "str",
                "datetime": "datetime64[ns]",
            }
            told.append({"type": "tensor", "tensor-spec": {"dtype": dtype[word], "shape": [-1]}})
        else:
            told.append({"type": word, "name": column.name, "required": True})
    return told
