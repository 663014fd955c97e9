"""Logged models in MLflow's protocol, by raw requests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers.mlflow_api import START, Answer, Api

GONE = "Logged model with ID 'm-none' not found."


def create(api: Api, experiment: str, name: str, **more: Any) -> str:
    made: str = api.post("logged-models", experiment_id=experiment, name=name, **more)["model"]["info"]["model_id"]
    return made


def ask(api: Api, method: str, path: str, **body: Any) -> tuple[int, Answer]:
    answer = api.http.request(method, f"/api/2.0/mlflow/logged-models/{path}", json=body)
    return answer.status_code, answer.json()


@pytest.fixture
def two(api: Api, experiment: str, run: str) -> list[str]:
    """Two models, both measured."""
    first = create(api, experiment, "a", model_type="Agent", source_run_id=run, params=[{"key": "p", "value": "1"}])
    second = create(api, experiment, "b", tags=[{"key": "t", "value": "x"}])
    iris = {"dataset_name": "iris", "dataset_digest": "abc"}
    for model, value, more in ((first, 0.25, iris), (first, 0.75, {}), (second, 0.5, {})):
        body = {"key": "acc", "value": value, "timestamp": START, "step": int(value * 100), "model_id": model, **more}
        api.post("runs/log-metric", run_id=run, **body)
    return [first, second]


def test_a_model_is_logged(api: Api, experiment: str, run: str) -> None:
    made = api.post(
        "logged-models",
        experiment_id=experiment,
        name="tree",
        model_type="sklearn",
        source_run_id=run,
        params=[{"key": "p", "value": "1"}],
        tags=[{"key": "t", "value": "x"}],
    )["model"]
    info = made["info"]
    model = info["model_id"]
    assert info == {
        "model_id": model,
        "experiment_id": experiment,
        "name": "tree",
        "creation_timestamp_ms": info["creation_timestamp_ms"],
        "last_updated_timestamp_ms": info["creation_timestamp_ms"],
        "artifact_uri": f"mlflow-artifacts:/{experiment}/models/{model}/artifacts",
        "status": "LOGGED_MODEL_PENDING",
        "model_type": "sklearn",
        "source_run_id": run,
        "tags": [{"key": "t", "value": "x"}],
    }
    assert made["data"] == {"params": [{"key": "p", "value": "1"}]}
    assert api.get(f"logged-models/{model}")["model"] == made
    status, ready = ask(api, "PATCH", model, model_id=model, status="LOGGED_MODEL_READY")
    assert (status, ready["model"]["info"]["status"]) == (200, "LOGGED_MODEL_READY")
    assert ask(api, "PATCH", model, model_id=model, status=3)[1]["model"]["info"]["status"] == (
        "LOGGED_MODEL_UPLOAD_FAILED"
    )


def test_a_model_that_nobody_names_has_a_name(api: Api, experiment: str) -> None:
    info = api.post("logged-models", experiment_id=experiment)["model"]["info"]
    assert info["name"]
    assert (info["model_type"], info["source_run_id"]) == ("", "")


def test_tags_and_params_of_a_model(api: Api, two: list[str]) -> None:
    model = two[1]
    assert ask(api, "PATCH", f"{model}/tags", tags=[{"key": "t", "value": "y"}, {"key": "u/v", "value": "z"}]) == (
        200,
        {},
    )
    assert ask(api, "PATCH", f"{model}/tags") == (200, {})
    assert ask(api, "DELETE", f"{model}/tags/u%2Fv") == (200, {})
    status, gone = ask(api, "DELETE", f"{model}/tags/u%2Fv")
    assert (status, gone["message"]) == (404, f"No tag with key 'u/v' found for model with ID '{model}'.")
    assert ask(api, "POST", f"{model}/params", params=[{"key": "q", "value": "2"}]) == (200, {})
    found = api.get(f"logged-models/{model}")["model"]
    assert found["info"]["tags"] == [{"key": "t", "value": "y"}]
    assert found["data"]["params"] == [{"key": "q", "value": "2"}]


def test_what_is_measured_of_a_model_stands_with_it_and_with_the_run(api: Api, run: str, two: list[str]) -> None:
    metrics = api.get(f"logged-models/{two[0]}")["model"]["data"]["metrics"]
    assert metrics == [
        {
            "key": "acc",
            "value": 0.25,
            "timestamp": START,
            "step": 25,
            "dataset_name": "iris",
            "dataset_digest": "abc",
            "model_id": two[0],
            "run_id": run,
        },
        {"key": "acc", "value": 0.75, "timestamp": START, "step": 75, "model_id": two[0], "run_id": run},
    ]
    assert api.data(run)["metrics"]["acc"] == (0.75, START, 75)
    batch = [
        {"key": "f1", "value": 1, "timestamp": 5, "model_id": two[1]},
        {"key": "plain", "value": 1, "timestamp": 5},
    ]
    api.post("runs/log-batch", run_id=run, metrics=batch)
    found = api.get(f"logged-models/{two[1]}")["model"]["data"]["metrics"]
    assert [one["key"] for one in found] == ["acc", "f1"]


def test_nothing_is_kept_of_what_is_measured_of_no_model(api: Api, run: str) -> None:
    point = {"key": "acc", "value": 1, "timestamp": 5, "model_id": "m-none"}
    assert api.refused("runs/log-metric", run_id=run, **point) == (404, "RESOURCE_DOES_NOT_EXIST", GONE)
    assert api.refused("runs/log-batch", run_id=run, metrics=[point]) == (404, "RESOURCE_DOES_NOT_EXIST", GONE)
    assert api.data(run)["metrics"] == {}


def test_a_deleted_model_is_given_to_who_asks_for_it(api: Api, experiment: str, two: list[str]) -> None:
    assert ask(api, "DELETE", two[0]) == (200, {})
    assert ask(api, "GET", two[0])[0] == 404
    assert api.get(f"logged-models/{two[0]}", allow_deleted="true")["model"]["info"]["name"] == "a"
    assert names(api, experiment) == ["b"]


def names(api: Api, experiment: str, **more: Any) -> list[str]:
    found = api.post("logged-models/search", experiment_ids=[experiment], **more)
    return [one["info"]["name"] for one in found.get("models", [])]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["b", "a"]),
        ({"order_by": [{"field_name": "name", "ascending": True}]}, ["a", "b"]),
        ({"order_by": [{"field_name": "metrics.acc"}]}, ["b", "a"]),
        ({"order_by": [{"field_name": "metrics.acc", "ascending": False}]}, ["a", "b"]),
        ({"order_by": [{"field_name": "metrics.acc", "dataset_name": "iris"}]}, ["a", "b"]),
        ({"filter": "name = 'a'"}, ["a"]),
        ({"filter": "metrics.acc > 0.6"}, ["a"]),
        ({"filter": "metrics.acc > 0.6", "datasets": [{"dataset_name": "iris"}]}, []),
        ({"datasets": [{"dataset_name": "iris", "dataset_digest": "abc"}]}, ["a"]),
        ({"filter": "params.p = '1' AND model_type = 'Agent'"}, ["a"]),
        ({"filter": "tags.t = 'x'"}, ["b"]),
        ({"filter": "status = 'PENDING'", "max_results": 1}, ["b"]),
        ({"filter": "name IN ('a', 'x')"}, ["a"]),
        ({"filter": "creation_timestamp > 0"}, ["b", "a"]),
    ],
)
def test_models_are_searched(api: Api, experiment: str, two: list[str], asked: Answer, found: list[str]) -> None:
    assert len(two) == 2
    assert names(api, experiment, **asked) == found


def test_models_come_in_pages(api: Api, experiment: str, two: list[str]) -> None:
    first = api.post("logged-models/search", experiment_ids=[experiment], max_results=1)
    rest = api.post(
        "logged-models/search", experiment_ids=[experiment], max_results=1, page_token=first["next_page_token"]
    )
    assert [one["info"]["model_id"] for one in (*first["models"], *rest["models"])] == [two[1], two[0]]
    assert "next_page_token" not in rest


def test_what_is_not_there_is_told(api: Api) -> None:
    gone = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": GONE}
    for method, path, body in (
        ("GET", "m-none", {}),
        ("DELETE", "m-none", {}),
        ("PATCH", "m-none", {"model_id": "m-none", "status": 2}),
        ("PATCH", "m-none/tags", {"tags": [{"key": "a", "value": "b"}]}),
        ("DELETE", "m-none/tags/a", {}),
        ("POST", "m-none/params", {"params": [{"key": "a", "value": "b"}]}),
        ("GET", "m-none/artifacts/directories", {}),
    ):
        assert ask(api, method, path, **body) == (404, gone)
    none = (404, "RESOURCE_DOES_NOT_EXIST", "No Experiment with id=99999 exists")
    assert api.refused("logged-models", experiment_id="99999", name="x") == none


def test_files_of_a_model(api: Api, experiment: str, two: list[str]) -> None:
    root = f"{experiment}/models/{two[0]}/artifacts"
    for name in ("MLmodel", "data/model.bin"):
        api.http.put(f"/api/2.0/mlflow-artifacts/artifacts/{root}/{name}", content=b"1234")
    found = api.get(f"logged-models/{two[0]}/artifacts/directories")
    assert found == {
        "root_uri": f"mlflow-artifacts:/{root}",
        "files": [{"path": "MLmodel", "is_dir": False, "file_size": 4}, {"path": "data", "is_dir": True}],
    }
    inner = api.get(f"logged-models/{two[0]}/artifacts/directories", artifact_directory_path="data")
    assert inner["files"] == [{"path": "data/model.bin", "is_dir": False, "file_size": 4}]
    address = f"/ajax-api/2.0/mlflow/logged-models/{two[0]}/artifacts/files"
    answer = api.http.get(address, params={"artifact_file_path": "data/model.bin"})
    assert (answer.content, answer.headers["content-disposition"]) == (b"1234", "attachment; filename=model.bin")
    assert api.http.get(address).status_code == 400
    assert api.http.get(address, params={"artifact_file_path": "MLmodel", "presigned": "true"}).status_code == 501
