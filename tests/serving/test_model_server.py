from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
import urllib3

from flyball.models.package import ModelPackage
from flyball.serving.manifest import Arm, Manifest, follower_key
from flyball.serving.prediction_log import read_predictions
from flyball.storage.local_objects import LocalObjects

MakeArm = Callable[..., Arm]
MakePackage = Callable[..., ModelPackage]
Publish = Callable[..., Manifest]

ROW = {"x": 0.5, "n": 1, "city": "a"}
SLOW = "import time\ndef predict(table):\n    time.sleep(0.3)\n    return [1.0] * table.num_rows\n"


class Server:
    """A model server in a process of its own."""

    def __init__(self, folder: Path, *arguments: str, stdin: int | IO[bytes] = subprocess.DEVNULL) -> None:
        command = [sys.executable, "-W", "error", "-m", "flyball.serving.model_server", "--objects", str(folder)]
        self.errors = folder.parent / "server.err"
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [*command, "--port", "0", "--replica", "r1", "--interval", "0.05", *arguments],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.errors.read_text()
        self.address = json.loads(line)["address"]
        self.http = urllib3.PoolManager(retries=False, timeout=30, maxsize=8)

    def get(self, path: str) -> Any:
        return self.http.request("GET", self.address + path).json()

    def post(self, path: str, body: object = None) -> urllib3.BaseHTTPResponse:
        return self.http.request("POST", self.address + path, json=body)

    def wait_for(self, generation: int, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while self.get("/health")["deployments"].get("shop", {}).get("generation") != generation:
            assert time.monotonic() < deadline, self.errors.read_text()
            time.sleep(0.02)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        assert self.process.stdout is not None
        code = self.process.wait(60)
        self.process.stdout.close()
        self.http.clear()
        return code


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(*arguments: str, **options: Any) -> Server:
        started.append(Server(tmp_path / "objects", *arguments, **options))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def test_generations_are_swapped_under_load_without_a_failed_or_mixed_request(
    serve: Callable[..., Server], make_arm: MakeArm, publish: Publish
) -> None:
    arms = [make_arm(version) for version in (1, 2, 3)]
    publish(arms[0])
    server = serve()
    server.wait_for(1)
    done, seen, wrong = threading.Event(), set(), []

    def ask() -> None:
        while not done.is_set():
            answer = server.post("/predict/shop", {"rows": [ROW] * 5})
            found = answer.json() if answer.status == 200 else {}
            kinds = {(each["version"], each["prediction"]) for each in found.get("predictions", [])}
            seen.update(kinds)
            if len(kinds) != 1 or any(prediction != float(version) for version, prediction in kinds):
                wrong.append(answer.data)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for generation in range(2, 12):
        publish(arms[generation % 3], generation=generation)
        server.wait_for(generation)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert seen == {(1, 1.0), (2, 2.0), (3, 3.0)}


def test_kill_leaves_what_was_flushed(
    serve: Callable[..., Server], make_arm: MakeArm, publish: Publish, store: LocalObjects
) -> None:
    publish(make_arm(1))
    server = serve()
    server.wait_for(1)
    server.post("/predict/shop", {"rows": [ROW] * 3, "ids": ["a", "b", "c"]})
    assert server.post("/flush").json()["flushed"]
    server.post("/predict/shop", {"rows": [ROW], "ids": ["d"]})
    os.kill(server.process.pid, signal.SIGKILL)
    assert server.process.wait(30) == -signal.SIGKILL
    found = set(read_predictions(store, "shop")[0]["prediction_id"].to_pylist())
    assert {"a", "b", "c"} <= found
    again = serve()
    again.wait_for(1)
    again.post("/predict/shop", {"rows": [ROW] * 2, "ids": ["c", "d"]})
    again.post("/flush")
    assert sorted(read_predictions(store, "shop")[0]["prediction_id"].to_pylist()) == ["a", "b", "c", "d"]


def test_sigterm_finishes_the_request_and_the_log(
    serve: Callable[..., Server], make_arm: MakeArm, make_package: MakePackage, publish: Publish, store: LocalObjects
) -> None:
    publish(make_arm(1, package=make_package(source=SLOW)))
    server = serve()
    server.wait_for(1)
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(server.post("/predict/shop", {"rows": [ROW], "ids": ["a"]}).status)
    )
    asking.start()
    time.sleep(0.1)
    assert server.stop() == 0
    asking.join()
    assert answers == [200]
    assert read_predictions(store, "shop")[0]["prediction_id"].to_pylist() == ["a"]
    assert store.stat(follower_key("shop", "r1")) is None


def test_it_stops_when_its_parent_is_gone(serve: Callable[..., Server], make_arm: MakeArm, publish: Publish) -> None:
    publish(make_arm(1))
    server = serve("--with-parent", stdin=subprocess.PIPE)
    server.wait_for(1)
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert server.process.wait(30) == 0


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "flyball.serving.model_server", "--objects", str(tmp_path), "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"127.0.0.1:{port} cannot be bound" in done.stderr


def test_half_requests_and_noise_do_not_stop_it(
    serve: Callable[..., Server], make_arm: MakeArm, publish: Publish
) -> None:
    publish(make_arm(1))
    server = serve()
    server.wait_for(1)
    host, port = server.address.removeprefix("http://").split(":")
    for noise in (
        b"\x00\xff\r\n\r\n",
        b"POST /predict/shop HTTP/1.1\r\nContent-Length: 100\r\n\r\n{",
        b"GET / HTTP/9\r\n\r\n",
    ):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(noise)
    assert server.post("/predict/shop", {"rows": [ROW]}).status == 200
