"""Another site's page changes nothing and reads nothing, and a stored script never runs."""

from __future__ import annotations

import json
import os
import subprocess
from urllib.parse import quote

import pytest

from tests.attacks.conftest import Target

RUN = json.dumps({"experiment": "crossed"}).encode()
SCRIPT = "<script>alert(1)</script>"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:80", "127.0.0.1@evil.example", "",
     "[::1", "localhost\tevil", "169.254.169.254"],
)  # fmt: skip
def test_a_name_that_was_bound_to_us_anew_is_not_answered(target: Target, host: str) -> None:
    answer = target.ask("GET", "/api/tracking/list_runs", headers={"Host": host})
    assert answer.status in (400, 421)
    assert target.run.encode() not in answer.body


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://other.localhost"}, {"Origin": "http://127.0.0.1"},
        {"Origin": "https://evil.example", "Content-Type": "text/plain"},
        {"Origin": "https://evil.example", "Content-Type": "application/x-www-form-urlencoded"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/tracking/create_run", "/api/2.0/mlflow/experiments/create", "/blobs/x"])
def test_a_page_of_another_site_changes_nothing(target: Target, headers: dict[str, str], path: str) -> None:
    method = "PUT" if path.startswith("/blobs") else "POST"
    answer = target.ask(method, path, RUN, headers)
    assert answer.status == 403, answer
    assert "access-control-allow-origin" not in answer.headers


def test_no_other_site_is_let_read(target: Target) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = target.ask("OPTIONS", "/api/tracking/create_run", headers=asked)
    assert "access-control-allow-origin" not in answer.headers


NOBODY = """
import http.client, sys
for path in sys.argv[2:]:
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    print(answer.status, path, answer.read(200) if answer.status < 400 else "")
"""
PATHS = [
    "/api/tracking/list_runs",
    "/objects",
    "/api/2.0/mlflow/experiments/search?max_results=1",
    "/api/events/stream",
]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_account_of_this_machine_gets_nothing(target: Target) -> None:
    done = subprocess.run(
        ["/usr/bin/env", "-i", "/usr/bin/python3", "-c", NOBODY, str(target.port), *PATHS],
        user="nobody", group="nogroup", extra_groups=[], capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {line.split()[0] for line in done.stdout.splitlines()} <= {"401", "403"}, done.stdout
    assert len(done.stdout.splitlines()) == len(PATHS)


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-Ip"])
def test_who_comes_through_a_proxy_is_not_taken_for_the_owner(target: Target, name: str) -> None:
    """A proxy of one's own account is at the other end of the connection, and anybody at the other end of the proxy."""
    told = "for=203.0.113.9" if name == "Forwarded" else "203.0.113.9"
    answer = target.ask("GET", "/api/tracking/list_runs", headers={name: told}, known=False)
    assert answer.status in (401, 403)


@pytest.mark.parametrize(
    "name", ["x.html", "x.svg", "x.xml", "x.xhtml", "x.pdf", "x.js", "x.mht", "x.htm%00.txt", 'x".html', "x.html;.png"]
)
def test_a_file_with_a_script_is_saved_and_never_run(target: Target, name: str) -> None:
    path = f"/api/2.0/mlflow-artifacts/artifacts/{target.run}/artifacts/{name}"
    target.ask("PUT", path, SCRIPT.encode())
    for asked in (path, f"/get-artifact?run_id={target.run}&path={name}"):
        answer = target.ask("GET", asked)
        if answer.status != 200:
            continue
        kind = answer.headers.get("content-type", "")
        assert answer.headers["x-content-type-options"] == "nosniff"
        is_saved = answer.headers.get("content-disposition", "").startswith("attachment")
        is_fenced = "sandbox" in answer.headers.get("content-security-policy", "")
        assert (
            is_saved or is_fenced or kind.startswith(("text/plain", "application/octet-stream", "application/json"))
        ), answer.headers


def test_names_with_scripts_come_back_as_json_alone(target: Target) -> None:
    body = json.dumps({"experiment": SCRIPT, "name": SCRIPT, "tags": {SCRIPT[:50]: SCRIPT}}).encode()
    made = target.ask("POST", "/api/tracking/create_run", body)
    assert made.status in (200, 400)
    for path in (
        "/api/run_search/search",
        "/api/experiments/list",
        "/api/events/list?limit=1000",
        "/api/tracking/list_runs",
        f"/api/tracking/get_run?run={SCRIPT}",
    ):
        answer = target.ask("GET", path)
        assert answer.headers["content-type"].startswith("application/json"), path
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_allows_no_script_but_its_own(target: Target) -> None:
    policy = target.ask("GET", "/").headers["content-security-policy"]
    scripts = next((part for part in policy.split(";") if part.strip().startswith("script-src")), policy)
    assert "unsafe-inline" not in scripts
    assert "unsafe-eval" not in scripts
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("value", ["a\r\nX-Stolen: 1", "a\nSet-Cookie: x=1", "a\r\n\r\n<script>"])
def test_no_header_is_smuggled_by_a_name(target: Target, value: str) -> None:
    for path in (
        f"/get-artifact?run_id={target.run}&path={quote(value)}",
        f"/api/tracking/get_run?run={quote(value)}",
        f"/{quote(value)}",
    ):
        answer = target.ask("GET", path)
        assert "x-stolen" not in answer.headers
        assert "set-cookie" not in answer.headers
