"""Several workers on one port: one that is killed under load comes back, and nothing is logged twice."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flyball.serving.manifest import Arm, Manifest, follower_prefix
from flyball.serving.prediction_log import read_predictions
from flyball.serving.segments import read_segment, segments_of
from flyball.storage.local_objects import LocalObjects

MakeArm = Callable[..., Arm]
Publish = Callable[..., Manifest]

ROW = {"x": 0.5, "n": 1, "city": "a"}


@pytest.fixture
def server(make_arm: MakeArm, publish: Publish, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, int]]:
    publish(make_arm(1))
    command = [sys.executable, "-m", "flyball.serving.model_server", "--objects", str(tmp_path / "objects")]
    command += ["--port", "0", "--replica", "r", "--workers", "2", "--interval", "0.1"]
    with (tmp_path / "errors").open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (tmp_path / "errors").read_text()
    facts = json.loads(line)
    assert facts["workers"] == ["r-w1", "r-w2"]
    host, _, port = facts["address"].removeprefix("http://").partition(":")
    yield process, host, int(port)
    process.terminate()
    assert process.wait(60) == 0
    process.stdout.close()


def ask(host: str, port: int, name: str) -> int:
    """Status of one prediction on a connection of its own; 0 where the connection broke."""
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request("POST", "/predict/shop", json.dumps({"rows": [ROW], "ids": [name]}))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(each) for each in found]


def wait_for(store: LocalObjects, replicas: int) -> None:
    deadline = time.monotonic() + 60
    while sum(b'"ready"' in store.get(item.key) for item in store.list(follower_prefix("shop"))) < replicas:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
def test_a_worker_that_is_killed_under_load_comes_back(server: Any, store: LocalObjects) -> None:
    process, host, port = server
    wait_for(store, 2)
    statuses: dict[str, int] = {}
    done = threading.Event()

    def load(own: int) -> None:
        count = 0
        while not done.is_set():
            count += 1
            statuses[f"{own}-{count}"] = ask(host, port, f"{own}-{count}")

    threads = [threading.Thread(target=load, args=(own,)) for own in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    killed = workers_of(process)[0]
    os.kill(killed, signal.SIGKILL)
    time.sleep(1.5)
    done.set()
    for thread in threads:
        thread.join()
    deadline = time.monotonic() + 60
    while len(workers_of(process)) < 2 or killed in workers_of(process):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # Who was being answered by the one that died hears nothing; nobody is told anything wrong, and the other one goes on.
    assert set(statuses.values()) <= {0, 200}
    assert list(statuses.values()).count(0) <= 2
    time.sleep(1.5)
    logged = [
        name
        for segment in segments_of(store, "shop")
        for name in read_segment(store.get(segment.key), None)["prediction_id"].to_pylist()
    ]
    assert len(logged) == len(set(logged))
    assert set(read_predictions(store, "shop")[0]["prediction_id"].to_pylist()) <= set(statuses)
    assert ask(host, port, "last") == 200
