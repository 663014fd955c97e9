"""Assessments, evaluation data sets and scorers in MLflow's protocol, by raw requests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.servers.mlflow_api import Api
from tests.servers.mlflow_traces import (
    ROOT,
    TRACE,
    V3,
    sent,
)


def test_a_judgement_is_made_read_changed_and_taken_back(api: Api, experiment: str, v3: V3) -> None:
    path = f"traces/{sent(api, experiment)}/assessments"
    given = {
        "assessment_name": "quality",
        "source": {"source_type": "HUMAN", "source_id": "ann"},
        "create_time": "2023-11-14T22:13:21.005Z",
        "last_update_time": "2023-11-14T22:13:21.005Z",
        "feedback": {"value": None, "error": {"error_code": "E", "error_message": "m"}},
        "rationale": "so",
        "metadata": {"m": "1"},
        "span_id": ROOT,
    }
    made = v3("POST", path, {"assessment": given})["assessment"]
    name = made.pop("assessment_id")
    assert made == {**given, "trace_id": f"tr-{TRACE}", "valid": True}
    changed = {"assessment": {"feedback": {"value": 3.0}, "metadata": {"n": "2"}}, "update_mask": "feedback,metadata"}
    found = v3("PATCH", f"{path}/{name}", changed)["assessment"]
    assert (found["feedback"], found["metadata"], found["rationale"]) == ({"value": 3.0}, {"m": "1", "n": "2"}, "so")
    assert v3("GET", f"{path}/{name}")["assessment"] == found
    mask = {"paths": ["assessment_name"]}
    renamed = v3("PATCH", f"{path}/{name}", {"assessment": {"assessment_name": "new"}, "update_mask": mask})
    assert renamed["assessment"]["assessment_name"] == "new"
    for _ in range(2):
        assert v3("DELETE", f"{path}/{name}", {"trace_id": "x"}) == {}
    assert v3.refused("GET", f"{path}/{name}")[1] == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize("value", ["five", 5.0, True, ["a", "b"], {"a": [1, None]}, None])
def test_an_expectation_comes_back_as_it_was_given(api: Api, experiment: str, v3: V3, value: Any) -> None:
    path = f"traces/{sent(api, experiment)}/assessments"
    packed = {"serialization_format": "JSON_FORMAT", "value": json.dumps(value)}
    given = {"serialized_value": packed} if isinstance(value, dict) or value is None else {"value": value}
    made = v3("POST", path, {"assessment": {"assessment_name": "answer", "expectation": given}})["assessment"]
    assert made["expectation"] == given


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"assessment": {}},
        {"assessment": {"assessment_name": "a"}},
        {"assessment": {"assessment_name": "", "feedback": {"value": 1}}},
        {"assessment": {"assessment_name": "a", "expectation": {"serialized_value": {"value": "1"}}}},
        {
            "assessment": {
                "assessment_name": "a",
                "expectation": {"serialized_value": {"serialization_format": "JSON_FORMAT", "value": "[" * 100_000}},
            }
        },
        {"assessment": {"assessment_name": "a", "feedback": {"value": 1}, "create_time": "now"}},
        {"assessment": {"assessment_name": "a", "feedback": 1}},
        {"assessment": {"assessment_name": "a", "feedback": {"value": 1}, "span_id": "x" * 200}},
    ],
    ids=str,
)
def test_a_judgement_that_is_none_is_refused(api: Api, experiment: str, v3: V3, wrong: dict[str, Any]) -> None:
    path = f"traces/{sent(api, experiment)}/assessments"
    assert v3.refused("POST", path, wrong)[0] == 400


def test_a_data_set_and_its_records(api: Api, experiment: str, v3: V3) -> None:
    made = v3("POST", "datasets/create", {"name": "faq", "experiment_ids": [experiment], "tags": '{"t": "1"}'})[
        "dataset"
    ]
    path = f"datasets/{made['dataset_id']}"
    assert made["experiment_ids"] == [experiment]
    records = [{"inputs": {"q": 1}, "expectations": {"a": "b"}}, {"inputs": {"q": 2}, "outputs": [1]}]
    counts = v3("POST", f"{path}/records", {"records": json.dumps(records)})
    assert counts == {"inserted_count": 2, "updated_count": 0}
    assert v3("POST", f"{path}/records", {"records": json.dumps(records[:1])})["updated_count"] == 1
    found = v3("GET", path)["dataset"]
    assert json.loads(found["profile"]) == {"num_records": 2}
    assert json.loads(found["schema"])["inputs"] == {"q": "integer"}
    page = v3("GET", f"{path}/records", max_results=1)
    rest = v3("GET", f"{path}/records", max_results=1, page_token=page["next_page_token"])
    kept = json.loads(page["records"]) + json.loads(rest["records"])
    assert {one["inputs"]["q"]: one["outputs"] for one in kept} == {1: {}, 2: [1]}
    gone = v3("DELETE", f"{path}/records", {"dataset_record_ids": [kept[0]["dataset_record_id"], "dr-none"]})
    assert gone == {"deleted_count": 1}
    assert v3("PATCH", f"{path}/tags", {"tags": '{"t": "2", "n": 3}'}) == {}
    assert v3("DELETE", f"{path}/tags/n") == {}
    assert json.loads(v3("GET", path)["dataset"]["tags"]) == {"t": "2"}
    other = api.experiment("second")
    v3("POST", f"{path}/add-experiments", {"experiment_ids": [other]})
    assert v3("GET", f"{path}/experiment-ids") == {"experiment_ids": [experiment, other]}
    v3("POST", f"{path}/remove-experiments", {"experiment_ids": [other]})
    for method in ("GET", "POST"):
        body = {"experiment_ids": [experiment], "filter_string": "name = 'faq'"}
        given = {"json": body} if method == "POST" else {"params": body}
        answer = api.http.request(method, "/api/3.0/mlflow/datasets/search", **given)  # type: ignore[arg-type]  # arguments of any kind, as the cases give them
        assert [one["name"] for one in answer.json()["datasets"]] == ["faq"]
    assert v3("DELETE", path) == v3("DELETE", path) == {}
    assert v3.refused("GET", path)[2] == f"Evaluation dataset with id '{made['dataset_id']}' not found"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("create", {}),
        ("create", {"name": ""}),
        ("create", {"name": "a", "tags": "{"}),
        ("create", {"name": "a", "tags": "[1]"}),
        ("create", {"name": "a" * 300}),
        ("search", {"filter_string": "foo = 'x'"}),
        ("search", {"page_token": "x"}),
        ("search", {"max_results": -1}),
        ("{id}/records", {"records": "{}"}),
        ("{id}/records", {"records": "[1]"}),
        ("{id}/records", {"records": '[{"inputs": 1}]'}),
        ("{id}/records", {"records": '[{"tags": [1]}]'}),
        ("{id}/records", {"records": "[" * 100_000}),
        ("{id}/records", {}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_data_set_that_is_none_is_refused(api: Api, v3: V3, path: str, body: dict[str, Any]) -> None:
    made = v3("POST", "datasets/create", {"name": "faq"})["dataset"]["dataset_id"]
    assert v3.refused("POST", f"datasets/{path.format(id=made)}", body)[0] == 400


def test_an_experiment_of_a_data_set_must_be_there(api: Api, v3: V3) -> None:
    made = v3("POST", "datasets/create", {"name": "faq"})["dataset"]["dataset_id"]
    found = v3.refused("POST", f"datasets/{made}/add-experiments", {"experiment_ids": ["99"]})
    assert found == (404, "RESOURCE_DOES_NOT_EXIST", "No Experiment with id=99")


def test_scorers_are_kept_and_their_code_is_not(api: Api, experiment: str, v3: V3) -> None:
    given = {"experiment_id": experiment, "name": "kind", "serialized_scorer": '{"name": "kind"}'}
    assert v3("POST", "scorers/register", given)["version"] == 1
    assert v3("POST", "scorers/register", given)["version"] == 2
    (listed,) = v3("GET", "scorers/list", experiment_id=experiment)["scorers"]
    assert (listed["scorer_name"], listed["scorer_version"], listed["experiment_id"]) == ("kind", 2, int(experiment))
    assert v3("GET", "scorers/get", experiment_id=experiment, name="kind", version=1)["scorer"]["scorer_version"] == 1
    assert len(v3("GET", "scorers/versions", experiment_id=experiment, name="kind")["scorers"]) == 2
    code = {**given, "serialized_scorer": json.dumps({"a": [{"call_source": "import os"}]})}
    assert "Custom scorer registration" in v3.refused("POST", "scorers/register", code)[2]
    assert v3.refused("POST", "scorers/register", {**given, "serialized_scorer": "{"})[0] == 400
    assert v3("DELETE", "scorers/delete", {"experiment_id": experiment, "name": "kind"}) == {}
    assert v3.refused("GET", "scorers/get", experiment_id=experiment, name="kind")[0] == 404
    assert v3("GET", "scorers/list") == {}


def test_no_scorer_is_run_here(v3: V3) -> None:
    assert v3("GET", "scorers/online-configs", scorer_ids="a") == {"configs": []}
    assert v3.refused("PUT", "scorers/online-config", {"name": "a"})[:2] == (501, "NOT_IMPLEMENTED")
