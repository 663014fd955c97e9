"""Hostile input over raw HTTP: refused with a 4xx in MLflow's form of errors, and nothing is harmed."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from flyball.errors import FlyballError
from flyball.workspace import Workspace
from tests.protocols.mlflow.proof import Endpoint, known_endpoints

V2 = "/api/2.0/mlflow/"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"
CLIMBING = [
    "..", "../..", "a/../../x", "%2e%2e", "%2e%2e%2fx", "..%2fx", "%252e%252e%252fx", "%25252e%25252e/x", "..%5cx", "..\\x",
    "%2e%2e%5cx", "a/%2e%2e/%2e%2e/x", "a/..;/../x", "..%00/x", "a%00b", "%2fetc%2fpasswd", "/etc/passwd", "//etc/passwd",
    "%5c%5chost%5cshare", "C:%5cx", "C:/x", "file:%2f%2f%2fetc%2fpasswd", "%c0%ae%c0%ae/x", "a/./../../x", "....//x/../..",
]  # fmt: skip
SQL = [
    "' OR '1'='1",
    "x'; DROP TABLE runs; --",
    '" OR ""="',
    "1) UNION SELECT name FROM sqlite_master --",
    "\\'; --",
    "x%' ESCAPE '%",
]


class Http:
    """Sends exactly what it is told to, paths as they are."""

    def __init__(self, url: str) -> None:
        self._place = urlsplit(url).netloc

    def send(
        self, method: str, path: str, body: bytes | str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of the answer."""
        connection = http.client.HTTPConnection(self._place, timeout=60)
        try:
            connection.putrequest(method, path, skip_host="Host" in (headers or {}), skip_accept_encoding=True)
            data = body.encode() if isinstance(body, str) else body
            given = {"Content-Type": "application/json", **(headers or {})}
            if data is not None:
                given["Content-Length"] = str(len(data))
            for name, value in given.items():
                connection.putheader(name, value)
            connection.endheaders()
            try:
                if data is not None:
                    connection.send(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it has heard enough
            answer = connection.getresponse()
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()

    def post(self, path: str, body: object) -> tuple[int, dict[str, Any]]:
        """Status and JSON of a call of the protocol."""
        status, data, _ = self.send("POST", V2 + path, json.dumps(body))
        return status, json.loads(data)


@pytest.fixture
def http_(url: str) -> Http:
    """A client without manners."""
    return Http(url)


@pytest.fixture
def run(http_: Http) -> str:
    """A run to attack."""
    return str(http_.post("runs/create", {"experiment_id": "0", "start_time": 1})[1]["run"]["info"]["run_id"])


@pytest.fixture(autouse=True)
def nothing_is_harmed(workspace: Workspace, tmp_path: Path) -> Iterator[None]:
    """After each test the database answers, and no file is new or gone outside of the workspace."""
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / ".flyball").mkdir(exist_ok=True)
    (tmp_path / ".flyball" / "secret.txt").write_text("secret")
    yield
    assert workspace.experiments.get("0").name == "Default"
    assert {path.name for path in tmp_path.iterdir()} <= {"secret.txt", ".flyball"}
    assert (tmp_path / ".flyball" / "secret.txt").read_text() == "secret"


def refused(answer: tuple[int, bytes, dict[str, str]]) -> dict[str, Any]:
    """Makes sure that it was, in MLflow's form, without a word of our insides."""
    status, data, headers = answer
    assert 400 <= status < 500, (status, data[:300])
    assert headers["content-type"].startswith("application/json")
    found: dict[str, Any] = json.loads(data)
    assert found["error_code"]
    assert isinstance(found["message"], str)
    assert "Traceback" not in found["message"]
    assert "sqlalche" not in found["message"]
    return found


@pytest.mark.parametrize("path", CLIMBING)
def test_no_spelling_of_a_path_leads_out(http_: Http, run: str, path: str) -> None:
    for root in (f"0/{run}/artifacts/", f"0/models/m-{run}/artifacts/", ""):
        for method in ("GET", "PUT", "DELETE"):
            status, data, _ = http_.send(method, f"{ARTIFACTS}{root}{path}", b"x" if method == "PUT" else None)
            # A spelling may be a name like any other: then it is kept as one, and read back as what was kept.
            assert status < 500, (method, path)
            assert data != b"secret"
            assert b"root:" not in data
    plain = path if "%" in path else quote(path, safe="")
    for query in (f"artifacts/list?run_id={run}&path={plain}", f"artifacts/list?run_id={plain}"):
        assert http_.send("GET", V2 + query)[0] < 500
    for query in (f"/get-artifact?run_id={run}&path={plain}", f"{ARTIFACTS[:-1]}?path={plain}"):
        status, data, _ = http_.send("GET", query)
        assert status < 500
        assert data != b"secret"


@pytest.mark.parametrize("path", ["../x", "a/../../x", "%2e%2e/%2e%2e/x", "%252e%252e%252fx", "..%5cx"])
def test_what_climbs_is_refused(http_: Http, run: str, path: str) -> None:
    refused(http_.send("PUT", f"{ARTIFACTS}0/{run}/artifacts/{path}", b"x"))


LOCATIONS = [
    "file:///etc", "file:relative", "/etc", "../up", "relative", "C:\\x", "FILE:///etc", "file:%2f%2f/etc", "sqlite:///x",
    "\\\\host\\share",
]  # fmt: skip


@pytest.mark.parametrize("location", LOCATIONS)
def test_no_place_on_our_disk_is_a_location(http_: Http, location: str) -> None:
    body = json.dumps({"name": f"at {location[:5]}", "artifact_location": location})
    assert refused(http_.send("POST", f"{V2}experiments/create", body))["error_code"] == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize(
    "source",
    ["file:///etc", "/etc/passwd", "../x", "file:x", "runs:/../../x", "models:/../x", "mlflow-artifacts:/../../etc"],
)
def test_no_place_on_our_disk_is_a_source(http_: Http, source: str) -> None:
    http_.post("registered-models/create", {"name": "m"})
    refused(http_.send("POST", f"{V2}model-versions/create", json.dumps({"name": "m", "source": source})))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost@evil.example"]
)
@pytest.mark.parametrize("path", [f"{V2}experiments/get?experiment_id=0", f"{ARTIFACTS}x", "/v1/traces", "/version"])
def test_a_foreign_host_is_refused(http_: Http, host: str, path: str) -> None:
    status, data, _ = http_.send("GET", path, headers={"Host": host})
    assert 400 <= status < 500
    assert b"Default" not in data


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_a_page_of_another_site_changes_nothing(http_: Http, workspace: Workspace, origin: str) -> None:
    body = json.dumps({"name": "from another site"})
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}
    status, _, answered = http_.send("POST", f"{V2}experiments/create", body, headers)
    assert 400 <= status < 500
    assert "access-control-allow-origin" not in answered
    with pytest.raises(FlyballError):
        workspace.experiments.find("from another site")


@pytest.mark.parametrize("name", ["page.html", "picture.svg", "page.xhtml", "page.HTM", "x.xml", "x.mhtml", "noname"])
def test_what_a_browser_would_run_is_only_handed_out(http_: Http, run: str, name: str) -> None:
    script = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script></svg>"
    assert http_.send("PUT", f"{ARTIFACTS}0/{run}/artifacts/{name}", script)[0] == 200
    for path in (f"{ARTIFACTS}0/{run}/artifacts/{name}", f"/get-artifact?run_id={run}&path={name}"):
        status, data, headers = http_.send("GET", path)
        assert (status, data) == (200, script)
        assert headers["content-disposition"].startswith("attachment")
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("text", SQL)
def test_sql_is_a_text_or_a_mistake(http_: Http, run: str, text: str) -> None:
    quoted = text.replace("'", "")
    searches = {
        "runs/search": {"experiment_ids": ["0"]}, "experiments/search": {}, "logged-models/search": {"experiment_ids": ["0"]},
    }  # fmt: skip
    for path, more in searches.items():
        for filter_ in (text, f"name = '{quoted}'", f"tags.`{quoted}` = 'x'", f"tags.x LIKE '{quoted}'"):
            assert http_.post(path, {**more, "filter": filter_})[0] in (200, 400), filter_
        order = [{"field_name": text}] if "logged" in path else [text]
        assert http_.post(path, {**more, "order_by": order})[0] == 400
        assert http_.post(path, {**more, "page_token": text})[0] == 400
    for path in ("registered-models/search", "model-versions/search"):
        for what in ("filter", "order_by", "page_token"):
            status, _, _ = http_.send("GET", f"{V2}{path}?{what}={quote(text)}")
            assert status == 400, (path, what)
    assert http_.send("GET", f"{V2}runs/get?run_id={quote(text)}")[0] == 404
    assert http_.send("GET", f"{V2}metrics/get-history?run_id={run}&metric_key={quote(text)}")[0] in (200, 400)


NUMBERS = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    "1" * 400,
    '"NaN"',
    '"Infinity"',
    '"x"',
    "null",
    "[]",
    "{}",
    "true",
]


@pytest.mark.parametrize("number", NUMBERS)
def test_odd_numbers_are_kept_or_refused(http_: Http, run: str, number: str) -> None:
    for field in ("value", "timestamp", "step"):
        given = {"run_id": f'"{run}"', "key": '"m"', "value": "1", "timestamp": "1", "step": "1", field: number}
        body = "{" + ", ".join(f'"{name}": {text}' for name, text in given.items()) + "}"
        answer = http_.send("POST", f"{V2}runs/log-metric", body)
        if answer[0] != 200:
            refused(answer)
    status, data, _ = http_.send("GET", f"{V2}runs/get?run_id={run}")
    assert status == 200
    json.loads(data, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))


ODD = ["a\0b", "\0", "\ud800", "a\udfffb", "\u202e", "\ufeff", "\r\nX-Injected: 1", "💥" * 50, "\x1b[2J", "", " ", "\t"]


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_are_kept_or_refused(http_: Http, run: str, text: str) -> None:
    calls: list[tuple[str, dict[str, object]]] = [
        ("experiments/create", {"name": text}),
        ("runs/create", {"experiment_id": "0", "run_name": text, "user_id": text}),
        ("runs/log-parameter", {"run_id": run, "key": text, "value": text}),
        ("runs/log-parameter", {"run_id": run, "key": "k", "value": text}),
        ("runs/log-metric", {"run_id": run, "key": text, "value": 1, "timestamp": 1}),
        ("runs/set-tag", {"run_id": run, "key": text, "value": text}),
        ("runs/set-tag", {"run_id": run, "key": "t", "value": text}),
        ("registered-models/create", {"name": text, "description": text}),
        ("logged-models", {"experiment_id": "0", "name": text}),
        ("runs/search", {"experiment_ids": [text], "filter": f"tags.x = '{text}'"}),
    ]
    for path, body in calls:
        answer = http_.send("POST", V2 + path, json.dumps(body))
        if answer[0] != 200:
            refused(answer)
        assert "x-injected" not in answer[2]
    assert http_.send("GET", f"{V2}runs/get?run_id={run}")[0] == 200


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b'{"name": "\xc3\x28"}', b'{"name": "\xed\xa0\x80"}', b"{", b"[]", b"null", b'"x"', b"1"]
)
def test_what_is_no_json_or_no_utf8_is_refused(http_: Http, body: bytes) -> None:
    refused(http_.send("POST", f"{V2}experiments/create", body))


def test_names_of_ten_megabytes_are_refused(http_: Http, run: str) -> None:
    name = "x" * (10 << 20)
    for path, body in (
        ("experiments/create", {"name": name}),
        ("runs/set-tag", {"run_id": run, "key": name, "value": "v"}),
        ("runs/log-parameter", {"run_id": run, "key": name, "value": "v"}),
        ("runs/log-metric", {"run_id": run, "key": name, "value": 1, "timestamp": 1}),
        ("registered-models/create", {"name": name}),
        ("runs/search", {"experiment_ids": ["0"], "filter": f"tags.x = '{name}'"}),
        ("logged-models", {"experiment_id": "0", "name": name}),
        ("runs/log-batch", {"run_id": run, "tags": [{"key": name, "value": "v"}]}),
    ):
        found = refused(http_.send("POST", V2 + path, json.dumps(body)))
        assert len(found["message"]) < 20_000, path


@pytest.mark.parametrize("depth", [100, 10_000, 200_000])
def test_deep_json_is_refused(http_: Http, run: str, depth: int) -> None:
    for body in ("[" * depth, '{"a":' * depth, '{"name": ' + "[" * depth + "]" * depth + "}"):
        refused(http_.send("POST", f"{V2}experiments/create", body))
    deep = json.dumps({"run_id": run, "model_json": "[" * depth + "]" * depth})
    refused(http_.send("POST", f"{V2}runs/log-model", deep))
    if depth == 100:  # so many conditions are long, not deep
        return
    for nested in ("(" * depth + "metrics.a > 1" + ")" * depth, " AND ".join(["metrics.a > 1"] * depth)):
        refused(http_.send("POST", f"{V2}runs/search", json.dumps({"experiment_ids": ["0"], "filter": nested})))


@pytest.mark.parametrize("size", [-1, 50_001, 10**9, 2**31, 2**63, 10**40, "x", 1.5, [], None])
def test_huge_pages_are_refused(http_: Http, run: str, size: object) -> None:
    for path, body in (
        ("runs/search", {"experiment_ids": ["0"]}),
        ("experiments/search", {}),
        ("logged-models/search", {"experiment_ids": ["0"]}),
    ):
        answer = http_.send("POST", V2 + path, json.dumps({**body, "max_results": size}))
        if size is None:
            assert answer[0] in (200, 400)
        else:
            refused(answer)
    for path in (
        "registered-models/search?",
        "model-versions/search?",
        f"metrics/get-history?run_id={run}&metric_key=m&",
    ):
        status, _, _ = http_.send("GET", f"{V2}{path}max_results={quote(str(size))}")
        assert status in (200, 400)


WRONG_BODIES: list[object] = [
    {}, {"run_id": {}, "name": [], "experiment_id": {}, "key": 1, "experiment_ids": "x", "tags": {"a": 1}, "metrics": [1]},
    {"run_id": "x" * 1000, "name": "\0", "experiment_id": "-1", "trace_ids": [None], "tags": [[]], "status": 99},
]  # fmt: skip


@pytest.mark.parametrize(
    "endpoint", known_endpoints(), ids=lambda one: f"{one.method}-{one.path.removeprefix('/api/')}"
)
def test_no_endpoint_breaks(http_: Http, endpoint: Endpoint) -> None:
    for filling in ("x", "..%2f..", "%00", "0"):
        path = re.sub(r"\{\w+\}", filling, endpoint.path)
        for body in WRONG_BODIES:
            query = "?run_id=%00&name=%ff&max_results=x" if endpoint.method == "GET" and body else ""
            data = None if endpoint.method == "GET" else json.dumps(body)
            status, answer, headers = http_.send(endpoint.method, path + query, data)
            assert status < 500 or json.loads(answer)["error_code"] == "NOT_IMPLEMENTED", (path, body, answer[:300])
            if status >= 400:
                assert json.loads(answer)["error_code"], (path, answer[:300])
                assert headers["content-type"].startswith("application/json")
        if "{" not in endpoint.path:
            break
