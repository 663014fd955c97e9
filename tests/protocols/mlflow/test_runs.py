"""Runs, their params and tags in MLflow's protocol, and how they look natively."""

from __future__ import annotations

import pytest

from flyball.workspace import Workspace
from tests.servers.databases import ON_BOTH
from tests.servers.mlflow_api import START, Answer, Api

pytestmark = ON_BOTH


def test_a_run_begins(api: Api, experiment: str) -> None:
    tags = [{"key": "t", "value": "1"}]
    made = api.post(
        "runs/create", experiment_id=experiment, user_id="anna", run_name="main", start_time=START + 7, tags=tags
    )["run"]
    run = made["info"]["run_id"]
    assert made["info"] == {
        "run_uuid": run,
        "run_id": run,
        "experiment_id": experiment,
        "run_name": "main",
        "user_id": "anna",
        "status": "RUNNING",
        "start_time": START + 7,
        "artifact_uri": f"mlflow-artifacts:/{experiment}/{run}/artifacts",
        "lifecycle_stage": "active",
    }
    assert made["data"]["tags"] == [{"key": "mlflow.runName", "value": "main"}, {"key": "t", "value": "1"}]
    assert made["inputs"] == {}
    found = api.get("runs/get", run_uuid=run)["run"]
    assert found["info"] == made["info"]
    assert (found["inputs"], found["outputs"]) == ({}, {})


def test_a_run_that_nobody_names_has_a_name(api: Api, experiment: str) -> None:
    made = api.post("runs/create", experiment_id=experiment, start_time="1700000000123")["run"]
    assert made["info"]["start_time"] == 1700000000123
    assert made["data"]["tags"] == [{"key": "mlflow.runName", "value": made["info"]["run_name"]}]
    assert made["info"]["run_name"]
    tagged = api.post("runs/create", experiment_id=experiment, tags=[{"key": "mlflow.runName", "value": "named"}])
    assert tagged["run"]["info"]["run_name"] == "named"
    clash: Answer = {"run_name": "a", "tags": [{"key": "mlflow.runName", "value": "b"}]}
    assert api.refused("runs/create", experiment_id=experiment, **clash) == (
        400,
        "INVALID_PARAMETER_VALUE",
        (
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='a',"
            " mlflow.runName='b')."
        ),
    )


@pytest.mark.parametrize(
    ("status", "kept"),
    [("FINISHED", "FINISHED"), ("FAILED", "FAILED"), ("KILLED", "KILLED"), ("SCHEDULED", "SCHEDULED"), (3, "FINISHED")],
)
def test_a_run_changes_its_status(api: Api, run: str, status: str | int, kept: str) -> None:
    info = api.post("runs/update", run_id=run, status=status, end_time=START + 9)["run_info"]
    assert info["status"] == kept
    assert info["end_time"] == START + 9
    again = api.post("runs/update", run_id=run, status="RUNNING")["run_info"]
    assert again["status"] == "RUNNING"
    assert api.get("runs/get", run_id=run)["run"]["info"] == again


def test_a_run_that_ended_one_way_can_end_another_way(api: Api, run: str) -> None:
    for status in ("FINISHED", "FAILED", "KILLED", "FINISHED"):
        assert api.post("runs/update", run_id=run, status=status, end_time=START)["run_info"]["status"] == status
    info = api.post("runs/update", run_id=run, status="KILLED")["run_info"]
    assert (info["status"], info["end_time"]) == ("KILLED", START)


def test_the_name_of_a_run_is_also_a_tag(api: Api, run: str) -> None:
    api.post("runs/update", run_id=run, run_name="second")
    assert api.data(run)["tags"]["mlflow.runName"] == "second"
    api.post("runs/set-tag", run_id=run, key="mlflow.runName", value="third")
    found = api.get("runs/get", run_id=run)["run"]
    assert found["info"]["run_name"] == "third"
    api.post("runs/log-batch", run_id=run, tags=[{"key": "mlflow.runName", "value": "fourth"}])
    assert api.get("runs/get", run_id=run)["run"]["info"]["run_name"] == "fourth"


def test_tags(api: Api, run: str) -> None:
    api.post("runs/set-tag", run_id=run, key="color", value="red")
    api.post("runs/set-tag", run_uuid=run, key="color", value="blue")
    api.post("runs/set-tag", run_id=run, key="none")
    api.post("runs/set-tag", run_id=run, key="long", value="x" * 8001)
    tags = api.data(run)["tags"]
    assert (tags["color"], tags["none"], len(tags["long"])) == ("blue", "", 8000)
    api.post("runs/delete-tag", run_id=run, key="color")
    assert "color" not in api.data(run)["tags"]
    none = f"No tag with name: color in run with id {run}"
    assert api.refused("runs/delete-tag", run_id=run, key="color") == (404, "RESOURCE_DOES_NOT_EXIST", none)


def test_a_run_is_deleted_and_restored(api: Api, run: str) -> None:
    for _ in range(2):
        api.post("runs/delete", run_id=run)
    found = api.get("runs/get", run_id=run)["run"]["info"]
    assert (found["lifecycle_stage"], found["status"]) == ("deleted", "RUNNING")
    refusal = (
        400,
        "INVALID_PARAMETER_VALUE",
        f"The run {run} must be in the 'active' state. Current state is deleted.",
    )
    assert api.refused("runs/log-metric", run_id=run, key="a", value=1, timestamp=1) == refusal
    assert api.refused("runs/log-parameter", run_id=run, key="a", value="1") == refusal
    assert api.refused("runs/set-tag", run_id=run, key="a", value="1") == refusal
    assert api.refused("runs/log-batch", run_id=run, tags=[{"key": "a", "value": "1"}]) == refusal
    assert api.refused("runs/update", run_id=run, status="FINISHED") == refusal
    assert api.refused("runs/log-inputs", run_id=run) == refusal
    for _ in range(2):
        api.post("runs/restore", run_id=run)
    assert api.get("runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "active"
    api.post("runs/log-metric", run_id=run, key="a", value=1, timestamp=1)


def test_a_param_is_kept_and_cannot_change(api: Api, run: str) -> None:
    for _ in range(2):
        api.post("runs/log-parameter", run_id=run, key="lr", value="0.1")
    api.post("runs/log-parameter", run_id=run, key="none")
    api.post("runs/log-parameter", run_id=run, key="größe", value="äöü🙂\n")
    api.post("runs/log-parameter", run_id=run, key="long", value="x" * 6001)
    params = api.data(run)["params"]
    assert (params["lr"], params["none"], params["größe"], len(params["long"])) == ("0.1", "", "äöü🙂\n", 6000)
    for other in ("0.2", "0.10"):
        assert api.refused("runs/log-parameter", run_id=run, key="lr", value=other) == (
            400,
            "INVALID_PARAMETER_VALUE",
            (
                "Changing param values is not allowed. Param with key='lr' was already logged with value='0.1' for run"
                f" ID='{run}'. Attempted logging new value '{other}'."
            ),
        )


def test_the_same_text_as_a_native_param_is_no_change(api: Api, workspace: Workspace, run: str) -> None:
    workspace.tracking.log(run, params={"lr": 0.1, "deep": True, "none": None})
    assert api.data(run)["params"] == {"lr": "0.1", "deep": "True", "none": "None"}
    api.post("runs/log-parameter", run_id=run, key="lr", value="0.1")
    both = [{"key": "deep", "value": "True"}, {"key": "new", "value": "1"}]
    api.post("runs/log-batch", run_id=run, params=both, tags=[{"key": "a", "value": "b"}])
    assert api.data(run)["params"]["new"] == "1"
    assert api.data(run)["tags"]["a"] == "b"
    assert workspace.tracking.get_run(run).params["lr"] == 0.1


def test_a_key_can_be_250_long(api: Api, run: str) -> None:
    api.post("runs/log-parameter", run_id=run, key="x" * 250, value="1")
    api.post("runs/log-metric", run_id=run, key="x" * 250, value=1, timestamp=1)
    too_long = "exceeds the maximum length of 250 characters"
    assert api.refused("runs/log-parameter", run_id=run, key="x" * 251, value="1")[2] == f"'Param key' {too_long}"
    assert api.refused("runs/log-metric", run_id=run, key="x" * 251, value=1, timestamp=1)[2] == (
        f"'Metric name' {too_long}"
    )


def test_a_native_run_is_seen(api: Api, workspace: Workspace) -> None:
    made = workspace.tracking.create_run("native", name="one", params={"depth": 3}, tags={"t": "x"})
    child = workspace.tracking.create_run("native", name="two", parent=made.id)
    workspace.tracking.finish_run(child.id, "cancelled")
    experiment = api.get("experiments/get-by-name", experiment_name="native")["experiment"]["experiment_id"]
    found = {one["info"]["run_name"]: one for one in api.post("runs/search", experiment_ids=[experiment])["runs"]}
    assert found["one"]["info"]["status"] == "RUNNING"
    assert found["one"]["data"]["params"] == [{"key": "depth", "value": "3"}]
    assert found["two"]["info"]["status"] == "KILLED"
    assert api.data(child.id)["tags"] == {"mlflow.runName": "two", "mlflow.parentRunId": made.id}


def test_a_run_of_a_client_is_seen_natively(api: Api, workspace: Workspace, experiment: str, run: str) -> None:
    tags = [{"key": "mlflow.parentRunId", "value": run}, {"key": "mlflow.note.content", "value": "Some *text*."}]
    child = api.run(experiment, "child", START + 1, user_id="anna", tags=tags)
    api.post("runs/log-metric", run_id=child, key="loss", value=0.5, timestamp=START, step=1)
    api.post("runs/update", run_id=child, status="FINISHED", end_time=START + 5)
    found = workspace.tracking.get_run(child)
    assert (found.experiment, found.name, found.parent, found.user) == ("first", "child", run, "anna")
    assert (found.state, found.metrics, found.notes) == ("finished", {"loss": 0.5}, "Some *text*.")
    assert found.ended is not None
    assert found.ended.timestamp() * 1000 == START + 5
    api.post("runs/set-tag", run_id=child, key="mlflow.note.content", value="Other.")
    assert workspace.tracking.get_run(child).notes == "Other."
    api.post("runs/delete-tag", run_id=child, key="mlflow.note.content")
    assert workspace.tracking.get_run(child).notes == ""


def test_an_empty_answer_is_an_empty_object(api: Api, run: str) -> None:
    answer = api.http.post("/api/2.0/mlflow/runs/set-tag", json={"run_id": run, "key": "a", "value": "b"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {}


def test_the_other_root_answers_as_well(api: Api, run: str) -> None:
    found = api.http.get("/ajax-api/2.0/mlflow/runs/get", params={"run_id": run}).json()
    assert found == api.get("runs/get", run_id=run)
