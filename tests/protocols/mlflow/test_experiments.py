"""Experiments in MLflow's protocol, by raw requests: answers, limits and errors as MLflow's server has them."""

from __future__ import annotations

import pytest

from tests.servers.mlflow_api import Answer, Api


def test_the_server_says_which_release_it_speaks(api: Api) -> None:
    assert api.http.get("/version").text == "3.18.0"
    info = api.http.get("/api/3.0/mlflow/server-info").json()
    assert info["store_type"] == "SqlStore"
    assert info["workspaces_enabled"] is False
    assert info["artifact_serving_enabled"] is True
    assert api.http.get("/ajax-api/3.0/mlflow/server-info").json() == info


def test_there_is_a_default_experiment(api: Api) -> None:
    found = api.get("experiments/get", experiment_id="0")["experiment"]
    assert found == api.get("experiments/get-by-name", experiment_name="Default")["experiment"]
    assert {
        name: found[name] for name in ("experiment_id", "name", "artifact_location", "lifecycle_stage", "workspace")
    } == {
        "experiment_id": "0",
        "name": "Default",
        "artifact_location": "mlflow-artifacts:/0",
        "lifecycle_stage": "active",
        "workspace": "default",
    }
    assert isinstance(found["creation_time"], int)
    assert "tags" not in found


def test_an_experiment_comes_back(api: Api) -> None:
    made = api.experiment("first", tags=[{"key": "a", "value": "1"}])
    api.post("experiments/set-experiment-tag", experiment_id=made, key="b", value="2")
    api.post("experiments/set-experiment-tag", experiment_id=made, key="b", value="3")
    api.post("experiments/set-experiment-tag", experiment_id=made, key="c")
    api.post("experiments/set-experiment-tag", experiment_id=made, key="a", value="x" * 20_000)
    api.post("experiments/delete-experiment-tag", experiment_id=made, key="a")
    api.post("experiments/update", experiment_id=made, new_name="second")
    found = api.get("experiments/get", experiment_id=made)["experiment"]
    assert found["name"] == "second"
    assert sorted((tag["key"], tag["value"]) for tag in found["tags"]) == [("b", "3"), ("c", "")]
    assert found["artifact_location"] == f"mlflow-artifacts:/{made}"


def test_an_experiment_is_deleted_with_its_runs_and_restored(api: Api, experiment: str, run: str) -> None:
    api.post("experiments/delete", experiment_id=experiment)
    assert api.get("experiments/get", experiment_id=experiment)["experiment"]["lifecycle_stage"] == "deleted"
    assert api.get("runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "deleted"
    state = f"The experiment {experiment} must be in the 'active' state. Current state is deleted."
    assert api.refused("runs/create", experiment_id=experiment) == (400, "INVALID_PARAMETER_VALUE", state)
    tag = api.refused("experiments/set-experiment-tag", experiment_id=experiment, key="a", value="b")
    assert tag == (400, "INVALID_PARAMETER_VALUE", state)
    none = (404, "RESOURCE_DOES_NOT_EXIST", f"No Experiment with id={experiment} exists")
    assert api.refused("experiments/delete", experiment_id=experiment) == none
    renamed = api.refused("experiments/update", experiment_id=experiment, new_name="x")
    assert renamed == (500, "INVALID_STATE", "Cannot rename a non-active experiment.")
    assert api.refused("experiments/create", name="first")[1] == "RESOURCE_ALREADY_EXISTS"
    api.post("experiments/restore", experiment_id=experiment)
    assert api.get("runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "active"
    assert api.refused("experiments/restore", experiment_id=experiment) == none


def test_names_are_taken_once(api: Api) -> None:
    api.experiment("first")
    second = api.experiment("second")
    assert api.refused("experiments/create", name="first")[:2] == (400, "RESOURCE_ALREADY_EXISTS")
    assert api.refused("experiments/update", experiment_id=second, new_name="first")[:2] == (400, "BAD_REQUEST")
    found = api.refused("experiments/get-by-name", "GET", experiment_name="third")
    assert found == (404, "RESOURCE_DOES_NOT_EXIST", "Could not find experiment with name 'third'")


def test_a_name_that_looks_like_an_id_is_a_name(api: Api) -> None:
    other = api.experiment("first")
    named = api.experiment(other)
    assert api.get("experiments/get", experiment_id=other)["experiment"]["name"] == "first"
    assert api.get("experiments/get-by-name", experiment_name=other)["experiment"]["experiment_id"] == named
    run = api.run(named)
    assert api.get("runs/get", run_id=run)["run"]["info"]["experiment_id"] == named
    found = api.post("runs/search", experiment_ids=[named])["runs"]
    assert [one["info"]["run_id"] for one in found] == [run]
    assert api.post("runs/search", experiment_ids=[other]) == {}


@pytest.mark.parametrize("location", ["s3://bucket/path", "gs://bucket", "mlflow-artifacts:/my/place", "dbfs:/x"])
def test_clients_may_keep_their_files_elsewhere(api: Api, location: str) -> None:
    made = api.experiment("elsewhere", artifact_location=location)
    run = api.run(made)
    info = api.get("runs/get", run_id=run)["run"]["info"]
    assert info["artifact_uri"] == f"{location}/{run}/artifacts"


def names(found: Answer) -> list[str]:
    return [one["name"] for one in found.get("experiments", [])]


def test_experiments_are_searched(api: Api) -> None:
    made = {name: api.experiment(name, tags=[{"key": "place", "value": name}]) for name in ("a", "b", "c")}
    api.post("experiments/delete", experiment_id=made["c"])
    assert names(api.post("experiments/search", max_results=10)) == ["b", "a", "Default"]
    assert names(api.post("experiments/search", max_results=10, view_type="ALL")) == ["c", "b", "a", "Default"]
    assert names(api.post("experiments/search", max_results=10, view_type="DELETED_ONLY")) == ["c"]
    assert names(api.get("experiments/search", max_results=10, view_type=2)) == ["c"]
    assert names(api.post("experiments/search", max_results=10, filter="name LIKE 'a%'")) == ["a"]
    assert names(api.post("experiments/search", max_results=10, filter="tags.place = 'b'")) == ["b"]
    ordered = api.post("experiments/search", max_results=10, order_by=["name ASC"])
    assert names(ordered) == ["Default", "a", "b"]
    first = api.get("experiments/search", max_results=2, order_by=["name ASC"])
    rest = api.get("experiments/search", max_results=2, order_by=["name ASC"], page_token=first["next_page_token"])
    assert (names(first), names(rest)) == (["Default", "a"], ["b"])
    assert "next_page_token" not in rest
    for wrong in ({"filter": "nonsense"}, {"filter": "foo = 'x'"}, {"order_by": ["foo DESC"]}, {"page_token": "xyz"}):
        assert api.refused("experiments/search", max_results=10, **wrong)[:2] == (400, "INVALID_PARAMETER_VALUE")
