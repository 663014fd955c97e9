from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import pytest
from starlette.testclient import TestClient

from flyball.clock import FixedClock
from flyball.models.package import ModelPackage
from flyball.serving import explaining
from flyball.serving.follower import Follower
from flyball.serving.inference_api import create_app
from flyball.serving.manifest import Arm, Manifest

MakeArm = Callable[..., Arm]
MakePackage = Callable[..., ModelPackage]
Publish = Callable[..., Manifest]

ROW: dict[str, Any] = {"x": 0.5, "n": 1, "city": "a"}
CLASSIFIER = (
    "def predict(table):\n"
    "    chances = [x / 4 for x in table['x'].to_pylist()]\n"
    "    return {'prediction': ['late' if c > 0.3 else 'on time' for c in chances], 'probability': chances}\n"
)
FAILS = "def predict(table):\n    if 9.0 in table['x'].to_pylist():\n        raise ValueError('nine')\n    return table['x']\n"


@pytest.fixture
def client(follower: Follower, make_package: MakePackage, make_arm: MakeArm, publish: Publish) -> Iterator[TestClient]:
    champion = make_arm(3, weight=0.5, package=make_package(source=CLASSIFIER))
    publish(champion, make_arm(4, role="challenger", weight=0.5), generation=4)
    follower.look()
    with TestClient(create_app(follower, clock=FixedClock(), max_body=100_000)) as client:
        yield client


def test_the_champions_prediction_is_shared_out(client: TestClient) -> None:
    answer = client.post("/explain/shop", json={"rows": [ROW, {**ROW, "x": 2.0}], "ids": ["a", "b"]})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["deployment"], body["model"], body["version"], body["generation"]) == ("shop", "model", 3, 4)
    assert body["ids"] == ["a", "b"]
    found = body["explanation"]
    assert (found["method"], found["exact"], found["scale"], found["model"]) == (
        "sampling", False, "probability", "models:/model/3",
    )  # fmt: skip
    assert found["base"] == pytest.approx((0.125 + 0.5) / 2)  # of the example's two rows
    first, second = found["rows"]
    assert first["contributions"][0] == {
        "column": "x", "value": 0.5, "contribution": pytest.approx(0.125 - found["base"]), "error": pytest.approx(0.0, abs=0.1),
    }  # fmt: skip
    assert second["prediction"] == 0.5


def test_columns_are_taken_as_by_predict(client: TestClient) -> None:
    body = {"columns": {"x": [0.5], "n": [1], "city": ["a"]}}
    assert client.post("/explain/shop?samples=8", json=body).json()["explanation"]["base"] > 0


def test_an_explanation_is_neither_logged_nor_counted(client: TestClient, follower: Follower) -> None:
    client.post("/explain/shop", json={"rows": [ROW]})
    endpoint = follower.endpoint("shop")
    assert (endpoint.counters.requests, endpoint.log.logged) == (0, 0)


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/explain/shop", {"rows": [ROW] * 101}, 422, "101 rows are too many"),
        ("/explain/shop", {"rows": []}, 422, "nothing to explain"),
        ("/explain/shop", {"rows": [{**ROW, "y": 1}]}, 422, "no column 'y'"),
        ("/explain/shop", {"rows": [ROW], "ids": ["a", "b"]}, 422, "1 rows"),
        ("/explain/shop", {"row": ROW}, 422, "neither `rows` nor `columns`"),
        ("/explain/shop", {"rows": 3}, 400, "rows"),
        ("/explain/shop?samples=1e9", {"rows": [ROW]}, 422, "samples is '1e9'"),
        ("/explain/shop?samples=100000", {"rows": [ROW]}, 422, "samples"),
        ("/explain/shop?samples=128", {"rows": [ROW] * 51}, 422, "128 samples are too many for 51 rows"),
        ("/explain/shop?sample=9", {"rows": [ROW]}, 422, "no option 'sample'"),
        ("/explain/shop?target=late", {"rows": [ROW]}, 422, "knows no classes"),
        ("/explain/nobody", {"rows": [ROW]}, 404, "nobody"),
    ],
)
def test_bad_requests_are_refused(client: TestClient, path: str, body: dict[str, Any], status: int, says: str) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == status
    assert says in answer.json()["message"]


def test_no_body_and_no_json_are_refused(client: TestClient) -> None:
    assert client.post("/explain/shop", content=b"").status_code == 400
    assert client.post("/explain/shop", content=b"\xff{").status_code == 400
    assert client.post("/explain/shop", content=b"x" * 200_000).status_code == 413
    assert client.get("/explain/shop").status_code == 405


def test_a_model_that_fails_says_so(
    follower: Follower, make_package: MakePackage, make_arm: MakeArm, publish: Publish
) -> None:
    publish(make_arm(1, package=make_package(source=FAILS)))
    follower.look()
    with TestClient(create_app(follower, clock=FixedClock())) as client:
        answer = client.post("/explain/shop", json={"rows": [{**ROW, "x": 9.0}]})
    assert answer.status_code == 500
    assert "ValueError: nine" in answer.json()["message"]


def test_predictions_go_on_while_explanations_wait_and_more_are_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()

    def slow(*_: object) -> dict[str, str]:
        may_end.wait(30)
        return {}

    monkeypatch.setattr(explaining, "explain", slow)
    with ThreadPoolExecutor(20) as callers:
        asked = [callers.submit(client.post, "/explain/shop", json={"rows": [ROW]}) for _ in range(12)]
        assert client.post("/predict/shop", json={"rows": [ROW]}).status_code == 200
        refused = next(as_completed(asked, timeout=30)).result()
        may_end.set()
        codes = [one.result(30).status_code for one in asked]
    assert refused.headers["retry-after"] == "1"
    assert codes.count(200) == explaining.MOST_WAITING
    assert codes.count(429) == 4
