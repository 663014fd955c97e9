from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from flyball.server.app import create_app
from flyball.server.page import page_routes
from flyball.workspace import Workspace
from tests.server.conftest import client_of


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "_page"
    (folder / "page").mkdir(parents=True)
    (folder / "index.html").write_text('<meta name="style-nonce" content="__NONCE__">')
    (folder / "page" / "app-1a2b.js").write_text("whole")
    (folder / "page" / "app-1a2b.js.br").write_text("small")
    (folder / "page" / "app-1a2b.js.gz").write_text("smaller")
    (folder / "secret.js").write_text("not for you")
    return folder


@pytest.fixture
def page(built: Path) -> TestClient:
    return TestClient(Starlette(routes=page_routes(built)))


def test_each_answer_has_a_number_of_its_own_that_the_policy_names(page: TestClient) -> None:
    answers = [page.get("/") for _ in range(2)]
    numbers = [re.findall(r'content="([\w-]{16,})"', answer.text)[0] for answer in answers]
    assert numbers[0] != numbers[1]
    for number, answer in zip(numbers, answers, strict=True):
        policy = answer.headers["content-security-policy"]
        assert f"style-src 'self' 'nonce-{number}'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("accepted", "content", "encoding"),
    [("gzip, deflate, br", "small", "br"), ("gzip", "smaller", "gzip"), ("identity", "whole", None)],
)
def test_a_file_comes_in_the_smallest_form_that_the_browser_takes(
    page: TestClient, accepted: str, content: str, encoding: str | None
) -> None:
    with page.stream("GET", "/page/app-1a2b.js", headers={"accept-encoding": accepted}) as answer:
        assert b"".join(answer.iter_raw()).decode() == content
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["vary"] == "accept-encoding"


@pytest.mark.parametrize(
    "path", ["/page/", "/page/none.js", "/page/%2e%2e/secret.js", "/page/..%2fsecret.js", "/page/app-1a2b.js.br"]
)
def test_nothing_else_is_handed_out(page: TestClient, path: str) -> None:
    assert page.get(path).status_code == 404


def test_a_page_that_was_not_built_says_how_to_get_it(tmp_path: Path) -> None:
    answer = TestClient(Starlette(routes=page_routes(tmp_path / "none"))).get("/")
    assert answer.status_code == 200
    assert "make ui" in answer.text


def test_the_documentation_of_the_api_is_a_view_of_the_page(page: TestClient) -> None:
    assert page.get("/api/docs", follow_redirects=False).headers["location"] == "../#/api"


def test_an_artifact_is_shown_inside_a_fence(http: TestClient, workspace: Workspace) -> None:
    name = workspace.blobs.put(b"<script>fetch('/api/loops/list')</script>")
    answer = http.get(f"/view/{name}/report.html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts;")
    assert "allow-same-origin" not in policy
    assert "connect-src 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert http.get(f"/view/{name}/plot.PNG").headers["content-type"] == "image/png"


@pytest.mark.parametrize("name", ["script.js", "page.xhtml", "noending", "a.svgz"])
def test_what_a_browser_does_not_draw_is_not_shown(http: TestClient, workspace: Workspace, name: str) -> None:
    assert http.get(f"/view/{workspace.blobs.put(b'x')}/{name}").status_code == 404
    assert http.get("/view/" + 64 * "0" + "/plot.png").status_code == 404


class _Model(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(200, f"GET {self.path}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self._answer(422, f"POST {self.path} {body}")

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture
def model_server() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Model)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_page_reaches_the_model_server_through_its_own_server(workspace: Workspace, model_server: str) -> None:
    http = client_of(workspace, create_app(workspace, model_server=model_server))
    assert http.get("/serving/url").text == model_server
    assert http.get("/serving/predict/late").text == "GET /predict/late"
    assert http.get("/serving/metrics").text == "GET /metrics"
    refused = http.post("/serving/explain/late", content=b"{}")
    assert (refused.status_code, refused.text) == (422, "POST /explain/late {}")


@pytest.mark.parametrize("path", ["/serving/flush/x", "/serving/predict/..%2fflush", "/serving/explain/late"])
def test_nothing_else_of_the_model_server_is_reached(workspace: Workspace, model_server: str, path: str) -> None:
    http = client_of(workspace, create_app(workspace, model_server=model_server))
    assert http.get(path).status_code in (404, 405)


def test_without_a_model_server_that_is_said(http: TestClient) -> None:
    assert http.get("/serving/url").text == ""
    assert http.get("/serving/predict/late").json()["message"] == "No model server stands beside this server."


def test_a_model_server_that_does_not_answer_is_named(workspace: Workspace) -> None:
    http = client_of(workspace, create_app(workspace, model_server="http://127.0.0.1:9"))
    answer = http.get("/serving/metrics")
    assert (answer.status_code, answer.json()["message"]) == (
        503,
        "The model server at http://127.0.0.1:9 does not answer.",
    )
