"""Every verb has its route; what does not fit is refused before any room sees it."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from flyball.verbs import verbs_of
from flyball.workspace import SERVICES, Workspace, service_class


@pytest.mark.parametrize("room", SERVICES)
def test_every_verb_has_its_route(http: TestClient, room: str) -> None:
    for verb in verbs_of(service_class(room)).values():
        path = f"/api/{room}/{verb.name}"
        assert http.post(path, json={"no such parameter": 1}).status_code == 400
        assert http.get(path, params={"no such parameter": 1}).status_code == (400 if verb.effect == "read" else 405)
        for method in ("PUT", "PATCH", "DELETE"):
            assert http.request(method, path).status_code == 405


@pytest.mark.parametrize("room", SERVICES)
def test_every_service_of_a_workspace_is_of_its_class(workspace: Workspace, room: str) -> None:
    assert type(getattr(workspace, room)) is service_class(room)


def test_a_change_is_done_and_read_back(http: TestClient) -> None:
    made = http.post("/api/tracking/create_run", json={"experiment": "late", "params": {"depth": 3}})
    assert made.status_code == 200
    run = made.json()
    assert http.get("/api/tracking/get_run", params={"run": run["id"]}).json() == run
    assert [found["id"] for found in http.get("/api/tracking/list_runs").json()] == [run["id"]]


def test_a_change_refuses_get_and_says_what_is_allowed(http: TestClient) -> None:
    refused = http.get("/api/tracking/create_run", params={"experiment": "late"})
    assert refused.status_code == 405
    assert refused.headers["allow"] == "POST"
    assert refused.json()["code"] == "invalid_input"
    assert http.get("/api/tracking/list_runs").json() == []


def test_query_parameters_are_read_by_their_type(http: TestClient) -> None:
    for experiment in ("a", "b", "c"):
        http.post("/api/tracking/create_run", json={"experiment": experiment})
    assert len(http.get("/api/tracking/list_runs", params={"limit": "2"}).json()) == 2
    kinds = {"kinds": ["tracking.", "data."]}
    assert len(http.get("/api/events/list", params=kinds).json()) == 3
    assert len(http.get("/api/events/list", params={"newest_first": "true", "limit": "1"}).json()) == 1


def test_a_read_with_much_to_ask_may_be_posted(http: TestClient) -> None:
    http.post("/api/tracking/create_run", json={"experiment": "late"})
    assert len(http.post("/api/events/list", json={"kinds": ["tracking."]}).json()) == 1


@pytest.mark.parametrize(
    ("path", "params", "said"),
    [
        ("tracking/get_run", {}, "'get_run' needs 'run'. It takes: run."),
        ("tracking/get_run", {"runs": "x"}, "'get_run' knows no 'runs'. Did you mean 'run'?"),
        ("clock/state", {"x": "1"}, "'state' knows no 'x'. It takes: nothing."),
        ("tracking/list_runs", {"limit": "many"}, "'limit': What was given does not fit"),
        ("tracking/list_runs", {"limit": "1.5"}, "'limit': What was given does not fit"),
        ("tracking/list_runs", {"limit": ""}, "'limit': What was given does not fit"),
        ("events/list", {"after": "1" * 30}, "'after': A whole number cannot be beyond 64 bits"),
        ("events/list", {"newest_first": "perhaps"}, "'newest_first': What was given does not fit"),
        ("tracking/get_run", {"run": "a\0b"}, "'run': A text cannot hold the character NUL"),
        ("events/list", {"kinds": "a\0b"}, "'kinds': A text cannot hold the character NUL"),
    ],
)
def test_a_query_that_does_not_fit_is_refused(http: TestClient, path: str, params: dict[str, str], said: str) -> None:
    answer = http.get(f"/api/{path}", params=params)
    told = answer.json()
    assert answer.status_code == 400
    assert told["code"] == "invalid_input"
    assert said in f"{told['message']} {told['hint']}"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "'create_run' needs 'experiment'"),
        (b"{}", "'create_run' needs 'experiment'"),
        (b"{", "truncated"),
        (b"[]", "Expected `object`"),
        (b'"late"', "Expected `object`"),
        (b"\xff", "malformed"),
        (b'{"experiment": 3}', "'experiment': What was given does not fit"),
        (b'{"experiment": null}', "'experiment': What was given does not fit"),
        (b'{"experiment": "late", "params": {"a": []}}', "'params': What was given does not fit"),
        (b'{"experiment": "late", "name": "a\\u0000b"}', "'name': A text cannot hold the character NUL"),
        (b'{"experiment": "late", "params": {"a\\u0000": 1}}', "'params': A text cannot hold the character NUL"),
        (b'{"experiment": "late", "params": {"a": 99999999999999999999}}', "beyond 64 bits"),
        (b'{"experiment": "late", "self": 1}', "knows no 'self'"),
        (b'{"experiment": ' + b"[" * 100_000, "recursion"),
    ],
)
def test_a_body_that_does_not_fit_is_refused(http: TestClient, body: bytes, said: str) -> None:
    answer = http.post("/api/tracking/create_run", content=body)
    told = answer.json()
    assert answer.status_code == 400
    assert told["code"] == "invalid_input"
    assert said in f"{told['message']} {told['hint']}"
    assert http.get("/api/tracking/list_runs").json() == []


def test_what_is_not_there_is_told(http: TestClient) -> None:
    answer = http.get("/api/tracking/get_run", params={"run": "none"})
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_what_the_state_does_not_allow_is_told(http: TestClient) -> None:
    run = http.post("/api/tracking/create_run", json={"experiment": "late"}).json()["id"]
    assert http.post("/api/tracking/finish_run", json={"run": run}).status_code == 200
    answer = http.post("/api/tracking/finish_run", json={"run": run, "state": "failed"})
    assert answer.status_code == 409
    assert answer.json()["code"] == "conflict"


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/tracking", "/api/none/list", "/api/tracking/database", "/x"])
def test_an_unknown_address_is_not_found(http: TestClient, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("name", ["__init__", "_database", "append_all", "now", "settle"])
def test_what_is_no_verb_cannot_be_called(http: TestClient, name: str) -> None:
    for room in SERVICES:
        assert http.post(f"/api/{room}/{name}", json={}).status_code == 404
