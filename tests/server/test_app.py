"""One door: who may come in, what is told at failures, whether all is ready, events as they happen."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
import urllib3
from starlette.testclient import TestClient

from flyball.server.app import create_app
from flyball.workspace import Workspace
from tests.server.conftest import client_of

RUN = {"experiment": "late"}


def test_a_server_that_is_ready_says_so(http: TestClient) -> None:
    answer = http.get("/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["waiting_for"] == []


def test_a_server_that_is_not_ready_says_why(workspace: Workspace) -> None:
    app = create_app(workspace, ready=[lambda: "", lambda: "controller: none"])
    answer = TestClient(app, base_url="http://localhost").get("/health")
    assert answer.status_code == 503
    assert answer.json()["waiting_for"] == ["controller: none"]


def test_a_server_without_its_database_says_so(workspace: Workspace, http: TestClient) -> None:
    workspace.database.execute(sa.text("DROP TABLE events"))
    answer = http.get("/health")
    assert answer.status_code == 503
    assert answer.json()["waiting_for"][0].startswith("database: ")


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080"])
def test_it_answers_to_the_names_of_this_machine(http: TestClient, host: str) -> None:
    assert http.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8080", "", "0.0.0.0", "testserver", "[::2]"],
)
def test_it_does_not_answer_to_a_foreign_name(http: TestClient, host: str) -> None:
    answer = http.get("/health", headers={"host": host})
    assert answer.status_code == 400
    assert "does not answer to the name" in answer.json()["message"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://localhost:81"]
)
def test_a_page_of_another_site_changes_nothing(http: TestClient, origin: str) -> None:
    answer = http.post("/api/tracking/create_run", json=RUN, headers={"origin": origin})
    assert answer.status_code == 403
    assert answer.json()["code"] == "permission_denied"
    assert http.get("/api/tracking/list_runs").json() == []


def test_our_own_page_may_change_things(http: TestClient) -> None:
    answer = http.post("/api/tracking/create_run", json=RUN, headers={"origin": "http://localhost"})
    assert answer.status_code == 200


def test_a_body_that_says_it_is_too_large_is_not_read(http: TestClient) -> None:
    headers = {"content-length": str(300 << 20)}
    answer = http.post("/api/tracking/create_run", content=b"{}", headers=headers)
    assert answer.status_code == 413
    assert "larger than 256 MiB" in answer.json()["message"]


@pytest.mark.parametrize("length", ["-1", "many", "1e3"])
def test_a_length_that_is_none_is_refused(http: TestClient, length: str) -> None:
    answer = http.post("/api/tracking/create_run", content=b"{}", headers={"content-length": length})
    assert answer.status_code == 413


def test_a_body_without_an_end_is_cut_off(workspace: Workspace) -> None:
    workspace.settings = replace(workspace.settings, max_body_mib=1)
    http = client_of(workspace)

    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 100_000

    answer = http.post("/api/tracking/create_run", content=pieces())
    assert answer.status_code == 413


def test_a_failure_of_ours_tells_nothing_of_the_inside(
    http: TestClient, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    workspace.database.execute(sa.text("DROP TABLE events"))
    answer = http.get("/api/events/list")
    assert answer.status_code == 500
    assert answer.json() == {
        "code": "error",
        "message": "The server failed at this; its log says why.",
        "hint": "",
        "facts": {},
    }
    assert "a request failed" in caplog.text


@pytest.mark.parametrize("path", ["/", "/health", "/api/events/list", "/none", "/objects", "/page/app.js"])
def test_every_answer_forbids_frames_and_guessing(http: TestClient, path: str) -> None:
    headers = http.get(path).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_the_pages_are_there(http: TestClient) -> None:
    for path in ("/", "/api/docs"):
        answer = http.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/page/../app.py", "/page/%2e%2e/app.py", "/page//etc/passwd", "/page/..%2fapp.py"])
def test_only_the_page_is_handed_out(http: TestClient, path: str) -> None:
    assert http.get(path).status_code == 404


def stream(url: str, **headers: str) -> Generator[dict[str, Any]]:
    """The events of a stream, one after the other."""
    answer = urllib3.request("GET", f"{url}/api/events/stream", headers=headers, preload_content=False, timeout=10)
    assert answer.headers["content-type"].startswith("text/event-stream")
    try:
        text = b""
        for piece in answer.stream(1, decode_content=False):
            text += piece
            while b"\n\n" in text:
                block, _, text = text.partition(b"\n\n")
                fields = dict(line.split(": ", 1) for line in block.decode().splitlines())
                if "data" in fields:
                    yield {**json.loads(fields["data"]), "last": fields["id"], "type": fields["event"]}
    finally:
        answer.release_conn()
        answer.close()


def test_an_event_is_told_when_it_happens(url: str, workspace: Workspace) -> None:
    workspace.tracking.create_run("first")
    told = stream(url)
    first = next(told)
    assert first["type"] == first["kind"] == "tracking.run_started"
    run = workspace.tracking.create_run("second")
    assert next(told)["subject"] == f"runs:/{run.id}"
    told.close()


def test_a_stream_goes_on_where_it_was_lost(url: str, workspace: Workspace) -> None:
    for experiment in ("a", "b", "c"):
        workspace.tracking.create_run(experiment)
    second = workspace.events.list()[1]
    told = stream(url, **{"last-event-id": str(second.id)})
    assert next(told)["id"] == second.id + 1
    told.close()


@pytest.mark.parametrize("after", ["-1", "x", "²", "1" * 19, "1.0"])
def test_a_stream_begins_at_an_event(http: TestClient, after: str) -> None:
    answer = http.get("/api/events/stream", params={"after": after})
    assert answer.status_code == 400
    assert answer.json()["hint"]
