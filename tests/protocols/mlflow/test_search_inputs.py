"""The search of runs, and what went into them, in MLflow's protocol."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.servers.databases import ON_BOTH
from tests.servers.mlflow_api import START, Answer, Api

pytestmark = ON_BOTH


@pytest.fixture
def five(api: Api, experiment: str) -> list[str]:
    """Five runs with a metric, of which the last has no value, a param and a tag."""
    made = []
    for place in range(5):
        run = api.run(experiment, f"s{place}", START + place)
        value = float(place % 3) if place < 4 else "NaN"
        api.post(
            "runs/log-batch",
            run_id=run,
            metrics=[{"key": "m", "value": value, "timestamp": 5}],
            params=[{"key": "p", "value": str(place)}],
            tags=[{"key": "even", "value": str(place % 2 == 0)}],
        )
        made.append(run)
    return made


def search(api: Api, experiment: str, **more: Any) -> list[str]:
    found = api.post("runs/search", experiment_ids=[experiment], **more)
    return [one["info"]["run_name"] for one in found.get("runs", [])]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, "s4 s3 s2 s1 s0"),
        ({"filter": "metrics.m > 0.5"}, "s2 s1"),
        ({"filter": "params.p = '3'"}, "s3"),
        ({"filter": "tags.even = 'True' and metrics.m < 5"}, "s2 s0"),
        ({"filter": "attributes.run_name LIKE 's%'"}, "s4 s3 s2 s1 s0"),
        ({"filter": "status = 'RUNNING' AND params.p != '0'"}, "s4 s3 s2 s1"),
        ({"filter": "tags.`mlflow.runName` = 's1'"}, "s1"),
        ({"order_by": ["metrics.m DESC"]}, "s2 s1 s3 s0 s4"),
        ({"order_by": ["metrics.m ASC"]}, "s3 s0 s1 s2 s4"),
        ({"order_by": ["params.p ASC"]}, "s0 s1 s2 s3 s4"),
        ({"order_by": ["attributes.start_time ASC"]}, "s0 s1 s2 s3 s4"),
        ({"order_by": ["tag.even", "run_name DESC"]}, "s3 s1 s4 s2 s0"),
        ({"max_results": 2}, "s4 s3"),
        ({"run_view_type": "DELETED_ONLY"}, ""),
    ],
)
def test_runs_are_searched(api: Api, experiment: str, five: list[str], asked: Answer, found: str) -> None:
    assert " ".join(search(api, experiment, **asked)) == found


def test_runs_come_in_pages(api: Api, experiment: str, five: list[str]) -> None:
    first = api.post("runs/search", experiment_ids=[experiment], max_results=3)
    rest = api.post("runs/search", experiment_ids=[experiment], max_results=3, page_token=first["next_page_token"])
    found = [one["info"]["run_id"] for one in (*first["runs"], *rest["runs"])]
    assert found == list(reversed(five))
    assert "next_page_token" not in rest


def test_what_is_searched_comes_as_a_whole(api: Api, experiment: str, run: str) -> None:
    api.post("runs/log-parameter", run_id=run, key="p", value="1")
    api.post("runs/log-inputs", run_id=run, datasets=[{"dataset": {"name": "iris", "digest": "d"}}])
    found = api.post("runs/search", experiment_ids=[experiment])["runs"]
    assert found == [api.get("runs/get", run_id=run)["run"]]


def test_no_experiments_have_no_runs(api: Api, five: list[str]) -> None:
    assert api.post("runs/search", experiment_ids=[]) == {}
    assert api.post("runs/search") == {}
    assert api.post("runs/search", experiment_ids=["99999"]) == {}


IRIS = {"name": "iris", "digest": "abc", "source_type": "local", "source": "{}", "schema": '{"a": 1}', "profile": "{}"}
TRAIN = [{"key": "mlflow.data.context", "value": "train"}]


def test_inputs_and_outputs(api: Api, experiment: str, run: str) -> None:
    plain = {"name": "wine", "digest": "1", "source_type": "s3", "source": "s3://x"}
    api.post("runs/log-inputs", run_id=run, datasets=[{"dataset": IRIS, "tags": TRAIN}, {"dataset": plain}])
    api.post("runs/log-inputs", run_id=run, datasets=[{"dataset": IRIS, "tags": []}], models=[{"model_id": "m-1"}])
    for _ in range(2):
        api.post("runs/outputs", run_id=run, models=[{"model_id": "m-2", "step": "3"}])
    found = api.get("runs/get", run_id=run)["run"]
    assert found["inputs"] == {
        "dataset_inputs": [{"tags": TRAIN, "dataset": IRIS}, {"dataset": plain}],
        "model_inputs": [{"model_id": "m-1"}],
    }
    assert found["outputs"] == {"model_outputs": [{"model_id": "m-2", "step": 3}]}
    assert search(api, experiment, filter="dataset.name = 'iris' AND dataset.context = 'train'") == ["main"]
    assert search(api, experiment, filter="dataset.name = 'none'") == []


@pytest.mark.parametrize(
    "path",
    [
        "/ajax-api/2.0/mlflow/experiments/search-datasets",
        "/api/2.0/mlflow/experiments/search-datasets",
        "/api/2.0mlflow/experiments/search-datasets",
        "/ajax-api/2.0mlflow/experiments/search-datasets",
    ],
)
def test_data_sets_of_experiments(api: Api, experiment: str, run: str, path: str) -> None:
    def ask(**body: Any) -> Answer:
        found: Answer = api.http.post(path, json=body).json()
        return found

    assert ask(experiment_ids=[experiment]) == {}
    other = {**IRIS, "digest": "def"}
    api.post("runs/log-inputs", run_id=run, datasets=[{"dataset": IRIS, "tags": TRAIN}, {"dataset": other}])
    assert ask(experiment_ids=[experiment])["dataset_summaries"] == [
        {"experiment_id": experiment, "name": "iris", "digest": "abc", "context": "train"},
        {"experiment_id": experiment, "name": "iris", "digest": "def"},
    ]
    assert ask()["message"] == "SearchDatasets request must specify at least one experiment_id."
    assert "Received 21" in ask(experiment_ids=[str(place) for place in range(21)])["message"]


def test_older_clients_note_models_in_a_tag(api: Api, run: str) -> None:
    flavors = {"python_function": {"loader_module": "x", "config": {"a": 1}}}
    model = {"artifact_path": "model", "flavors": flavors, "utc_time_created": "now", "run_id": run, "more": 1}
    for path in ("model", "second"):
        text = httpx2.Request("POST", "http://x", json={**model, "artifact_path": path}).read().decode()
        api.post("runs/log-model", run_id=run, model_json=text)
    noted = api.data(run)["tags"]["mlflow.log-model.history"]
    assert noted.count("artifact_path") == 2
    assert "config" not in noted
    assert "more" not in noted
    assert "Malformed model info" in api.refused("runs/log-model", run_id=run, model_json="nope")[2]
    lacking = api.refused(
        "runs/log-model", run_id=run, model_json='{"artifact_path": "x", "run_id": "", "flavors": {}}'
    )
    assert lacking[2] == "Model json is missing mandatory fields: {'utc_time_created'}"
