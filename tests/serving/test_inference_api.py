from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from flyball.clock import FixedClock
from flyball.models.package import ModelPackage
from flyball.serving.follower import Follower
from flyball.serving.inference_api import create_app
from flyball.serving.manifest import Arm, Manifest
from flyball.serving.prediction_log import read_predictions
from flyball.storage.local_objects import LocalObjects

MakeArm = Callable[..., Arm]
MakePackage = Callable[..., ModelPackage]
Publish = Callable[..., Manifest]

ROW: dict[str, Any] = {"x": 0.5, "n": 1, "city": "a"}
INPUTS: list[dict[str, Any]] = [
    {"name": "x", "shape": [2], "datatype": "FP64", "data": [0.5, 0.7]},
    {"name": "n", "shape": [2, 1], "datatype": "INT64", "data": [1, 2]},
    {"name": "city", "shape": [2, 1], "datatype": "BYTES", "data": [["a"], ["b"]]},
]
CLASSIFIER = (
    "def predict(table):\n"
    "    chances = [x / 2 for x in table['x'].to_pylist()]\n"
    "    return {'prediction': ['late' if c > 0.3 else 'on time' for c in chances], 'probability': chances}\n"
)
FAILS_ON_TEN = (
    "def predict(table):\n"
    "    if 10.0 in table['x'].to_pylist():\n"
    "        raise ValueError('ten')\n"
    "    return table['x']\n"
)
SHORT = (
    "def predict(table):\n    n = table.num_rows\n"
    "    return {'prediction': [2] * n, 'probability': [0.7] * n, 'probabilities': [[0.1, 0.2, 0.7]] * n}\n"
)


@pytest.fixture
def client(follower: Follower, make_package: MakePackage, make_arm: MakeArm, publish: Publish) -> Iterator[TestClient]:
    champion = make_arm(1, weight=0.5, package=make_package(source=CLASSIFIER))
    publish(champion, make_arm(2, role="challenger", weight=0.0), generation=4)
    follower.look()
    with TestClient(create_app(follower, clock=FixedClock(), max_body=100_000)) as client:
        yield client


def serve(follower: Follower) -> TestClient:
    follower.look()
    return TestClient(create_app(follower, clock=FixedClock()))


def test_rows_are_answered(client: TestClient) -> None:
    body = {"rows": [ROW, {**ROW, "x": 1.0}], "ids": ["a", "b"]}
    answer = client.post("/predict/shop", json=body)
    assert answer.status_code == 200
    assert answer.json() == {
        "deployment": "shop",
        "model": "model",
        "version": 1,
        "generation": 4,
        "predictions": [
            {"id": "a", "prediction": "on time", "probability": 0.25, "version": 1},
            {"id": "b", "prediction": "late", "probability": 0.5, "version": 1},
        ],
    }


def test_columns_are_answered_like_rows(client: TestClient) -> None:
    body = {"columns": {"x": [0.5, 1], "n": [1, 1], "city": ["a", None]}}
    found = client.post("/predict/shop", json=body).json()["predictions"]
    assert [each["prediction"] for each in found] == ["on time", "late"]
    assert len({each["id"] for each in found}) == 2


def test_no_rows_are_answered_with_no_predictions(client: TestClient) -> None:
    assert client.post("/predict/shop", json={"rows": []}).json()["predictions"] == []


def test_predictions_rest_in_the_log_after_a_flush(client: TestClient, store: LocalObjects) -> None:
    body = {"rows": [ROW], "ids": ["a"], "time": "2013-03-01T12:00:00Z", "request_id": "q"}
    client.post("/predict/shop", json=body)
    assert client.post("/flush").json() == {"flushed": True, "logged": {"shop": 1}}
    row = read_predictions(store, "shop")[0].to_pylist()[0]
    assert (row["prediction_id"], row["at"]) == ("a", datetime(2013, 3, 1, 12, tzinfo=UTC))
    assert (row["input.city"], row["prediction"], row["request_id"]) == ("a", "on time", "q")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"rows": [{**ROW, "cty": "a"}]}, "no column 'cty'"),
        ({"rows": [{"x": 1.0, "n": 1}]}, "Row 0 has no 'city'"),
        ({"rows": [ROW, {"x": 1.0}]}, "Row 1 has no"),
        ({"rows": [{**ROW, "x": "much"}]}, "Column 'x' holds string"),
        ({"rows": [{**ROW, "x": True}]}, "Column 'x' holds bool"),
        ({"rows": [{**ROW, "n": 1.5}]}, "Column 'n'"),
        ({"rows": [{**ROW, "n": 2**70}]}, "'n'"),
        ({"rows": [{**ROW, "city": {"name": "a"}}]}, "Column 'city' holds struct"),
        ({"rows": [ROW, {**ROW, "x": "1"}]}, "'x' are of no one type"),
        ({"columns": {"x": [1.0], "n": [1, 2], "city": ["a"]}}, "different lengths"),
        ({"columns": {"x": [1.0], "n": [1]}}, "no column 'city'"),
        ({}, "neither `rows` nor `columns`"),
        ({"rows": [ROW], "columns": {}}, "or both"),
        ({"rows": [ROW], "ids": ["a", "b"]}, "1 rows"),
        ({"rows": [ROW, ROW], "ids": ["a", "a"]}, "same id"),
        ({"rows": [ROW], "ids": [""]}, "empty"),
        ({"rows": [ROW], "time": "tomorrow"}, "not a time"),
    ],
)
def test_what_does_not_fit_is_refused_and_named(client: TestClient, body: dict[str, Any], told: str) -> None:
    answer = client.post("/predict/shop", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert told in answer.json()["message"]


def test_a_wrong_name_is_told_the_near_one(client: TestClient) -> None:
    answer = client.post("/predict/shop", json={"rows": [{"x": 1.0, "n": 1, "cty": "a"}]})
    assert answer.json()["hint"] == "Did you mean 'city'?"


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"rows": 7}', b'{"rows": [7]}', b"\xff\xfe", b"[" * 50_000])
def test_what_is_no_request_is_refused(client: TestClient, body: bytes) -> None:
    assert client.post("/predict/shop", content=body).status_code == 400
    answer = client.post("/v2/models/shop/infer", content=body)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_an_unknown_deployment_is_told_the_near_one(client: TestClient) -> None:
    answer = client.post("/predict/shopp", json={"rows": [ROW]})
    assert (answer.status_code, answer.json()["hint"]) == (404, "Did you mean 'shop'?")


def test_a_body_without_end_is_refused(client: TestClient) -> None:
    assert client.post("/predict/shop", content=b" " * 100_001).status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(11):
            yield b" " * 10_000

    assert client.post("/v2/models/shop/infer", content=pieces()).status_code == 413


def test_a_get_shows_a_request_that_works(client: TestClient) -> None:
    described = client.get("/predict/shop").json()
    assert described["request"]["properties"]["rows"]["items"]["required"] == ["x", "n", "city"]
    assert client.post("/predict/shop", json=described["example"]).status_code == 200


def test_a_model_that_raises_gives_500_and_the_next_request_works(
    follower: Follower, make_arm: MakeArm, make_package: MakePackage, publish: Publish
) -> None:
    publish(make_arm(1, package=make_package(source=FAILS_ON_TEN)))
    with serve(follower) as client:
        failed = client.post("/predict/shop", json={"rows": [{**ROW, "x": 10.0}]})
        assert (failed.status_code, failed.json()["message"]) == (500, "The model failed: ValueError: ten")
        assert client.post("/predict/shop", json={"rows": [ROW]}).status_code == 200
        assert 'flyball_serving_errors_total{deployment="shop"} 1' in client.get("/metrics").text


def test_a_deployment_that_has_no_model_yet_says_to_come_again(
    follower: Follower, store: LocalObjects, make_arm: MakeArm, publish: Publish
) -> None:
    store.put("deployments/shop/manifest.json", b"{}")
    with serve(follower) as client:
        answer = client.post("/predict/shop", json={"rows": [ROW]})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert client.get("/health").status_code == 503
        assert client.get("/v2/health/ready").json() == {"ready": False}
        assert client.get("/v2/health/live").json() == {"live": True}
        assert client.get("/v2/models/shop/ready").status_code == 503


def test_shadows_score_off_the_answer(
    follower: Follower, store: LocalObjects, make_arm: MakeArm, publish: Publish
) -> None:
    publish(make_arm(1), make_arm(2, role="shadow", weight=0.0))
    with serve(follower) as client:
        found = client.post("/predict/shop", json={"rows": [ROW], "ids": ["a"]}).json()
        assert [each["version"] for each in found["predictions"]] == [1]
        client.post("/flush")
    rows = read_predictions(store, "shop")[0].select(["model_version", "role", "answered"]).to_pylist()
    assert {(row["model_version"], row["role"], row["answered"]) for row in rows} == {
        (1, "champion", True),
        (2, "shadow", False),
    }


def test_a_key_column_may_stand_beside_the_inputs(
    follower: Follower, store: LocalObjects, make_arm: MakeArm, publish: Publish
) -> None:
    publish(make_arm(1, weight=0.5), make_arm(2, role="challenger", weight=0.5), key="customer")
    with serve(follower) as client:
        rows = [{**ROW, "customer": place % 7} for place in range(70)]
        found = client.post("/predict/shop", json={"rows": rows}).json()["predictions"]
        assert client.post("/predict/shop", json={"rows": [ROW]}).status_code == 422
        client.post("/flush")
    for customer in range(7):
        assert len({each["version"] for each in found[customer::7]}) == 1
    assert {each["version"] for each in found} == {1, 2}
    assert set(read_predictions(store, "shop")[0]["key"].to_pylist()) == {str(n) for n in range(7)}


def test_inputs_stay_out_of_the_log_where_the_manifest_says_so(
    follower: Follower, store: LocalObjects, make_arm: MakeArm, publish: Publish
) -> None:
    publish(make_arm(1), log_inputs=False)
    with serve(follower) as client:
        client.post("/predict/shop", json={"rows": [ROW]})
        client.post("/flush")
    assert not [name for name in read_predictions(store, "shop")[0].column_names if name.startswith("input.")]


def test_metrics_count_requests_and_rows(client: TestClient) -> None:
    client.post("/predict/shop", json={"rows": [ROW, ROW]})
    client.post("/predict/shop", json={"rows": [{}]})
    text = client.get("/metrics").text
    for line in ("requests_total{%s} 2", "errors_total{%s} 1", "predictions_total{%s} 2", "generation{%s} 4"):
        assert "flyball_serving_" + line % 'deployment="shop"' in text
    assert 'flyball_serving_request_seconds_bucket{deployment="shop",le="+Inf"} 2' in text


def test_a_health_answer_names_generation_and_state(client: TestClient) -> None:
    body = client.get("/health").json()
    assert (body["status"], body["deployments"]) == ("ok", {"shop": {"generation": 4, "state": "ready", "error": ""}})


def test_v2_metadata_names_versions_and_tensors(client: TestClient) -> None:
    assert client.get("/v2").json()["name"] == "flyball"
    found = client.get("/v2/models/shop").json()
    assert (found["name"], found["versions"], found["platform"]) == ("shop", ["1", "2"], "flyball_python_function")
    assert found["inputs"] == [
        {"name": "x", "datatype": "FP64", "shape": [-1]},
        {"name": "n", "datatype": "INT64", "shape": [-1]},
        {"name": "city", "datatype": "BYTES", "shape": [-1]},
    ]
    assert [(each["name"], each["datatype"]) for each in found["outputs"]] == [
        ("prediction", "BYTES"), ("probability", "FP64"), ("prediction_id", "BYTES"), ("version", "INT64"),
    ]  # fmt: skip
    assert client.get("/v2/models/shop/versions/2").status_code == 200
    assert client.get("/v2/models/shop/ready").json() == {"name": "shop", "ready": True}


def test_v2_infer_answers_tensors_and_echoes_the_id(client: TestClient) -> None:
    body = {"id": "q1", "inputs": INPUTS, "parameters": {"prediction_ids": ["a", "b"], "time": "2013-03-01"}}
    answer = client.post("/v2/models/shop/infer", json=body)
    assert answer.status_code == 200
    assert answer.json() == {
        "model_name": "shop",
        "model_version": "1",
        "id": "q1",
        "outputs": [
            {"name": "prediction", "datatype": "BYTES", "shape": [2], "data": ["on time", "late"]},
            {"name": "probability", "datatype": "FP64", "shape": [2], "data": [0.25, 0.35]},
            {"name": "prediction_id", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]},
            {"name": "version", "datatype": "INT64", "shape": [2], "data": [1, 1]},
        ],
    }


def test_v2_infer_gives_the_outputs_that_are_asked_for(client: TestClient) -> None:
    wanted = client.post("/v2/models/shop/infer", json={"inputs": INPUTS, "outputs": [{"name": "probability"}]})
    assert [each["name"] for each in wanted.json()["outputs"]] == ["probability"]
    unknown = client.post("/v2/models/shop/infer", json={"inputs": INPUTS, "outputs": [{"name": "probabilty"}]})
    assert (unknown.status_code, "Did you mean 'probability'" in unknown.json()["error"]) == (400, True)


def test_v2_infer_asks_the_version_of_the_path(client: TestClient) -> None:
    answer = client.post("/v2/models/shop/versions/2/infer", json={"inputs": INPUTS}).json()
    assert (answer["model_version"], answer["outputs"][0]["data"]) == ("2", [2.0, 2.0])
    for version in ("7", "x"):
        assert client.post(f"/v2/models/shop/versions/{version}/infer", json={"inputs": INPUTS}).status_code == 404
        assert client.get(f"/v2/models/shop/versions/{version}/ready").status_code == 404


def test_v2_infer_gives_all_probabilities(
    follower: Follower, make_arm: MakeArm, make_package: MakePackage, publish: Publish
) -> None:
    publish(make_arm(1, package=make_package(source=SHORT)))
    with serve(follower) as client:
        outputs = client.post("/v2/models/shop/infer", json={"inputs": INPUTS}).json()["outputs"]
    assert outputs[0] == {"name": "prediction", "datatype": "INT64", "shape": [2], "data": [2, 2]}
    assert outputs[2] == {"name": "probabilities", "datatype": "FP64", "shape": [2, 3], "data": [0.1, 0.2, 0.7] * 2}


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [3]},
        {"shape": []},
        {"shape": [2, 2]},
        {"shape": [-1]},
        {"shape": [1, 2]},
        {"shape": "two"},
        {"datatype": "FP63"},
        {"datatype": "INT64"},
        {"datatype": "BOOL"},
        {"datatype": "BYTES"},
        {"data": ["a", "b"]},
        {"data": [0.5]},
        {"data": [[0.5, 0.7]]},
        {"data": [{"a": 1}, {"a": 2}]},
        {"data": None},
        {"name": "y"},
        {"name": "n"},
    ],
)
def test_v2_refuses_what_is_no_fitting_tensor(client: TestClient, change: dict[str, Any]) -> None:
    answer = client.post("/v2/models/shop/infer", json={"inputs": [{**INPUTS[0], **change}, *INPUTS[1:]]})
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]


def test_v2_refuses_what_is_missing_or_unknown(client: TestClient) -> None:
    assert client.post("/v2/models/shop/infer", json={"inputs": INPUTS[:2]}).status_code == 400
    assert client.post("/v2/models/shop/infer", json={"inputs": []}).status_code == 400
    assert client.post("/v2/models/nothing/infer", json={"inputs": INPUTS}).status_code == 404
    assert client.get("/v2/models/nothing").status_code == 404
    binary = client.post("/v2/models/shop/infer", content=b"{}", headers={"Inference-Header-Content-Length": "2"})
    assert binary.status_code == 400
    for parameters in ({"time": 7}, {"prediction_ids": "ab"}, {"prediction_ids": [1, 2]}):
        body = {"inputs": INPUTS, "parameters": parameters}
        assert client.post("/v2/models/shop/infer", json=body).status_code == 400


def test_paths_and_methods_that_are_not_there_answer_in_the_form_of_their_protocol(client: TestClient) -> None:
    assert list(client.get("/v2/nothing").json()) == ["error"]
    assert client.get("/nothing").json()["code"] == "not_found"
    assert client.get("/flush").status_code == 405


def test_too_many_waiting_requests_are_told_to_come_again(
    follower: Follower, make_arm: MakeArm, publish: Publish
) -> None:
    publish(make_arm(1))
    follower.look()
    with TestClient(create_app(follower, max_waiting=0)) as client:
        answer = client.post("/predict/shop", json={"rows": [ROW]})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


def test_whole_tables_come_back_row_for_row(client: TestClient) -> None:
    table = pa.table({"x": [n / 1000 for n in range(500)], "n": [1] * 500, "city": ["a"] * 500})
    found = client.post("/predict/shop", json={"rows": table.to_pylist()}).json()["predictions"]
    assert [each["probability"] for each in found] == [n / 2000 for n in range(500)]
