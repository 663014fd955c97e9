"""Models on plain numbers: their own lane gives what the way over tables gives, in every form of request."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from starlette.testclient import TestClient

from flyball.clock import FixedClock
from flyball.models.package import ModelPackage, save_model
from flyball.serving.follower import Follower
from flyball.serving.front import Front
from flyball.serving.inference_api import create_app
from flyball.serving.manifest import Arm, Manifest
from flyball.serving.prediction_log import read_predictions
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs

MakeArm = Callable[..., Arm]
Publish = Callable[..., Manifest]

_DRAWN = np.random.default_rng(0)
TABLE = pa.table({"x": _DRAWN.normal(size=40), "n": _DRAWN.integers(0, 9, 40)})
FRAME = TABLE.to_pandas()
LABELS = np.where(FRAME["x"] > 0, "late", "on time")
INFER = "/v2/models/shop/infer"
MATRIX = {"name": "input", "shape": [2, 2], "datatype": "FP64", "data": [1.5, 3, -1.5, 4]}
MODEL = LogisticRegression().fit(FRAME, LABELS)
EXPECTED = MODEL.predict_proba(pa.table({"x": [1.5, -1.5], "n": [3, 4]}).to_pandas())


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[ModelPackage, dict[str, bytes]]]:
    """A classifier, and a regressor in three tempers, with their files."""
    store = LocalObjects(tmp_path_factory.mktemp("packages"), durable=False)
    blobs, made = Blobs(store), {}
    models = {"classifier": LogisticRegression().fit(FRAME, LABELS), "ridge": Ridge().fit(FRAME, FRAME["x"])}
    for name, model in models.items():
        package = save_model(model, blobs, example=TABLE)
        made[name] = (package, {key.key: store.get(key.key) for key in store.list("")})
    return made


@pytest.fixture
def app(
    follower: Follower, store: LocalObjects, packages: Any, make_arm: MakeArm, publish: Publish
) -> Callable[..., Front]:
    """Serves some arms, each named by its package and role."""

    def make(*arms: tuple[str, str, float], key: str = "", **options: Any) -> Front:
        made = []
        for version, (name, role, weight) in enumerate(arms or (("classifier", "champion", 1.0),), start=1):
            package, files = packages[name]
            for place, data in files.items():
                store.put(place, data)
            made.append(make_arm(version, role=role, weight=weight, package=package))
        publish(*made, key=key)
        follower.look()
        return create_app(follower, clock=FixedClock(), **options)

    return make


@pytest.fixture
def client(app: Callable[..., Front]) -> Iterator[TestClient]:
    with TestClient(app()) as client:
        yield client


def outputs(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {each["name"]: each["data"] for each in answer.json()["outputs"]}


def test_one_tensor_of_all_columns_and_one_for_each_are_answered_alike(client: TestClient) -> None:
    by_column = [
        {"name": "n", "shape": [2, 1], "datatype": "INT64", "data": [3, 4]},
        {"name": "x", "shape": [2], "datatype": "FP64", "data": [1.5, -1.5]},
    ]
    nested = {**MATRIX, "data": [[1.5, 3], [-1.5, 4]]}
    found = [outputs(client.post(INFER, json={"inputs": inputs})) for inputs in ([MATRIX], by_column, [nested])]
    for each in found:
        assert each["prediction"] == ["late", "on time"]
        assert each["probability"] == pytest.approx(EXPECTED[:, 1].tolist())
        assert each["version"] == [1, 1]
    assert len({name for each in found for name in each["prediction_id"]}) == 6


def test_rows_and_columns_are_answered_like_tensors(client: TestClient) -> None:
    rows = [{"x": 1.5, "n": 3}, {"n": 4, "x": -1.5}]
    columns = {"x": [1.5, -1.5], "n": [3, 4]}
    for body in ({"rows": rows, "ids": ["a", "b"]}, {"columns": columns, "ids": ["a", "b"]}):
        found = client.post("/predict/shop", json=body).json()["predictions"]
        assert [(each["id"], each["prediction"]) for each in found] == [("a", "late"), ("b", "on time")]
        assert [each["probability"] for each in found] == pytest.approx(EXPECTED[:, 1].tolist())


def test_a_missing_value_is_told_from_a_number_in_the_log(client: TestClient, store: LocalObjects, app: Any) -> None:
    with TestClient(app(("ridge", "champion", 1.0))) as ridge:  # which then refuses it
        assert ridge.post("/predict/shop", json={"rows": [{"x": None, "n": 1}]}).status_code == 500
        assert ridge.post("/predict/shop", json={"rows": [{"x": 1, "n": 1}], "request_id": "q"}).status_code == 200
        ridge.post("/flush")
    log = read_predictions(store, "shop")[0].sort_by("at").to_pylist()
    assert {(row["answered"], row["request_id"], row.get("error") is None) for row in log} == {
        (False, "", False),
        (True, "q", True),
    }
    good = next(row for row in log if row["answered"])
    assert (good["input.x"], good["input.n"], good["model_version"]) == (1.0, 1, 1)
    assert good["prediction"] == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"rows": [{"x": 1.0}]}, 422),
        ({"rows": [{"x": 1.0, "n": 1.5}]}, 422),
        ({"rows": [{"x": "1", "n": 1}]}, 422),
        ({"rows": [{"x": 1.0, "n": 1, "m": 1}]}, 422),
        ({"rows": [{"x": True, "n": 1}]}, 422),
        ({"rows": [{"x": 1.0, "n": 2**70}]}, 422),
        ({"rows": [{"x": 1.0, "n": 1}], "ids": ["a", "b"]}, 422),
        ({"columns": {"x": [1.0], "n": [1, 2]}}, 422),
        ({"rows": "x"}, 400),
    ],
)
def test_what_does_not_fit_is_refused(client: TestClient, body: dict[str, Any], status: int) -> None:
    answer = client.post("/predict/shop", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, "invalid_input")


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [2, 3]}, {"shape": [3, 2]}, {"shape": [4]}, {"shape": [-2, -2]}, {"shape": []}, {"datatype": "BYTES"},
        {"datatype": "BOOL"}, {"datatype": "INT64"}, {"datatype": "FP65"}, {"data": [1.5, 3, -1.5]}, {"data": []},
        {"data": [[1.5, 3, -1.5, 4]]}, {"data": [[1.5], [3], [-1.5], [4]]}, {"data": [1.5, 3.5, -1.5, 4]},
        {"data": ["a"] * 4}, {"data": [[1.5, 3], [1.5]]}, {"parameters": {"binary_data_size": 32}},
    ],
    ids=str,
)  # fmt: skip
def test_a_tensor_that_does_not_fit_is_refused_in_the_form_of_the_protocol(
    client: TestClient, change: dict[str, Any]
) -> None:
    answer = client.post(INFER, json={"inputs": [{**MATRIX, **change}]})
    assert (answer.status_code, list(answer.json())) == (400, ["error"]), answer.text


def binary_body(*tensors: dict[str, Any], tail: bytes, **more: Any) -> tuple[bytes, dict[str, str]]:
    head = json.dumps({"inputs": tensors, **more}).encode()
    return head + tail, {"Inference-Header-Content-Length": str(len(head))}


@pytest.mark.parametrize(("datatype", "code"), [("FP64", "d"), ("FP32", "f"), ("INT32", "i")])
def test_binary_tensors_are_read_and_written(client: TestClient, datatype: str, code: str) -> None:
    values = (1, 3, -1, 4)
    tail = struct.pack(f"<4{code}", *values)
    tensor = {"name": "input", "shape": [2, 2], "datatype": datatype, "parameters": {"binary_data_size": len(tail)}}
    body, headers = binary_body(tensor, tail=tail, parameters={"binary_data_output": True})
    answer = client.post(INFER, content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    size = int(answer.headers["inference-header-content-length"])
    head, rest = json.loads(answer.content[:size]), answer.content[size:]
    sizes = {each["name"]: each["parameters"]["binary_data_size"] for each in head["outputs"]}
    assert sum(sizes.values()) == len(rest)
    start = sizes["prediction"]
    assert rest[:start] == b"\x04\0\0\0late\x07\0\0\0on time"
    chances = struct.unpack_from("<2d", rest, start)
    plain = outputs(client.post(INFER, json={"inputs": [{**MATRIX, "data": list(values)}]}))
    assert list(chances) == plain["probability"]


def test_a_table_of_texts_is_read_and_written_in_binary(client: TestClient) -> None:
    # INT64 for a column of floats with values that no float holds goes the way over tables.
    tail = struct.pack("<4q", 2**60 + 1, 3, -5, 4)
    tensor = {"name": "input", "shape": [2, 2], "datatype": "INT64", "parameters": {"binary_data_size": 32}}
    outputs = [{"name": "prediction", "parameters": {"binary_data": True}}, {"name": "version"}]
    body, headers = binary_body(tensor, tail=tail, outputs=outputs)
    answer = client.post(INFER, content=body, headers=headers)
    size = int(answer.headers["inference-header-content-length"])
    assert answer.content[size:] == b"\x04\0\0\0late\x07\0\0\0on time"
    assert json.loads(answer.content[:size])["outputs"][1]["data"] == [1, 1]


@pytest.mark.parametrize(
    ("size", "length"), [(16, None), (48, None), (-8, None), ("32", None), (32, "1"), (32, "99999"), (32, "x")]
)
def test_binary_sizes_that_do_not_fit_are_refused(client: TestClient, size: Any, length: str | None) -> None:
    tensor = {"name": "input", "shape": [2, 2], "datatype": "FP64", "parameters": {"binary_data_size": size}}
    body, headers = binary_body(tensor, tail=struct.pack("<4d", 1, 3, -1, 4))
    headers = headers if length is None else {"Inference-Header-Content-Length": length}
    answer = client.post(INFER, content=body, headers=headers)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw"])
def test_compressed_bodies_are_read(client: TestClient, coding: str) -> None:
    bits = {"gzip": 31, "deflate": 15, "raw": -15}[coding]
    engine = zlib.compressobj(wbits=bits)
    body = engine.compress(json.dumps({"inputs": [MATRIX]}).encode()) + engine.flush()
    headers = {"content-encoding": "deflate" if coding == "raw" else coding}
    assert outputs(client.post(INFER, content=body, headers=headers))["prediction"] == ["late", "on time"]
    assert client.post(INFER, content=body[:-9], headers=headers).status_code == 400


def test_compressed_bodies_that_are_none_or_grow_too_large_are_refused(client: TestClient) -> None:
    for coding, body in (("gzip", b"{}"), ("br", b"{}"), ("gzip", zlib.compress(b" " * (65 << 20), wbits=31))):
        answer = client.post(INFER, content=body, headers={"content-encoding": coding})
        assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_the_version_of_the_path_is_asked(app: Callable[..., Front]) -> None:
    with TestClient(app(("classifier", "champion", 1.0), ("ridge", "challenger", 0.0))) as client:
        answer = client.post("/v2/models/shop/versions/2/infer", json={"inputs": [MATRIX]})
        assert answer.json()["model_version"] == "2"
        assert outputs(answer)["prediction"] == pytest.approx([1.5, -1.5], abs=0.1)
        assert client.post("/v2/models/shop/versions/9/infer", json={"inputs": [MATRIX]}).status_code == 404


def test_keys_go_to_their_arms_and_shadows_score_beside(app: Callable[..., Front], store: LocalObjects) -> None:
    arms = (("ridge", "champion", 0.5), ("classifier", "challenger", 0.5), ("ridge", "shadow", 0.0))
    with TestClient(app(*arms, key="n")) as client:
        rows = [{"x": 1.5, "n": place % 9} for place in range(90)]
        found = client.post("/predict/shop", json={"rows": rows}).json()["predictions"]
        client.post("/flush")
    assert {each["version"] for each in found} == {1, 2}
    for n in range(9):
        assert len({each["version"] for each in found[n::9]}) == 1
    assert {each["prediction"] for each in found if each["version"] == 2} == {"late"}
    assert all(each["probability"] is None for each in found if each["version"] == 1)
    log = read_predictions(store, "shop")[0]
    assert sorted(set(log["role"].to_pylist())) == ["challenger", "champion", "shadow"]
    assert log.num_rows == 180
    assert set(log["key"].to_pylist()) == {str(n) for n in range(9)}


def test_requests_that_came_together_are_answered_each_with_its_own(
    app: Callable[..., Front], store: LocalObjects
) -> None:
    import asyncio

    import httpx2 as httpx

    front = app()

    async def ask(client: Any, place: int) -> None:
        rows = [{"x": 1.5 if (place + row) % 2 else -1.5, "n": place} for row in range(place % 5)]
        answer = await client.post("/predict/shop", json={"rows": rows, "request_id": f"q{place}"})
        found = [each["prediction"] for each in answer.json()["predictions"]]
        asked = pa.table({"x": [row["x"] for row in rows], "n": [row["n"] for row in rows]}).to_pandas()
        assert found == (MODEL.predict(asked).tolist() if rows else [])

    async def all_at_once() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url="http://test") as client:
            await asyncio.gather(*(ask(client, place) for place in range(60)))

    asyncio.run(all_at_once())
    front.close()
    next(iter(front._lanes.values()))[0].flush()
    log = read_predictions(store, "shop")[0]
    assert log.num_rows == 120
    assert len(set(log["prediction_id"].to_pylist())) == 120
    for row in log.to_pylist():
        assert row["request_id"] == f"q{row['input.n']}"


def test_too_many_waiting_requests_are_told_to_come_again(app: Callable[..., Front]) -> None:
    with TestClient(app(max_waiting=0)) as client:
        answer = client.post(INFER, json={"inputs": [MATRIX]})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


def test_the_index_names_all_models(client: TestClient) -> None:
    found = client.post("/v2/repository/index", json={"ready": True}).json()
    assert found == [{"name": "shop", "version": "1", "state": "READY", "reason": ""}]
    assert client.post("/v2/repository/index").json() == found


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps({"dataframe_split": {"columns": ["n", "x"], "data": [[3, 1.5], [4, -1.5]]}}), "application/json"),
        (
            json.dumps({"dataframe_records": [{"x": 1.5, "n": 3}, {"x": -1.5, "n": 4}]}),
            "application/json; charset=utf-8",
        ),
        (json.dumps({"instances": [{"x": 1.5, "n": 3}, {"x": -1.5, "n": 4}]}), "application/json"),
        (json.dumps({"instances": [[1.5, 3], [-1.5, 4]]}), "application/json"),
        (json.dumps({"inputs": [[1.5, 3], [-1.5, 4]]}), "application/json"),
        (json.dumps({"inputs": {"x": [1.5, -1.5], "n": [[3], [4]]}, "params": {}}), ""),
        ("x,n\n1.5,3\n-1.5,4\n", "text/csv"),
    ],
    ids=["split", "records", "instances of objects", "instances", "inputs", "inputs by name", "csv"],
)
def test_invocations_of_mlflow_are_answered(client: TestClient, body: str, kind: str) -> None:
    for path in ("/invocations", "/invocations/shop"):
        answer = client.post(path, content=body, headers={"content-type": kind})
        assert (answer.status_code, answer.json()) == (200, {"predictions": ["late", "on time"]})


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("{}", "application/json"), ("[]", "application/json"), ("{", "application/json"), ("", "text/csv"),
        ('{"dataframe_split": []}', "application/json"), ('{"dataframe_records": [1]}', "application/json"),
        ('{"dataframe_split": {"columns": ["x"], "data": [[1, 2]]}}', "application/json"),
        ('{"instances": [[1]]}', "application/json"), ('{"inputs": 7}', "application/json"),
        ('{"inputs": [[1, 2]], "instances": [[1, 2]]}', "application/json"),
        ('{"inputs": {"x": [1], "n": [1, 2]}}', "application/json"), ("x\n1,2\n", "text/csv"),
        ('{"inputs": [[1, 2]], "params": {"a": 1}}', "application/json"), ("x", "text/plain"),
    ],
)  # fmt: skip
def test_what_is_no_invocation_is_refused_in_mlflows_form(client: TestClient, body: str, kind: str) -> None:
    answer = client.post("/invocations", content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_REQUEST")


def test_mlflow_s_questions_for_health_and_version_are_answered(client: TestClient) -> None:
    assert client.get("/ping").status_code == 200
    assert client.get("/version").text.count(".") == 2
