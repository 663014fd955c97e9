"""What `/predict` answers: one object for each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flyball.serialization import to_json
from flyball.serving.endpoint import Outcome
from flyball.serving.runtime import Runtime


def friendly_response(runtime: Runtime, outcome: Outcome, ids: Sequence[str]) -> bytes:
    """The body of an answer."""
    columns = [ids, *(outcome.column(name) for name in outcome.columns), outcome.versions]
    keys = ("id", *outcome.columns, "version")
    rows = [dict(zip(keys, values, strict=True)) for values in zip(*columns, strict=True)]
    manifest, champion = runtime.manifest, runtime.champion
    body: dict[str, Any] = {"deployment": manifest.deployment, "model": champion.model, "version": champion.version}
    return to_json({**body, "generation": manifest.generation, "predictions": rows})


def describe(runtime: Runtime) -> dict[str, Any]:
    """What a request must look like, with one that works."""
    row = runtime.inputs.to_json_schema()
    example = runtime.models[runtime.champion.package.id].example
    rows = [] if example is None else example.slice(0, 1).to_pylist()
    schema = {"type": "object", "properties": {"rows": {"type": "array", "items": row}}, "required": ["rows"]}
    head = {"deployment": runtime.manifest.deployment, "model": runtime.champion.model}
    return {**head, "version": runtime.champion.version, "request": schema, "example": {"rows": rows}}
