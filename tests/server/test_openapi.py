"""The API is described as it is: valid OpenAPI 3.1, every verb, and no request that makes the server fail."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from starlette.testclient import TestClient

from flyball.serialization import to_json
from flyball.server.openapi import describe_api
from flyball.verbs import verbs_of
from flyball.workspace import SERVICES, service_class

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis

if TYPE_CHECKING:
    from schemathesis.schemas import BaseSchema


def operations(document: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        path: (method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_every_verb_is_described() -> None:
    described = {path: method for path, (method, _) in operations(describe_api()).items()}
    assert described == {
        f"/api/{room}/{verb.name}": "get" if verb.by_query else "post"
        for room in SERVICES
        for verb in verbs_of(service_class(room)).values()
    }


def test_every_verb_is_described_with_its_parameters() -> None:
    described = operations(describe_api())
    for room in SERVICES:
        for verb in verbs_of(service_class(room)).values():
            method, operation = described[f"/api/{room}/{verb.name}"]
            assert operation["operationId"] == f"{room}_{verb.name}"
            assert operation["summary"]
            if method == "get":
                given = {parameter["name"]: parameter["required"] for parameter in operation["parameters"]}
            else:
                body = operation.get("requestBody", {"content": {"application/json": {"schema": {"properties": {}}}}})
                schema = body["content"]["application/json"]["schema"]
                given = {name: name in schema.get("required", []) for name in schema["properties"]}
            assert given == {parameter.name: parameter.required for parameter in verb.parameters}


def test_every_reference_points_at_something() -> None:
    document = describe_api()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    def references(value: object) -> set[str]:
        if isinstance(value, dict):
            own = {str(value["$ref"])} if "$ref" in value else set()
            return own.union(*map(references, value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    assert references(document) <= known


def test_every_schema_is_one() -> None:
    for schema in describe_api()["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def test_the_description_is_served(http: TestClient) -> None:
    answer = http.get("/api/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == to_json(describe_api())


@pytest.fixture(scope="module")
def described() -> BaseSchema:
    return schemathesis.openapi.from_dict(describe_api())


def test_the_description_is_valid_openapi(described: BaseSchema) -> None:
    described.validate()
    assert len(list(described.get_all_operations())) == len(operations(describe_api()))
