"""Ray Tune's callback for MLflow: each trial becomes a run."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings

import ray
from checks import check, same
from mlflow import MlflowClient
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback, setup_mlflow

warnings.simplefilter("ignore")
url = os.environ["MLFLOW_TRACKING_URI"]
client = MlflowClient()
ray.init(
    num_cpus=1,
    include_dashboard=False,
    _node_ip_address="127.0.0.1",
    object_store_memory=80 << 20,
    log_to_driver=False,
    logging_level=logging.ERROR,
)


def tuned(train: object, *callbacks: MLflowLoggerCallback, rates: tuple[float, ...] = (0.1,)) -> tune.ResultGrid:
    """A trial for each rate, one after the other."""
    config = tune.RunConfig(storage_path=tempfile.mkdtemp(), callbacks=list(callbacks), verbose=0)
    return tune.Tuner(train, param_space={"rate": tune.grid_search(list(rates))}, run_config=config).fit()


def by_callback(config: dict[str, float]) -> None:
    """A trial that tells Ray alone."""
    for step in range(3):
        tune.report({"loss": config["rate"] / (step + 1)})


def by_itself(config: dict[str, float]) -> None:
    """A trial that logs by itself, in the run that Ray makes for it."""
    mlflow = setup_mlflow(config, experiment_name="ray trials", tracking_uri=url, create_experiment_if_not_exists=True)
    mlflow.log_metric("own", 1.0, step=7)
    tune.report({"loss": 0.0})


@check
def every_listener_of_ray_is_on_loopback() -> None:
    import psutil

    mine = {process.pid for process in psutil.Process().children(recursive=True)} | {os.getpid()}
    heard = {one.laddr.ip for one in psutil.net_connections("tcp") if one.status == "LISTEN" and one.pid in mine}
    assert heard
    same([ip for ip in heard if not ip.removeprefix("::ffff:").startswith("127.")], [])


@check
def each_trial_is_a_run_with_its_metrics_and_files() -> None:
    callback = MLflowLoggerCallback(
        tracking_uri=url, experiment_name="ray", save_artifact=True, tags={"team": "growth"}
    )
    assert not tuned(by_callback, callback, rates=(0.1, 0.2)).errors
    experiment = client.get_experiment_by_name("ray")
    runs = client.search_runs([experiment.experiment_id], order_by=["params.rate"])
    same([run.data.params["rate"] for run in runs], ["0.1", "0.2"])
    same([run.info.status for run in runs], ["FINISHED", "FINISHED"])
    same({run.data.tags["team"] for run in runs}, {"growth"})
    for run, rate in zip(runs, (0.1, 0.2), strict=True):
        history = client.get_metric_history(run.info.run_id, "loss")
        same([(point.step, point.value) for point in history], [(step, rate / step) for step in (1, 2, 3)])
        files = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert {"params.json", "progress.csv", "result.json"} <= files, files


@check
def a_trial_that_fails_is_a_failed_run() -> None:
    def fail(config: dict[str, float]) -> None:
        raise ValueError("on purpose")

    callback = MLflowLoggerCallback(tracking_uri=url, experiment_name="ray failures")
    same(tuned(fail, callback).num_errors, 1)
    experiment = client.get_experiment_by_name("ray failures")
    same([run.info.status for run in client.search_runs([experiment.experiment_id])], ["FAILED"])


@check
def trials_log_by_themselves_in_runs_that_ray_made() -> None:
    assert not tuned(by_itself).errors
    experiment = client.get_experiment_by_name("ray trials")
    runs = client.search_runs([experiment.experiment_id])
    same([run.data.metrics["own"] for run in runs], [1.0])


ray.shutdown()
