from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from flyball.clock import FixedClock
from flyball.serving.access_log import AccessLog
from flyball.serving.follower import Follower
from flyball.serving.inference_api import create_app
from tests.serving.conftest import MakeArm, Publish


@pytest.fixture
def ready(follower: Follower, publish: Publish, make_arm: MakeArm) -> Follower:
    publish(make_arm(1))
    follower.look()
    return follower


def test_each_request_is_a_line_without_what_it_held(ready: Follower, tmp_path: Path) -> None:
    log = AccessLog(create_app(ready, clock=FixedClock()), str(tmp_path / "access.jsonl"), FixedClock())
    with TestClient(log) as client:
        client.post("/predict/shop?token=secret", json={"rows": [{"x": 1.0, "n": 1, "city": "Secretville"}]})
        client.get("/predict/nothing")
    log.close()
    text = (tmp_path / "access.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("POST", "/predict/shop", 200), ("GET", "/predict/nothing", 404),
    ]  # fmt: skip
    assert lines[0]["bytes"] > 10
    assert lines[0]["ms"] > 0
    assert "ecret" not in text


def test_a_disk_that_takes_nothing_stops_no_answer(ready: Follower, tmp_path: Path) -> None:
    log = AccessLog(create_app(ready, clock=FixedClock()), str(tmp_path), FixedClock())
    with TestClient(log) as client:
        assert client.get("/health").status_code == 200
    log.close()
