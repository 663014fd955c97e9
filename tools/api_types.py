"""Writes the TypeScript types of the HTTP API, which the page is checked against, from the API's own description.

Run as `python -m tools.api_types`; a test holds the written file fresh.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from flyball.server.openapi import describe_api

FILE = Path(__file__).resolve().parents[1] / "ui" / "src" / "api" / "types.ts"
_PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
_REF = "#/components/schemas/"


def types_of_api(description: dict[str, Any]) -> str:
    """The types of an OpenAPI document: an interface for each noun, and what each verb takes and gives."""
    nouns = description["components"]["schemas"]
    lines = ["// Made from the description of the HTTP API by `python -m tools.api_types`; not to be edited.", ""]
    for name, schema in sorted(nouns.items(), key=lambda item: _noun(item[0])):
        lines += [_declaration(_noun(name), schema), ""]
    methods: dict[str, list[str]] = {"get": [], "post": []}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            answer = _type(operation["responses"]["200"]["content"]["application/json"]["schema"])
            methods[method].append(
                f'  "{path.removeprefix("/api/")}": {{ takes: {_arguments(operation)}; gives: {answer} }};'
            )
    lines += ["// Asked with GET.", "export interface Reads {", *methods["get"], "}", ""]
    lines += ["// Asked with POST.", "export interface Posts {", *methods["post"], "}", ""]
    return "\n".join(lines)


def _noun(name: str) -> str:
    """The name of a noun; two rooms that have one of the same name each put theirs before it."""
    parts = name.split(".")
    return parts[0] if len(parts) == 1 else f"{parts[1].title()}{parts[-1]}"


def _declaration(name: str, schema: dict[str, Any]) -> str:
    if schema.get("type") == "object" and "properties" in schema:
        fields = "".join(f"  {_key(key)}: {_type(kind)};\n" for key, kind in schema["properties"].items())
        return f"export interface {name} {{\n{fields}}}"
    return f"export type {name} = {_type(schema)};"


def _arguments(operation: dict[str, Any]) -> str:
    if "parameters" in operation:
        given = [(p["name"], p["required"], p["schema"]) for p in operation["parameters"]]
    else:
        body = operation.get("requestBody", {"content": {"application/json": {"schema": {"properties": {}}}}})
        schema = body["content"]["application/json"]["schema"]
        given = [(key, key in schema.get("required", ()), kind) for key, kind in schema["properties"].items()]
    fields = [f"{_key(name)}{'' if required else '?'}: {_type(kind)}" for name, required, kind in given]
    return "{ " + "; ".join(fields) + " }" if fields else "Record<string, never>"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else f'"{name}"'


def _type(schema: Any) -> str:
    if not isinstance(schema, dict) or not schema:
        return "unknown"
    if "$ref" in schema:
        return _noun(schema["$ref"].removeprefix(_REF))
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(_literal(one) for one in schema["enum"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(_PLAIN.get(one, "unknown") for one in kind)
    if kind == "array":
        return _array(schema)
    if kind == "object":
        return f"Record<string, {_type(schema.get('additionalProperties'))}>"
    return _PLAIN.get(kind or "", "unknown")


def _array(schema: dict[str, Any]) -> str:
    if "prefixItems" in schema:
        return "[" + ", ".join(_type(one) for one in schema["prefixItems"]) + "]"
    item = _type(schema.get("items"))
    return f"({item})[]" if "|" in item else f"{item}[]"


def _literal(value: object) -> str:
    return "null" if value is None else f'"{value}"' if isinstance(value, str) else str(value).lower()


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(types_of_api(describe_api()), encoding="utf-8")
    sys.stdout.write(f"{FILE.name} is written.\n")
