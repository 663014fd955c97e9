"""Nobody names a place: what looks like a file, a bucket or an address of our own network is a text, and is never followed."""

from __future__ import annotations

import ast
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flyball
from flyball.alerts.public_addresses import NotPublic, is_public, public_address
from tests.attacks.conftest import SECRET, Target

PLACES = [
    "file:///{canary}", "file://localhost/{canary}", "{canary}", "s3://other-bucket/prefix", "gs://bucket/x", "http://127.0.0.1:9/x",
    "http://169.254.169.254/latest/meta-data", "dbfs:/x", "hdfs://h/x", "ftp://h/x", "\\\\host\\share", "mlflow-artifacts:/../../x",
]  # fmt: skip


class Watch:
    """What this process opens and connects to while it is watched."""

    def __init__(self) -> None:
        self.is_on = False
        self.opened: list[str] = []
        self.connected: list[Any] = []

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        if event == "open" and isinstance(arguments[0], str):
            self.opened.append(arguments[0])
        elif event == "socket.connect":
            self.connected.append(arguments[1])


WATCH = Watch()
sys.addaudithook(WATCH.hear)


@pytest.fixture
def watch() -> Iterator[Watch]:
    WATCH.opened, WATCH.connected, WATCH.is_on = [], [], True
    yield WATCH
    WATCH.is_on = False


def told(place: str, target: Target) -> str:
    return place.format(canary=target.outside)


@pytest.mark.parametrize("place", PLACES)
def test_places_of_others_are_never_read(target: Target, watch: Watch, place: str) -> None:
    where, run = told(place, target), target.run
    asked: list[tuple[str, dict[str, Any]]] = [
        ("/api/2.0/mlflow/experiments/create", {"name": f"e {place}"[:200], "artifact_location": where}),
        ("/api/2.0/mlflow/registered-models/create", {"name": "m"}),
        ("/api/2.0/mlflow/model-versions/create", {"name": "m", "source": where, "run_id": run}),
        ("/api/2.0/mlflow/runs/log-inputs", {"run_id": run, "datasets": [
            {"dataset": {"name": "d", "digest": "x", "source_type": "local", "source": json.dumps({"uri": where})}}]}),
        ("/api/data/declare", {"dataset": {"name": "stolen", "source": where}}),
        ("/api/experiments/create", {"name": f"n {place}"[:200], "location": where}),
        ("/api/model_versions/create", {"model": "m", "source": where}),
        ("/api/features/declare", {"view": {"name": "v", "source": where, "entity": ["id"], "time": "at", "features": []}}),
    ]  # fmt: skip
    for path, body in asked:
        answer = target.ask("POST", path, json.dumps(body).encode())
        assert answer.status < 500, (path, answer)
        assert SECRET not in answer.body
    for path in (
        "/api/2.0/mlflow/model-versions/get-download-uri?name=m&version=1", "/model-versions/get-artifact?name=m&version=1&path=x",
        "/api/2.0/mlflow/model-versions/search", "/api/data/list", "/api/2.0/mlflow/experiments/search?max_results=100",
    ):  # fmt: skip
        answer = target.ask("GET", path)
        assert answer.status < 500, (path, answer)
        assert SECRET not in answer.body
    assert str(target.outside) not in watch.opened
    foreign = [place for place in watch.connected if place[1] != target.port]
    assert foreign == []


PRIVATE = [
    "127.0.0.1", "127.1", "0.0.0.0", "0", "2130706433", "0x7f000001", "017700000001", "localhost", "10.0.0.1",
    "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "[::1]", "[::]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[fe80::1]", "[fd00::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "224.0.0.1",
    "255.255.255.255",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
def test_no_address_of_our_own_network_is_even_knocked_at(host: str, watch: Watch) -> None:
    with pytest.raises((NotPublic, OSError)):
        public_address(host, 80)
    assert watch.connected == []


def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch, watch: Watch) -> None:
    """A name may stand at a public and at a private address at once, or change between two questions."""
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("93.184.216.34", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_named: both)
    with pytest.raises(NotPublic):
        public_address("rebinding.example", 80)
    assert watch.connected == []


@pytest.mark.parametrize("host", PRIVATE)
def test_webhooks_do_not_reach_our_own_network(target: Target, watch: Watch, host: str) -> None:
    body = {"name": f"w {host}", "url": f"http://{host}:9/x", "events": ["model_version.created"]}
    made = target.ask("POST", "/api/webhooks/create", json.dumps(body).encode())
    if made.status == 200:
        tested = target.ask("POST", "/api/webhooks/test", json.dumps({"id": json.loads(made.body)["id"]}).encode())
        assert b'"success":true' not in tested.body.replace(b" ", b"")
    assert [place for place in watch.connected if place[1] != target.port] == []


def test_public_addresses_are_public() -> None:
    assert is_public("8.8.8.8")
    assert is_public("2606:4700:4700::1111")


# Who may speak to the network, and why nobody from outside chooses to whom.
SPEAKS = {
    "alerts/http_post.py": "the one way out for addresses that users choose",
    "alerts/public_addresses.py": "its look at the address",
}
OF_ADMINS_OR_OF_ONES_OWN = (
    "access/", "cli/", "client.py", "deployment/", "doctor/", "executors/", "governance/key_wrappers/",
    "interchange/", "loops/replay.py", "packaging/", "server/provider.py", "server/ready.py",
    "server/serving_door.py", "server/sso.py", "server/up.py", "server/login", "storage/", "tracking/sender.py",
)  # fmt: skip
NETWORK = {
    "urllib3",
    "requests",
    "httpx",
    "httpx2",
    "aiohttp",
    "http.client",
    "urllib.request",
    "ftplib",
    "smtplib",
    "telnetlib",
}


def test_only_a_few_files_speak_to_the_network() -> None:
    root = Path(flyball.__file__).parent
    found = []
    for path in root.rglob("*.py"):
        name = path.relative_to(root).as_posix()
        if name in SPEAKS or name.startswith(OF_ADMINS_OR_OF_ONES_OWN) or name == "alerts/channels/email.py":
            continue
        text = path.read_text(encoding="utf-8")
        if not any(word in text for word in NETWORK):
            continue
        for node in ast.walk(ast.parse(text)):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{name} imports {one}" for one in names if one in NETWORK]
    assert found == []
