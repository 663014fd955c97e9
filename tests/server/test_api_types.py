from __future__ import annotations

from flyball.server.openapi import describe_api
from tools.api_types import FILE, types_of_api


def test_the_types_that_the_page_is_checked_against_are_those_of_the_api() -> None:
    written = FILE.read_text(encoding="utf-8")
    assert written == types_of_api(describe_api()), "Write them anew: python -m tools.api_types"


def test_kinds_of_schemas_become_types() -> None:
    schema = {
        "type": "object",
        "properties": {
            "state": {"enum": ["a", None]},
            "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"$ref": "#/components/schemas/flyball.data.x.Page"}]},
            "odd-name": {"anyOf": [{"type": "array", "items": {"type": ["string", "null"]}}, {"type": "null"}]},
            "facts": {"type": "object", "additionalProperties": {"type": "number"}},
            "any": {},
        },
    }  # fmt: skip
    answer = {"200": {"content": {"application/json": {"schema": {"type": "null"}}}}}
    operation = {
        "parameters": [{"name": "limit", "required": False, "schema": {"type": "integer"}}],
        "responses": answer,
    }
    written = types_of_api(
        {"components": {"schemas": {"Noun": schema}}, "paths": {"/api/room/verb": {"get": operation}}}
    )
    assert (
        'export interface Noun {\n  state: "a" | null;\n  pair: [string, DataPage];\n  "odd-name": (string | null)[] | null;\n'
        "  facts: Record<string, number>;\n  any: unknown;\n}" in written
    )
    assert '"room/verb": { takes: { limit?: number }; gives: null };' in written
