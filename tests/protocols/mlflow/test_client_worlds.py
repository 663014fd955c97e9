"""A run goes from Flyball to MLflow's client and back, and two servers on one PostgreSQL are one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flyball.tracking.nouns import MetricPoint
from flyball.workspace import Workspace
from tests.protocols.mlflow.proof import prove
from tests.servers.flyball_server import serving
from tests.servers.mlflow_clients import MlflowClient

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_run_of_ours_is_read_and_gone_on_with_by_the_client(workspace: Workspace, mlflow: MlflowClient) -> None:
    tracking = workspace.tracking
    params = {"depth": 3, "rate": 0.1, "flag": True, "none": None, "name": "a b"}
    run = tracking.create_run("both worlds", name="native", params=params, tags={"team": "growth"}, user="ann").id
    points = [MetricPoint(key="loss", value=value, step=step, at=NOW) for step, value in enumerate((0.5, 0.25))]
    tracking.log(run, metrics=[*points, MetricPoint(key="undefined", value=None, at=NOW)])
    tracking.log_artifact(run, "plots/words.txt", workspace.blobs.put(b"native words"), 12)
    for name in ("%41.txt", "50%25/a%20b.txt"):
        tracking.log_artifact(run, f"escapes/{name}", workspace.blobs.put(name.encode()), len(name))
    prove(mlflow, "both_worlds", run)
    found = tracking.get_run(run)
    assert (found.state, found.tags["seen"], found.params["more"], found.params["depth"]) == (
        "finished",
        "by mlflow",
        "yes",
        3,
    )
    assert found.metrics["loss"] == 0.125
    assert [point.step for point in tracking.metric_history(run, "loss")] == [0, 1, 2]
    (other,) = tracking.list_artifacts(run, prefix="plots/other.txt")
    assert workspace.blobs.get(other.digest) == b"client words"


def test_a_run_of_the_client_is_a_run_of_ours(workspace: Workspace, mlflow3: MlflowClient) -> None:
    script = """
import json, mlflow
mlflow.set_experiment("from mlflow")
with mlflow.start_run(run_name="theirs", description="words", tags={"a": "b"}) as run:
    mlflow.log_param("depth", 3)
    mlflow.log_metric("loss", float("nan"), step=4)
    mlflow.log_metric("loss", 0.5, step=5)
    mlflow.log_text("text", "notes/a.txt")
    with mlflow.start_run(nested=True) as child:
        pass
print(json.dumps([run.info.run_id, child.info.run_id]))
"""
    run, child = mlflow3.run(script)
    found = workspace.tracking.get_run(run)
    assert (found.experiment, found.name, found.state, found.notes) == ("from mlflow", "theirs", "finished", "words")
    assert (found.params["depth"], found.metrics, found.tags["a"]) == ("3", {"loss": 0.5}, "b")
    assert [point.value for point in workspace.tracking.metric_history(run, "loss")] == [None, 0.5]
    assert workspace.tracking.get_run(child).parent == run
    (artifact,) = workspace.tracking.list_artifacts(run)
    assert (artifact.name, workspace.blobs.get(artifact.digest)) == ("notes/a.txt", b"text")
    (page,) = workspace.run_search.search("params.depth = '3' AND metrics.loss <= 0.5").runs
    assert page.id == run


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_two_servers_on_one_postgres_are_one(workspace: Workspace, mlflow3: MlflowClient) -> None:
    with Workspace(workspace.settings, durable=False) as second, serving(second) as other:
        prove(mlflow3, "two_servers", other)
