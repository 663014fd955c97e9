"""The real MLflow client works in a project by its address alone: `MLFLOW_TRACKING_URI=http://host:port/projects/<name>`."""

from __future__ import annotations

from flyball.workspace import Workspace
from tests.servers.mlflow_clients import MlflowClient

SCRIPT = """
import json, sys, pathlib
import mlflow

home = mlflow.get_tracking_uri()
made, seen = {}, {}
for name in ("risk", "fraud"):
    mlflow.set_tracking_uri(f"{home}/projects/{name}")
    mlflow.set_experiment("churn")
    with mlflow.start_run(run_name=f"of {name}") as run:
        mlflow.log_metric("auc", 0.5)
        pathlib.Path("note.txt").write_text(f"secret of {name}")
        mlflow.log_artifact("note.txt")
    client = mlflow.MlflowClient()
    client.create_registered_model("churn")
    client.create_model_version("churn", f"runs:/{run.info.run_id}/note.txt", run.info.run_id)
    made[name] = run.info.run_id

for name, address in {"risk": f"{home}/projects/risk", "fraud": f"{home}/projects/fraud", "home": home}.items():
    mlflow.set_tracking_uri(address)
    client = mlflow.MlflowClient()
    runs = mlflow.search_runs(search_all_experiments=True, output_format="list")
    files = []
    for run in made.values():
        try:
            got = mlflow.artifacts.download_artifacts(run_id=run, artifact_path="note.txt", dst_path=f"{name}-{run}")
            files.append(pathlib.Path(got).read_text())
        except mlflow.exceptions.MlflowException as error:
            files.append(error.error_code)
    versions = {one.name: len(client.search_model_versions("name = 'churn'")) for one in client.search_registered_models()}
    seen[name] = [[run.info.run_name for run in runs], versions, files]
print(json.dumps(seen))
"""
GONE = "RESOURCE_DOES_NOT_EXIST"


def test_the_client_works_in_a_project_and_sees_that_one_alone(mlflow3: MlflowClient, workspace: Workspace) -> None:
    for name in ("risk", "fraud"):
        workspace.projects.create(name)
    assert mlflow3.run(SCRIPT) == {
        "risk": [["of risk"], {"churn": 1}, ["secret of risk", GONE]],
        "fraud": [["of fraud"], {"churn": 1}, [GONE, "secret of fraud"]],
        "home": [[], {}, [GONE, GONE]],
    }
