"""Where the server may listen, and by which names it is called."""

from __future__ import annotations

import ssl
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import urllib3

from flyball.access.credentials import keep_token, kept_token, token_for
from flyball.errors import InvalidInput
from flyball.server.app import create_app
from flyball.server.hosts import check_address, names_of
from flyball.server.main import make_server
from flyball.settings import Settings, load_settings
from flyball.workspace import Workspace
from tests.servers.processes import free_port

TLS = {"tls_cert": "c.pem", "tls_key": "k.pem"}


def settings(tmp_path: Path, **given: object) -> Settings:
    return load_settings(given, environment={}, start=tmp_path)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"auth": "on"},
        {"host": "::1"},
        {"host": "0.0.0.0", "auth": "on", **TLS},
        {"host": "10.0.0.1", "auth": "on", "behind_proxy": "https://ml.example.org"},
        {"auth": "on", "behind_proxy": "https://ml.example.org"},
    ],
    ids=["loopback", "loopback with accounts", "loopback of IPv6", "TLS", "proxy", "proxy on this machine"],
)
def test_it_listens_where_nobody_unknown_comes_in(tmp_path: Path, given: dict[str, object]) -> None:
    check_address(settings(tmp_path, **given))


@pytest.mark.parametrize(
    "given",
    [
        {"host": "0.0.0.0"},
        {"host": "0.0.0.0", "auth": "on"},
        {"host": "0.0.0.0", **TLS},
        {"host": "192.168.1.1", "auth": "on", "behind_proxy": "http://ml.example.org"},
        {"behind_proxy": "https://ml.example.org"},
        {"auth": "on", "tls_cert": "c.pem"},
        {"host": "127.0.0.1.evil.example", "auth": "on"},
    ],
    ids=["all", "no TLS", "no login", "http proxy", "proxy without login", "half a certificate", "a name"],
)
def test_it_does_not_listen_where_others_could_come_in_or_listen_too(tmp_path: Path, given: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        check_address(settings(tmp_path, **given))


def test_it_answers_to_its_own_names_alone(tmp_path: Path) -> None:
    found = names_of(
        settings(tmp_path, hosts="ML.example.org, other", behind_proxy="https://front:8443", host="0.0.0.0")
    )
    assert found == {"127.0.0.1", "localhost", "::1", "ml.example.org", "other", "front"}


def test_a_token_is_kept_for_its_server_and_read_by_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = keep_token("https://ML.example.org/path", "fly_a_b")
    assert path.stat().st_mode & 0o777 == 0o600
    assert kept_token("https://ml.example.org") == "fly_a_b"
    assert kept_token("http://ml.example.org") == kept_token("https://ml.example.org:8443") == ""
    assert token_for("https://ml.example.org", "given", tmp_path) == "given"
    path.chmod(0o644)
    with pytest.raises(InvalidInput, match="Others may read"):
        kept_token("https://ml.example.org")
    path.chmod(0o600)
    keep_token("https://ml.example.org", "")
    assert kept_token("https://ml.example.org") == ""


def test_the_token_of_a_workspace_is_shown_to_its_own_server_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "token").write_text("fly_local_x")
    assert token_for("http://127.0.0.1:9", "", tmp_path) == ""
    (tmp_path / "up.json").write_text('{"url": "http://127.0.0.1:9", "pid": 1}')
    assert token_for("http://127.0.0.1:9", "", tmp_path) == "fly_local_x"
    assert token_for("http://127.0.0.1:10", "", tmp_path) == ""
    assert token_for("http://example.org:9", "", tmp_path) == ""


def test_with_a_certificate_it_speaks_https(workspace: Workspace, tmp_path: Path) -> None:
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "1",
    ]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(tmp_path / "k.pem"), "-out", str(tmp_path / "c.pem")]
    subprocess.run([*made, *names, *files], check=True, capture_output=True)
    workspace.settings = replace(
        workspace.settings, auth="on", tls_cert=str(tmp_path / "c.pem"), tls_key=str(tmp_path / "k.pem")
    )
    port = free_port()
    server = make_server(workspace, create_app(workspace), host="127.0.0.1", port=port, grace=1)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    http = urllib3.PoolManager(
        retries=False, ca_certs=str(tmp_path / "c.pem"), ssl_minimum_version=ssl.TLSVersion.TLSv1_2
    )
    answer = http.request("GET", f"https://127.0.0.1:{port}/api/accounts/whoami", headers={"connection": "close"})
    assert answer.status == 401
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    http.clear()
    server.should_exit = True
    thread.join()
