"""Traces from the request to the prediction log, sent to a real receiver; and nothing where nothing is asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from flyball.clock import SystemClock
from flyball.errors import InvalidInput
from flyball.serving.follower import Follower
from flyball.serving.inference_api import create_app
from flyball.serving.manifest import Arm, Manifest
from flyball.serving.prediction_log import read_predictions
from flyball.storage.local_objects import LocalObjects
from flyball.telemetry import NO_TRACE, Telemetry, parse_traceparent, traceparent_of
from tests.servers.otlp import Received, otlp_receiver

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
ROW = {"x": 0.5, "n": 1, "city": "a"}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Received]:
    with otlp_receiver() as received:
        yield received


def serve(follower: Follower, telemetry: Telemetry | None) -> TestClient:
    return TestClient(create_app(follower, clock=SystemClock(), telemetry=telemetry))


@pytest.fixture
def follower(store: LocalObjects, make_arm: Callable[..., Arm], publish: Callable[..., Manifest]) -> Iterator[Follower]:
    publish(make_arm(1), make_arm(2, role="shadow", weight=0.0))
    made = Follower(store, replica="r1")
    made.look()
    yield made
    made.stop()


def test_a_request_is_traced_from_its_header_to_the_log(
    receiver: Received, follower: Follower, store: LocalObjects
) -> None:
    telemetry = Telemetry(receiver.url, "model-server")
    with serve(follower, telemetry) as client:
        client.post("/predict/shop", json={"rows": [ROW]}, headers={"traceparent": PARENT}).raise_for_status()
        client.post("/flush").raise_for_status()
        telemetry.close()
        spans = receiver.wait_for("POST /predict/shop", "queue", "decode", "predict", "log", "shadow")
    mine = {span["name"]: span for span in spans if span["trace"] == TRACE}
    root = mine.pop("POST /predict/shop")
    assert (root["parent"], root["kind"], root["service"]) == ("b7ad6b7169203331", 2, "flyball-model-server")
    assert root["attributes"]["flyball.deployment"] == "shop"
    assert root["attributes"]["http.response.status_code"] == 200
    assert set(mine) == {"queue", "decode", "predict", "log", "shadow"}
    assert {span["parent"] for span in mine.values()} == {root["id"]}
    inside = [mine[name] for name in ("queue", "decode", "predict", "log")]
    assert all(root["start"] <= span["start"] <= span["end"] <= root["end"] for span in inside)
    log, _ = read_predictions(store, "shop")
    assert set(log["trace_id"].to_pylist()) == {TRACE}


def test_a_request_without_a_header_begins_a_trace(receiver: Received, follower: Follower, store: LocalObjects) -> None:
    telemetry = Telemetry(receiver.url, "model-server")
    before = len(receiver.spans)
    with serve(follower, telemetry) as client:
        client.post("/predict/shop", json={"rows": [ROW]}).raise_for_status()
        client.post("/flush")
        telemetry.close()
    root = next(span for span in receiver.spans[before:] if span["name"].startswith("POST"))
    log, _ = read_predictions(store, "shop")
    assert set(log["trace_id"].to_pylist()) == {root["trace"]}
    assert root["parent"] == ""


def test_without_an_endpoint_the_trace_of_the_caller_is_kept_all_the_same(
    follower: Follower, store: LocalObjects
) -> None:
    with serve(follower, None) as client:
        client.post("/predict/shop", json={"rows": [ROW]}, headers={"traceparent": PARENT}).raise_for_status()
        client.post("/predict/shop", json={"rows": [ROW]}, headers={"traceparent": "nonsense"}).raise_for_status()
        client.post("/flush")
    log, _ = read_predictions(store, "shop")
    assert set(log["trace_id"].to_pylist()) == {TRACE, None}


def test_a_receiver_that_is_not_there_costs_no_answer(follower: Follower) -> None:
    telemetry = Telemetry("http://127.0.0.1:9", "model-server")
    with serve(follower, telemetry) as client:
        assert client.post("/predict/shop", json={"rows": [ROW]}).status_code == 200


@pytest.mark.parametrize(
    "text",
    ["", "00", f"ff-{TRACE}-b7ad6b7169203331-01", f"00-{'0' * 32}-b7ad6b7169203331-01", f"00-{TRACE}-{'0' * 16}-01",
     f"00-{TRACE.upper()}-b7ad6b7169203331-01", f"{PARENT}-more", "00-" + "x" * 60],
    ids=["empty", "short", "version", "no trace", "no span", "upper case", "more", "other letters"],
)  # fmt: skip
def test_a_header_that_is_none_is_as_if_it_were_not_there(text: str) -> None:
    assert parse_traceparent(text) is None


def test_a_header_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert parse_traceparent(f"01-{TRACE}-b7ad6b7169203331-00-more") == (TRACE, "b7ad6b7169203331", False)


def test_what_has_one_id_has_one_place_in_every_process() -> None:
    assert traceparent_of("training-1") == traceparent_of("training-1") != traceparent_of("training-2")
    assert parse_traceparent(traceparent_of("training-1"))


def test_an_endpoint_that_is_no_address_is_refused() -> None:
    with pytest.raises(InvalidInput):
        Telemetry("localhost:4318")


def test_nothing_is_loaded_and_nothing_is_made_while_it_is_off() -> None:
    code = (
        "import sys; from flyball.telemetry import Telemetry; t = Telemetry(); "
        "assert t.trace('').span('a') is t.trace('').span('b'); "
        "assert not any(name.startswith('opentelemetry') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert NO_TRACE.waiting("queue", len) is len
