"""Metrics and batches in MLflow's protocol: what is kept, and in which order it comes back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers.databases import ON_BOTH
from tests.servers.mlflow_api import NONE, SEE, START, Api

pytestmark = ON_BOTH


def test_metrics_are_kept_as_they_are_given(api: Api, run: str) -> None:
    def log(key: str, value: object, timestamp: object = START, **more: object) -> None:
        api.post("runs/log-metric", run_id=run, key=key, value=value, timestamp=timestamp, **more)

    log("loss", 0.5, START + 1, step=1)
    log("loss", 0.4, START + 2, step=2)
    log("loss", 0.4, START + 2, step=2)
    log("acc", 1)
    log("text", "1.5", "1700000002000", step="7")
    log("nan", "NaN")
    log("inf", "Infinity")
    log("ninf", "-Infinity")
    log("zero", 0, 0, step=0)
    log("neg", -1.25, 1, step=-3)
    assert api.data(run)["metrics"] == {
        "loss": (0.4, START + 2, 2),
        "acc": (1.0, START, 0),
        "text": (1.5, 1700000002000, 7),
        "nan": ("NaN", START, 0),
        "inf": (1.7976931348623157e308, START, 0),
        "ninf": (-1.7976931348623157e308, START, 0),
        "zero": (0.0, 0, 0),
        "neg": (-1.25, 1, -3),
    }
    history = api.get("metrics/get-history", run_id=run, metric_key="loss")["metrics"]
    assert history == [
        {"key": "loss", "value": 0.5, "timestamp": START + 1, "step": 1},
        {"key": "loss", "value": 0.4, "timestamp": START + 2, "step": 2},
    ]


def test_the_latest_is_that_of_the_highest_step_then_time_then_value(api: Api, run: str) -> None:
    points = [(5, 1, 1.0), (5, 2, 2.0), (4, 9, 9.0), (5, 2, 3.0), (5, 2, 2.5)]
    metrics = [{"key": "m", "step": step, "timestamp": at, "value": value} for step, at, value in points]
    api.post("runs/log-batch", run_id=run, metrics=metrics)
    assert api.data(run)["metrics"] == {"m": (3.0, 2, 5)}


def history(api: Api, run: str, **more: Any) -> tuple[list[tuple[int, int, Any]], str]:
    found = api.get("metrics/get-history", run_id=run, metric_key="m", **more)
    points = [(one["timestamp"], one["step"], one["value"]) for one in found.get("metrics", [])]
    return points, found.get("next_page_token", "")


def test_a_history_goes_by_time_and_comes_in_pages(api: Api, run: str) -> None:
    metrics = [{"key": "m", "step": 9 - at, "timestamp": at, "value": at / 2} for at in range(7)]
    api.post("runs/log-batch", run_id=run, metrics=metrics)
    points, token = history(api, run)
    assert points == [(at, 9 - at, at / 2) for at in range(7)]
    assert token == ""
    pages, token = [], ""
    for _ in range(3):
        page, token = history(api, run, max_results=3, **({"page_token": token} if token else {}))
        pages.append(len(page))
        assert page == points[sum(pages[:-1]) : sum(pages)]
    assert (pages, token) == ([3, 3, 1], "")


def test_a_long_history_comes_in_pages_by_step(api: Api, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flyball.server.protocols.mlflow._histories.LONG", 100)
    values: list[float | str] = [step / 2 for step in range(250)]
    values[7] = "NaN"
    metrics = [{"key": "m", "step": step, "timestamp": START + step, "value": values[step]} for step in range(250)]
    api.post("runs/log-batch", run_id=run, metrics=metrics)
    found, token = history(api, run, max_results=99)
    while token:
        page, token = history(api, run, max_results=99, page_token=token)
        found += page
    assert found == [(START + step, step, values[step]) for step in range(250)]
    assert history(api, run)[0] == found
    thin = steps(api, [run], max_results=10)
    assert (thin[0], thin[-1], len(thin)) == (0, 249, 10)
    part = steps(api, [run], max_results=10, start_step=100, end_step=200)
    assert (min(part), max(part)) == (100, 200)


def test_a_history_of_nothing_is_empty(api: Api, run: str) -> None:
    assert api.get("metrics/get-history", run_id=run, metric_key="none") == {}
    assert api.get("metrics/get-history", run_id=NONE, metric_key="none") == {}


def test_undefined_points_come_as_text(api: Api, run: str) -> None:
    metrics = [
        {"key": "m", "value": "NaN", "timestamp": 1, "step": 1},
        {"key": "m", "value": 2, "timestamp": 1, "step": 1},
    ]
    api.post("runs/log-batch", run_id=run, metrics=metrics)
    assert history(api, run)[0] == [(1, 1, "NaN"), (1, 1, 2.0)]
    assert api.data(run)["metrics"] == {"m": (2.0, 1, 1)}


def test_histories_of_many_runs(api: Api, experiment: str) -> None:
    runs = sorted(api.run(experiment) for _ in range(2))
    for run in runs:
        metrics = [{"key": "m", "value": step, "timestamp": 10 - step, "step": step} for step in range(3)]
        api.post("runs/log-batch", run_id=run, metrics=metrics)
    bulk = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
    found = api.http.get(bulk, params={"run_id": [*reversed(runs)], "metric_key": "m"}).json()["metrics"]
    assert [(one["run_id"], one["timestamp"]) for one in found] == [(run, at) for run in runs for at in (8, 9, 10)]
    assert set(found[0]) == {"key", "run_id", "step", "timestamp", "value"}
    few = api.http.get(bulk, params={"run_id": runs, "metric_key": "m", "max_results": 4}).json()["metrics"]
    assert few == found[:4]
    for query, message in (
        ({"metric_key": "m"}, "GetMetricHistoryBulk request must specify at least one run_id."),
        ({"run_id": runs}, "GetMetricHistoryBulk request must specify a metric_key."),
        (
            {"run_id": [str(place) for place in range(101)], "metric_key": "m"},
            "GetMetricHistoryBulk request cannot specify more than 100 run_ids. Received 101 run_ids.",
        ),
    ):
        assert api.http.get(bulk, params=query).json()["message"] == message


def steps(api: Api, runs: list[str], **more: Any) -> list[int]:
    found = api.get("metrics/get-history-bulk-interval", run_ids=runs, metric_key="m", **more)
    return [one["step"] for one in found.get("metrics", [])]


def test_a_history_is_thinned_out_evenly(api: Api, run: str) -> None:
    metrics = [{"key": "m", "value": step, "timestamp": 1, "step": step} for step in range(10)]
    api.post("runs/log-batch", run_id=run, metrics=metrics)
    assert steps(api, [run]) == list(range(10))
    assert steps(api, [run], max_results=1) == [9]
    assert steps(api, [run], max_results=2) == [0, 9]
    assert steps(api, [run], max_results=4) == [0, 3, 6, 9]
    assert steps(api, [run], start_step=2, end_step=5) == [2, 3, 4, 5]
    assert steps(api, [NONE]) == []
    for wrong, message in (
        (
            {"start_step": 4, "end_step": 3},
            "end_step must be greater than start_step. Found start_step=4 and end_step=3.",
        ),
        ({"start_step": 4}, "If either start step or end step are specified, both must be specified."),
        ({"max_results": 2501}, f"max_results must be between 1 and 2500.{SEE}"),
    ):
        found = api.refused("metrics/get-history-bulk-interval", "GET", run_ids=[run], metric_key="m", **wrong)
        assert found == (400, "INVALID_PARAMETER_VALUE", message)


def test_a_batch(api: Api, run: str) -> None:
    metrics = [{"key": "m", "value": step / 2, "timestamp": START + step, "step": step} for step in range(1000 - 3)]
    params = [{"key": "p", "value": "1"}, {"key": "q", "value": "zwei"}]
    api.post("runs/log-batch", run_id=run, metrics=metrics, params=params, tags=[{"key": "t", "value": "x"}])
    data = api.data(run)
    assert data["metrics"] == {"m": (498.0, START + 996, 996)}
    assert data["params"] == {"p": "1", "q": "zwei"}
    assert data["tags"]["t"] == "x"
    assert len(history(api, run)[0]) == 997


def test_a_batch_that_is_sent_twice_is_kept_once(api: Api, run: str) -> None:
    metrics = [{"key": "m", "value": step, "timestamp": START, "step": step} for step in range(200)]
    for _ in range(2):
        api.post("runs/log-batch", run_id=run, metrics=metrics)
    api.post("runs/log-batch", run_id=run, metrics=[*metrics[:3], *metrics[:3]])
    assert len(history(api, run)[0]) == 200


def test_a_batch_is_kept_as_a_whole_or_not_at_all(api: Api, run: str) -> None:
    api.post("runs/log-parameter", run_id=run, key="p", value="1")
    found = api.refused(
        "runs/log-batch",
        run_id=run,
        params=[{"key": "p", "value": "2"}, {"key": "new", "value": "1"}],
        metrics=[{"key": "m", "value": 1, "timestamp": 1}],
        tags=[{"key": "t", "value": "1"}],
    )
    assert found == (
        400,
        "INVALID_PARAMETER_VALUE",
        (
            "Changing param values is not allowed. Params were already logged='[{'key': 'p', 'old_value': '1', 'new_value':"
            f" '2'}}]' for run ID='{run}'."
        ),
    )
    data = api.data(run)
    assert (data["metrics"], data["params"]) == ({}, {"p": "1"})
    assert "t" not in data["tags"]


def test_of_tags_with_one_key_the_last_counts(api: Api, run: str) -> None:
    api.post("runs/log-batch", run_id=run, tags=[{"key": "t", "value": "1"}, {"key": "t", "value": "2"}])
    assert api.data(run)["tags"]["t"] == "2"
