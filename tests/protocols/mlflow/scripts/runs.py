"""Runs: params, metrics, tags, batches, history, state, trash, inputs."""

from __future__ import annotations

import math
import time

import mlflow
from checks import check, refused, same
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunStatus, RunTag, ViewType
from mlflow.utils.rest_utils import http_request

client = MlflowClient()
experiment = mlflow.set_experiment("runs").experiment_id
ids: dict[str, str] = {}


@check
def a_run_keeps_what_the_fluent_functions_log() -> None:
    with mlflow.start_run(run_name="first", tags={"team": "blue"}, description="what it **is**") as run:
        mlflow.log_param("rate", 0.1)
        mlflow.log_params({"depth": 3, "name": "a b", "none": None, "yes": True})
        mlflow.log_metric("loss", 0.5)
        mlflow.log_metric("loss", 0.25, step=1)
        mlflow.log_metrics({"accuracy": 0.9, "recall": 0.8}, step=7)
        mlflow.set_tag("phase", "train")
        mlflow.set_tags({"a": 1, "b": "two"})
    ids["first"] = run.info.run_id
    found = mlflow.get_run(run.info.run_id)
    same(found.data.params, {"rate": "0.1", "depth": "3", "name": "a b", "none": "None", "yes": "True"})
    same(found.data.metrics, {"loss": 0.25, "accuracy": 0.9, "recall": 0.8})
    same(
        {k: v for k, v in found.data.tags.items() if "." not in k},
        {"team": "blue", "phase": "train", "a": "1", "b": "two"},
    )
    same(found.data.tags["mlflow.runName"], "first")
    same(found.data.tags["mlflow.note.content"], "what it **is**")
    same((found.info.run_name, found.info.status, found.info.lifecycle_stage), ("first", "FINISHED", "active"))
    assert found.info.start_time <= found.info.end_time
    same(found.info.experiment_id, experiment)
    same(found.info.artifact_uri, f"mlflow-artifacts:/{experiment}/{run.info.run_id}/artifacts")
    assert found.data.tags["mlflow.source.name"]
    same(found.info.user_id, found.data.tags["mlflow.user"])


@check
def a_run_without_a_name_gets_one() -> None:
    with mlflow.start_run() as run:
        assert run.info.run_name
    same(client.get_run(run.info.run_id).data.tags["mlflow.runName"], run.info.run_name)


@check
def runs_nest() -> None:
    with mlflow.start_run(run_name="parent") as parent, mlflow.start_run(run_name="child", nested=True) as child:
        mlflow.log_metric("inner", 1)
    found = client.get_run(child.info.run_id)
    same(found.data.tags["mlflow.parentRunId"], parent.info.run_id)
    same(client.get_parent_run(child.info.run_id).info.run_id, parent.info.run_id)


@check
def a_failure_is_kept() -> None:
    try:
        with mlflow.start_run(run_name="broken") as run:
            int("on purpose")
    except ValueError:
        pass
    same(client.get_run(run.info.run_id).info.status, "FAILED")


@check
def a_run_is_taken_up_again() -> None:
    with mlflow.start_run(run_id=ids["first"]):
        mlflow.log_metric("later", 1.5)
    same(client.get_run(ids["first"]).data.metrics["later"], 1.5)
    same(client.get_run(ids["first"]).info.status, "FINISHED")


@check
def every_state_can_be_set() -> None:
    run = client.create_run(experiment, start_time=1_700_000_000_123, run_name="states", tags={"x": "y"})
    same(run.info.start_time, 1_700_000_000_123)
    same(run.info.status, "RUNNING")
    for status in ("SCHEDULED", "RUNNING"):
        client.update_run(run.info.run_id, status=status)
        same(client.get_run(run.info.run_id).info.status, status)
    for status in ("FINISHED", "FAILED", "KILLED"):
        client.set_terminated(run.info.run_id, status=status, end_time=1_700_000_009_876)
        found = client.get_run(run.info.run_id).info
        same((found.status, found.end_time), (status, 1_700_000_009_876))
    client.update_run(run.info.run_id, name="renamed")
    found = client.get_run(run.info.run_id)
    same((found.info.run_name, found.data.tags["mlflow.runName"]), ("renamed", "renamed"))


@check
def a_name_set_as_a_tag_is_the_name() -> None:
    run = client.create_run(experiment).info.run_id
    client.set_tag(run, "mlflow.runName", "by tag")
    same(client.get_run(run).info.run_name, "by tag")


@check
def a_param_is_kept_once() -> None:
    run = client.create_run(experiment).info.run_id
    client.log_param(run, "p", "1")
    client.log_param(run, "p", "1")
    refused(lambda: client.log_param(run, "p", "2"), "INVALID_PARAMETER_VALUE", "already logged")
    refused(lambda: client.log_batch(run, params=[Param("q", "1"), Param("q", "2")]), "INVALID_PARAMETER_VALUE")
    refused(lambda: client.log_batch(run, params=[Param("p", "3")]), "INVALID_PARAMETER_VALUE")
    same(client.get_run(run).data.params, {"p": "1"})


@check
def a_batch_keeps_all_three() -> None:
    run = client.create_run(experiment).info.run_id
    ids["batch"] = run
    metrics = [Metric("m", float(step), 1_700_000_000_000 + step, step) for step in range(900)]
    params = [Param(f"p{number}", str(number)) for number in range(60)]
    tags = [RunTag(f"t{number}", "v" * 100) for number in range(40)]
    client.log_batch(run, metrics, params, tags)
    found = client.get_run(run).data
    same((found.metrics["m"], len(found.params)), (899.0, 60))
    same(sum(key.startswith("t") for key in found.tags), 40)
    history = client.get_metric_history(run, "m")
    same([(p.value, p.timestamp, p.step) for p in history], [(m.value, m.timestamp, m.step) for m in metrics])


@check
def a_batch_sent_twice_is_kept_once() -> None:
    metrics = [Metric("m", float(step), 1_700_000_000_000 + step, step) for step in range(900)]
    client.log_batch(ids["batch"], metrics)
    same(len(client.get_metric_history(ids["batch"], "m")), 900)


@check
def more_than_a_batch_holds_goes_in_several() -> None:
    run = client.create_run(experiment).info.run_id
    with mlflow.start_run(run_id=run):
        mlflow.log_params({f"p{number}": number for number in range(250)})
        mlflow.log_metrics({f"m{number}": number for number in range(1500)})
    found = client.get_run(run).data
    same((len(found.params), len(found.metrics)), (250, 1500))


@check
def the_latest_value_is_that_of_the_largest_step() -> None:
    run = client.create_run(experiment).info.run_id
    for step, at, value in ((5, 10, 1.0), (3, 99, 2.0), (5, 9, 3.0), (5, 10, 0.5)):
        client.log_metric(run, "m", value, timestamp=at, step=step)
    same(client.get_run(run).data.metrics["m"], 1.0)
    same(sorted(p.value for p in client.get_metric_history(run, "m")), [0.5, 1.0, 2.0, 3.0])


@check
def numbers_at_the_edge_are_kept() -> None:
    run = client.create_run(experiment).info.run_id
    for name, value in {"nan": math.nan, "inf": math.inf, "minus": -math.inf, "tiny": 5e-324, "neg": -1.5}.items():
        client.log_metric(run, name, value, step=-3)
    found = client.get_run(run).data.metrics
    same(math.isnan(found["nan"]), True)
    same(found["inf"] > 1.79e308, True)
    same(found["minus"] < -1.79e308, True)
    same((found["tiny"], found["neg"]), (5e-324, -1.5))
    same(client.get_metric_history(run, "neg")[0].step, -3)


@check
def what_was_sent_without_waiting_is_kept() -> None:
    with mlflow.start_run() as run:
        last = None
        for step in range(100):
            last = mlflow.log_metric("async", step, step=step, synchronous=False)
        mlflow.log_params({"one": 1}, synchronous=False).wait()
        mlflow.set_tags({"two": 2}, synchronous=False).wait()
        last.wait()
        if hasattr(mlflow, "flush_async_logging"):
            mlflow.flush_async_logging()
    same(len(client.get_metric_history(run.info.run_id, "async")), 100)
    same(client.get_run(run.info.run_id).data.params["one"], "1")


@check
def a_long_history_comes_in_pages() -> None:
    run = client.create_run(experiment).info.run_id
    for start in range(0, 3000, 1000):
        client.log_batch(run, [Metric("long", float(s), s, s) for s in range(start, start + 1000)])
    same([p.step for p in client.get_metric_history(run, "long")], list(range(3000)))
    same(client.get_metric_history(run, "never logged"), [])
    store = client._tracking_client.store
    first = store.get_metric_history(run, "long", max_results=2000)
    rest = store.get_metric_history(run, "long", max_results=2000, page_token=first.token)
    same([len(first), len(rest)], [2000, 1000])


@check
def histories_of_several_runs_come_at_once() -> None:
    store = client._tracking_client.store
    if not hasattr(store, "get_metric_history_bulk_interval"):
        return
    runs = [client.create_run(experiment).info.run_id for _ in range(2)]
    for run in runs:
        client.log_batch(run, [Metric("bulk", float(s), s, s) for s in range(500)])
    found = store.get_metric_history_bulk_interval(runs, "bulk", max_results=100, start_step=0, end_step=499)
    same({point.run_id for point in found}, set(runs))
    steps = [point.step for point in found if point.run_id == runs[0]]
    same((min(steps), max(steps)), (0, 499))
    assert len(steps) <= 130, len(steps)


@check
def tags_are_removed() -> None:
    client.set_tag(ids["first"], "gone", "soon")
    client.delete_tag(ids["first"], "gone")
    assert "gone" not in client.get_run(ids["first"]).data.tags
    refused(lambda: client.delete_tag(ids["first"], "gone"), "RESOURCE_DOES_NOT_EXIST")


@check
def a_removed_run_is_out_of_sight_and_comes_back() -> None:
    run = client.create_run(experiment, run_name="trash").info.run_id
    client.delete_run(run)
    same(client.get_run(run).info.lifecycle_stage, "deleted")
    refused(lambda: client.log_metric(run, "m", 1), "INVALID_PARAMETER_VALUE")
    refused(lambda: client.set_tag(run, "m", "1"), "INVALID_PARAMETER_VALUE")
    pattern = "attributes.run_name = 'trash'"
    same(len(client.search_runs([experiment], pattern)), 0)
    same(len(client.search_runs([experiment], pattern, ViewType.DELETED_ONLY)), 1)
    same(len(client.search_runs([experiment], pattern, ViewType.ALL)), 1)
    client.restore_run(run)
    client.log_metric(run, "m", 1)
    same(client.get_run(run).info.lifecycle_stage, "active")


@check
def a_run_that_is_not_there_is_said_so() -> None:
    nobody = "0" * 32
    refused(lambda: client.get_run(nobody), "RESOURCE_DOES_NOT_EXIST", nobody)
    refused(lambda: client.log_metric(nobody, "m", 1), "RESOURCE_DOES_NOT_EXIST")
    refused(lambda: client.log_param(nobody, "m", 1), "RESOURCE_DOES_NOT_EXIST")
    refused(lambda: client.set_tag(nobody, "m", 1), "RESOURCE_DOES_NOT_EXIST")
    refused(lambda: client.create_run("987654321"), "RESOURCE_DOES_NOT_EXIST")


@check
def what_is_too_long_is_refused() -> None:
    run = client.create_run(experiment).info.run_id
    store = client._tracking_client.store
    refused(lambda: store.log_param(run, Param("k" * 251, "v")), "INVALID_PARAMETER_VALUE")
    refused(lambda: store.log_metric(run, Metric("a//b", 1.0, 1, 1)), "INVALID_PARAMETER_VALUE")
    refused(lambda: store.log_metric(run, Metric("../b", 1.0, 1, 1)), "INVALID_PARAMETER_VALUE")
    store.log_param(run, Param("k" * 250, "v" * 6000))
    store.set_tag(run, RunTag("t", "v" * 8000))
    same(len(client.get_run(run).data.params["k" * 250]), 6000)


@check
def a_value_that_is_too_long_is_cut() -> None:
    run = client.create_run(experiment).info.run_id
    client._tracking_client.store.log_param(run, Param("k", "v" * 6001))
    same(len(client.get_run(run).data.params["k"]), 6000)


@check
def keys_of_every_kind_are_kept() -> None:
    run = client.create_run(experiment).info.run_id
    for key in ("a/b", "a.b", "a b", "a-b", "a:b", "A_1", "x"):
        client.log_metric(run, key, 1.0)
        client.log_param(run, key, "é猫\n'\"`%;--")
    found = client.get_run(run).data
    same(set(found.metrics), {"a/b", "a.b", "a b", "a-b", "a:b", "A_1", "x"})
    same(set(found.params.values()), {"é猫\n'\"`%;--"})


@check
def inputs_come_back_with_the_run() -> None:
    import numpy as np

    data = mlflow.data.from_numpy(np.arange(12).reshape(4, 3), name="numbers", digest="abc")
    with mlflow.start_run() as run:
        mlflow.log_input(data, context="training", tags={"k": "v"})
        mlflow.log_input(data, context="training")
        mlflow.log_input(mlflow.data.from_numpy(np.zeros((2, 2)), name="zeros"))
    ids["inputs"] = run.info.run_id
    found = {i.dataset.name: i for i in client.get_run(run.info.run_id).inputs.dataset_inputs}
    same(set(found), {"numbers", "zeros"})
    same(found["numbers"].dataset.digest, "abc")
    same(found["numbers"].dataset.source_type, "code")
    tags = {tag.key: tag.value for tag in found["numbers"].tags}
    same(tags["mlflow.data.context"], "training")
    host = client._tracking_client.store.get_host_creds()
    # As the pages of MLflow's own server ask for it; the client does not.
    path = "/ajax-api/2.0/mlflow/experiments/search-datasets"
    summary = http_request(host, path, "POST", json={"experiment_ids": [experiment]}).json()["dataset_summaries"]
    same({(s["name"], s.get("context")) for s in summary}, {("numbers", "training"), ("zeros", None)})


@check
def a_moment_is_kept_to_the_millisecond() -> None:
    run = client.create_run(experiment).info.run_id
    now = int(time.time() * 1000)
    client.log_metric(run, "m", 1.0, timestamp=now)
    same(client.get_metric_history(run, "m")[0].timestamp, now)


@check
def the_states_have_their_names() -> None:
    same(RunStatus.to_string(RunStatus.KILLED), "KILLED")


@check
def system_metrics_arrive() -> None:
    try:
        import psutil  # noqa: F401  # whether it is there
    except ImportError:
        return
    mlflow.set_system_metrics_sampling_interval(1)
    mlflow.set_system_metrics_samples_before_logging(1)
    with mlflow.start_run(log_system_metrics=True) as run:
        time.sleep(2.5)
    found = client.get_run(run.info.run_id).data.metrics
    assert any(name.startswith("system/cpu") for name in found), found
