"""The description of the HTTP API, OpenAPI 3.1, made from the verbs' type hints."""

from __future__ import annotations

from typing import Any

from flyball.serialization import json_schema
from flyball.verbs import Verb, verbs_of
from flyball.version import __version__
from flyball.workspace import SERVICES, service_class

_ERROR = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string"},
        "hint": {"type": "string"},
        "facts": {"type": "object"},
    },
}
_JSON = "application/json"


def describe_api() -> dict[str, Any]:
    """The OpenAPI document of all rooms' verbs."""
    verbs = [(room, verb) for room in SERVICES for verb in verbs_of(service_class(room)).values()]
    kinds = [kind for _, verb in verbs for kind in (*(p.kind for p in verb.parameters), verb.returns)]
    schemas, components = json_schema(kinds)
    left = iter(schemas)
    paths: dict[str, Any] = {}
    for room, verb in verbs:
        given = {parameter.name: next(left) for parameter in verb.parameters}
        method = "get" if verb.by_query else "post"
        paths[f"/api/{room}/{verb.name}"] = {method: _operation(room, verb, given, next(left))}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Flyball",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": {**components, "Error": _ERROR}},
    }


def _operation(room: str, verb: Verb, given: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{room}_{verb.name}",
        "tags": [room],
        "summary": verb.summary,
        "description": verb.doc,
        "x-role": verb.role,
        "responses": {
            "200": {"description": "Done.", "content": {_JSON: {"schema": answer}}},
            "default": {
                "description": "It failed.",
                "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    if verb.by_query:
        operation["parameters"] = [
            {"name": p.name, "in": "query", "required": p.required, "schema": given[p.name]} for p in verb.parameters
        ]
    elif verb.parameters:
        required = [p.name for p in verb.parameters if p.required]
        body: dict[str, Any] = {"type": "object", "properties": given, "additionalProperties": False}
        if required:
            body["required"] = required
        operation["requestBody"] = {"required": bool(required), "content": {_JSON: {"schema": body}}}
    return operation
