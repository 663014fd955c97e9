"""The seam of MLflow's protocol: what is decoded, what is refused, and how errors look."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

from flyball.errors import NotFound
from flyball.server.protocols.mlflow import wire
from flyball.server.protocols.mlflow.wire import MlflowError, MlflowProtocol, Request, endpoint
from flyball.workspace import Workspace


class Given(msgspec.Struct):
    name: str
    count: int = 0
    wanted: list[str] = []


@pytest.fixture
def client(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    wire.load_endpoints()
    monkeypatch.setattr(wire, "_exact", {})
    monkeypatch.setattr(wire, "_templates", [])

    @endpoint("GET POST", "mlflow/echo")
    def echo(workspace: Workspace, given: Given) -> Given:
        return given

    @endpoint("GET", "mlflow/things/{thing}")
    async def thing(workspace: Workspace, thing: str, request: Request) -> dict[str, Any]:
        return {"thing": thing, "path": request.url.path}

    @endpoint("POST", "mlflow/fail")
    def fail(workspace: Workspace, given: dict[str, Any]) -> None:
        match given["how"]:
            case "mlflow":
                raise MlflowError("No.", "RESOURCE_CONFLICT")
            case "flyball":
                raise NotFound("There is no run 'x'.")
            case "bug":
                raise RuntimeError("secret")

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        await Response("behind")(scope, receive, send)

    return TestClient(MlflowProtocol(behind, workspace))


def error(answer: Any) -> tuple[int, str, str]:
    return answer.status_code, answer.json()["error_code"], answer.json()["message"]


def test_a_body_is_decoded_and_unknown_fields_are_ignored(client: TestClient) -> None:
    answer = client.post("/api/2.0/mlflow/echo", json={"name": "a", "count": "12", "other": 1})
    assert answer.json() == {"name": "a", "count": 12, "wanted": []}


def test_both_roots_are_answered(client: TestClient) -> None:
    assert client.post("/ajax-api/2.0/mlflow/echo", json={"name": "a"}).status_code == 200


def test_a_query_gives_lists_and_numbers(client: TestClient) -> None:
    answer = client.get("/api/2.0/mlflow/echo", params={"name": "a", "count": "3", "wanted": ["x", "y"]})
    assert answer.json() == {"name": "a", "count": 3, "wanted": ["x", "y"]}


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"count": 1}])
def test_what_is_missing_is_named(client: TestClient, body: dict[str, Any]) -> None:
    status, code, message = error(client.post("/api/2.0/mlflow/echo", json=body))
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert message.startswith("Missing value for required parameter 'name'.")


def test_a_value_of_another_type_is_shown(client: TestClient) -> None:
    status, code, message = error(client.post("/api/2.0/mlflow/echo", json={"name": 123}))
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert message.startswith("Invalid value 123 for parameter 'name' supplied:  Hint: Value was of type 'int'.")


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"name": "\xff"}', b'"x"', b"[]", b"7"])
def test_what_is_no_json_object_is_refused(client: TestClient, body: bytes) -> None:
    assert error(client.post("/api/2.0/mlflow/echo", content=body))[0] == 400


def test_a_broken_query_is_refused(client: TestClient) -> None:
    assert error(client.get("/api/2.0/mlflow/echo?name=%ff"))[0] == 400


def test_a_path_gives_its_parameters(client: TestClient) -> None:
    assert client.get("/api/2.0/mlflow/things/m-1").json()["thing"] == "m-1"


def test_errors_have_the_form_and_status_of_mlflow(client: TestClient) -> None:
    assert error(client.post("/api/2.0/mlflow/fail", json={"how": "mlflow"})) == (409, "RESOURCE_CONFLICT", "No.")
    assert error(client.post("/api/2.0/mlflow/fail", json={"how": "flyball"}))[:2] == (404, "RESOURCE_DOES_NOT_EXIST")
    status, code, message = error(client.post("/api/2.0/mlflow/fail", json={"how": "bug"}))
    assert (status, code) == (500, "INTERNAL_ERROR")
    assert "secret" not in message


def test_what_is_not_answered_says_so(client: TestClient) -> None:
    assert error(client.post("/api/3.0/mlflow/gateway/endpoints/create", json={}))[:2] == (404, "ENDPOINT_NOT_FOUND")
    assert error(client.delete("/api/2.0/mlflow/echo"))[:2] == (404, "ENDPOINT_NOT_FOUND")


def test_other_addresses_are_left_alone(client: TestClient) -> None:
    assert client.get("/api/tracking/list_runs").text == "behind"


def test_the_real_endpoints_can_all_be_loaded() -> None:
    wire.load_endpoints()
    assert ("GET", "/version") in wire.endpoints()
