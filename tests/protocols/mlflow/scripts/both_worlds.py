"""A run that Flyball made, read and gone on with by the client; the first argument is its id."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import mlflow
from checks import check, same
from mlflow import MlflowClient

client = MlflowClient()
run = sys.argv[1]


@check
def what_flyball_logged_is_read() -> None:
    found = client.get_run(run)
    same((found.info.run_name, found.info.status, found.info.user_id), ("native", "RUNNING", "ann"))
    same(found.data.params, {"depth": "3", "rate": "0.1", "flag": "True", "none": "None", "name": "a b"})
    same(found.data.metrics["loss"], 0.25)
    same(math.isnan(found.data.metrics["undefined"]), True)
    same(found.data.tags["team"], "growth")
    same([(p.step, p.value) for p in client.get_metric_history(run, "loss")], [(0, 0.5), (1, 0.25)])
    same(client.get_experiment(found.info.experiment_id).name, "both worlds")


@check
def what_flyball_logged_is_found() -> None:
    experiment = client.get_experiment_by_name("both worlds").experiment_id
    text = "params.depth = '3' AND metrics.loss < 0.3 AND tags.team = 'growth' AND params.flag = 'True'"
    same([found.info.run_id for found in client.search_runs([experiment], text)], [run])


@check
def its_files_are_read() -> None:
    same(Path(client.download_artifacts(run, "plots/words.txt")).read_text(), "native words")
    same([file.path for file in client.list_artifacts(run)], ["escapes", "plots"])


@check
def files_whose_names_hold_escapes_are_read() -> None:
    # The client reads every escape in a name that it is shown, and asks by what it has read.
    same([file.path for file in client.list_artifacts(run, "escapes")], ["escapes/50%", "escapes/A.txt"])
    same(Path(client.download_artifacts(run, "escapes/A.txt")).read_text(), "%41.txt")
    same(Path(client.download_artifacts(run, "escapes/%41.txt")).read_text(), "%41.txt")
    whole = Path(client.download_artifacts(run, "escapes"))
    same(sorted(path.relative_to(whole).as_posix() for path in whole.rglob("*.txt")), ["50%/a b.txt", "A.txt"])


@check
def the_client_goes_on_with_it() -> None:
    with mlflow.start_run(run_id=run):
        mlflow.log_metric("loss", 0.125, step=2)
        mlflow.log_param("more", "yes")
        mlflow.set_tag("seen", "by mlflow")
        mlflow.log_text("client words", "plots/other.txt")
    same(client.get_run(run).info.status, "FINISHED")
