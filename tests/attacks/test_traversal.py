"""No spelling of a path reaches a file that was not asked for by its name: of no mount, and behind no proxy."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.attacks.conftest import SECRET, Target
from tests.servers.processes import free_port, listens, running

UP = "../../../canary.txt"
SPELLINGS = [
    UP, UP.replace("/", "%2f"), UP.replace("/", "%2F").replace(".", "%2e"), UP.replace("/", "%252f"),
    UP.replace("/", "\\"), UP.replace("/", "%5c"), UP.replace("..", "..;"), UP.replace("..", "%c0%ae%c0%ae"),
    UP.replace("..", ".%00."), UP.replace("../", "....//"), f"x/{UP}", f"./{UP}", f"/{UP}", f"//{UP}",
    "%2e%2e/%2e%2e/%2e%2e/canary.txt", "..%c0%af..%c0%afcanary.txt", "..%ef%bc%8f..%ef%bc%8fcanary.txt",
    "..%u2215..%u2215canary.txt", "/etc/passwd", "%2fetc%2fpasswd", "file:///etc/passwd", "C:\\windows\\win.ini",
    "..%09/..%09/canary.txt", "..%20/..%20/canary.txt", "flyball.db", ".flyball/flyball.db", "..%2f..%2fflyball.db",
    "token", "..%2ftoken", "keys", "%2e%2e%2ftoken", ".git/config", "objects/../flyball.db", "....%2f....%2ftoken",
]  # fmt: skip
MOUNTS = [
    "/{}", "/assets/{}", "/objects/{}", "/blobs/{}", "/api/{}", "/docs/{}", "/static-files/{}", "/p/{}",
    "/api/2.0/mlflow-artifacts/artifacts/{}", "/api/2.0/mlflow-artifacts/artifacts?path={}",
    "/get-artifact?run_uuid=RUN&path={}", "/get-artifact?run_id=RUN&path={}",
    "/api/2.0/mlflow/artifacts/list?run_id=RUN&path={}", "/model-versions/get-artifact?name=m&version=1&path={}",
    "/ajax-api/2.0/mlflow/get-trace-artifact?request_id={}", "/objects?prefix={}", "/artifacts/RUN/{}",
    "/v2/models/{}/infer",
]  # fmt: skip
STOLEN = (SECRET, b"SQLite format 3", b"root:", b"fly_local_", b"[core]", b"PRIVATE KEY")


def gets(target: Target, mounts: list[str]) -> list[str]:
    """What was stolen, or made the server fail."""
    found = []
    for mount in mounts:
        for spelling in SPELLINGS:
            path = target.prefix + mount.replace("RUN", target.run).format(spelling)
            path = path.replace("\\", "%5c") if "\\" in path and target.prefix else path
            answer = target.ask("GET", path)
            if answer.status >= 500 and answer.status != 501 and answer.status != 503:
                found.append(f"{path} made it fail: {answer.status} {answer.body[:100]!r}")
            found += [f"{path} gave {word!r}" for word in STOLEN if word in answer.body]
    return found


@pytest.mark.parametrize("mount", MOUNTS)
def test_no_spelling_reads_what_lies_beside(target: Target, mount: str) -> None:
    assert gets(target, [mount]) == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_no_spelling_writes_or_removes_what_lies_beside(target: Target, method: str) -> None:
    before = {path: path.read_bytes() for path in target.outside.parent.iterdir() if path.is_file()}
    for mount in (
        "/objects/{}",
        "/blobs/{}",
        "/api/2.0/mlflow-artifacts/artifacts/{}",
        "/api/2.0/mlflow-artifacts/mpu/create/{}",
    ):
        for spelling in SPELLINGS:
            answer = target.ask(method, mount.format(spelling), b"overwritten")
            assert answer.status < 500, (mount, spelling, answer)
    assert {path: path.read_bytes() for path in target.outside.parent.iterdir() if path.is_file()} == before
    assert (target.workspace.settings.workspace / "token").read_text().strip() == target.token


NGINX = """daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{}}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{to}/; proxy_set_header Host 127.0.0.1:{to};
proxy_set_header Authorization "Bearer {token}"; }} }} }}
"""
CADDY = """{{
admin off
auto_https off
}}
http://127.0.0.1:{port} {{
reverse_proxy 127.0.0.1:{to} {{
header_up Host 127.0.0.1:{to}
header_up Authorization "Bearer {token}"
}}
}}
"""


@pytest.fixture(params=["nginx", "caddy"])
def behind(request: pytest.FixtureRequest, target: Target, tmp_path: Path) -> Iterator[Target]:
    """The server behind a proxy, which decodes, joins and cleans paths in its own way."""
    program = shutil.which(request.param, path="/usr/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip(f"{request.param} is not installed")
    port = free_port()
    facts = {"folder": tmp_path, "port": port, "to": target.port, "token": target.token}
    file = tmp_path / "settings"
    if request.param == "nginx":
        file.write_text(NGINX.format(**facts))
        command = [program, "-c", str(file), "-p", str(tmp_path)]
    else:
        file.write_text(CADDY.format(**facts))
        command = ["env", f"HOME={tmp_path}", program, "run", "--config", str(file), "--adapter", "caddyfile"]
    try:
        subprocess.run([program, "-v" if request.param == "nginx" else "version"], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        pytest.skip(f"{request.param} does not start")
    with running(command, log=tmp_path / "log", ready=lambda: listens(port)):
        yield replace(target, port=port)


def test_no_spelling_reads_what_lies_beside_through_a_proxy(behind: Target) -> None:
    assert (
        gets(
            behind,
            [
                "/{}",
                "/objects/{}",
                "/blobs/{}",
                "/api/2.0/mlflow-artifacts/artifacts/{}",
                "/get-artifact?run_id=RUN&path={}",
            ],
        )
        == []
    )
    listed = behind.ask("GET", f"/api/2.0/mlflow/artifacts/list?run_id={behind.run}")
    assert listed.status == 200, "the way through the proxy is open"
