"""What MLflow's server refuses, refused in its words. The database has no part in it."""

from __future__ import annotations

import pytest

from tests.servers.mlflow_api import NONE, SEE, Answer, Api

IRIS = {"name": "iris", "digest": "abc", "source_type": "local", "source": "{}", "schema": '{"a": 1}', "profile": "{}"}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is tried here does not depend on the database."""
    return sqlite_url


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "message"),
    [
        ("create", {}, 400, "INVALID_PARAMETER_VALUE", f"Missing value for required parameter 'name'.{SEE}"),
        ("create", {"name": ""}, 400, "INVALID_PARAMETER_VALUE", f"Missing value for required parameter 'name'.{SEE}"),
        ("create", {"name": "  "}, 400, "INVALID_PARAMETER_VALUE", "Invalid experiment name: '  '"),
        (
            "create",
            {"name": "x" * 501},
            400,
            "INVALID_PARAMETER_VALUE",
            "'name' exceeds the maximum length of 500 characters",
        ),
        ("delete", {"experiment_id": "99999"}, 404, "RESOURCE_DOES_NOT_EXIST", "No Experiment with id=99999 exists"),
        (
            "delete",
            {"experiment_id": "abc"},
            400,
            "INVALID_PARAMETER_VALUE",
            "Invalid experiment ID 'abc'. Experiment ID must be a valid integer.",
        ),
        (
            "set-experiment-tag",
            {"experiment_id": "0", "key": "../x", "value": ""},
            400,
            "INVALID_PARAMETER_VALUE",
            (
                "Invalid value \"../x\" for parameter 'key' supplied: Names may be treated as files in certain cases, and must"
                " not resolve to other names when treated as such. This name would resolve to '../x'"
            ),
        ),
        (
            "set-experiment-tag",
            {"experiment_id": "0", "key": "k", "value": "v" * 20_001},
            400,
            "INVALID_PARAMETER_VALUE",
            "'value' exceeds the maximum length of 20000 characters",
        ),
        (
            "delete-experiment-tag",
            {"experiment_id": "0", "key": "k"},
            404,
            "RESOURCE_DOES_NOT_EXIST",
            "No tag with name: k in experiment with id 0",
        ),
        (
            "search",
            {},
            400,
            "INVALID_PARAMETER_VALUE",
            "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer",
        ),
        (
            "search",
            {"max_results": 50_001},
            400,
            "INVALID_PARAMETER_VALUE",
            "Invalid value 50001 for parameter 'max_results' supplied. It must be at most 50000",
        ),
    ],
)
def test_what_is_wrong_with_an_experiment_is_told_in_the_words_of_mlflow(
    api: Api, path: str, body: Answer, status: int, code: str, message: str
) -> None:
    assert api.refused(f"experiments/{path}", **body) == (status, code, message)


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc",
        "/etc",
        "some/where",
        "../x",
        "runs:/x/y",
        "s3://b/x#y",
        "s3://b?a=..",
        "mlflow-artifacts:/../x",
        "sqlite:///x",
    ],
)
def test_the_server_opens_no_place_that_a_client_names(api: Api, location: str) -> None:
    assert api.refused("experiments/create", name="x", artifact_location=location)[:2] == (
        400,
        "INVALID_PARAMETER_VALUE",
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("log-metric", {"key": "a", "value": 1, "timestamp": 1}),
        ("log-parameter", {"key": "a", "value": "1"}),
        ("set-tag", {"key": "a", "value": "1"}),
        ("delete-tag", {"key": "a"}),
        ("log-batch", {}),
        ("log-inputs", {}),
        ("outputs", {"models": [{"model_id": "m"}]}),
        ("update", {"status": "FINISHED"}),
        ("delete", {}),
        ("restore", {}),
    ],
)
def test_nothing_is_logged_for_a_run_that_there_is_not(api: Api, path: str, body: Answer) -> None:
    none = (404, "RESOURCE_DOES_NOT_EXIST", f"Run with id={NONE} not found")
    assert api.refused(f"runs/{path}", run_id=NONE, **body) == none
    missing = f"Missing value for required parameter 'run_id'.{SEE}"
    assert api.refused(f"runs/{path}", **body) == (400, "INVALID_PARAMETER_VALUE", missing)


@pytest.mark.parametrize("key", ['a"b', "a*b", "../b", "/b", "a//b", "a/./b", ".", "a?"])
def test_a_key_that_is_none_is_refused(api: Api, run: str, key: str) -> None:
    for path, body in (
        ("log-parameter", {"value": "x"}),
        ("set-tag", {"value": "x"}),
        ("log-metric", {"value": 1, "timestamp": 1}),
    ):
        status, code, message = api.refused(f"runs/{path}", run_id=run, key=key, **body)
        assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
        assert message.startswith("Invalid value ")
        assert "Names may" in message


@pytest.mark.parametrize("missing", ["key", "value", "timestamp"])
def test_a_metric_lacks_something(api: Api, run: str, missing: str) -> None:
    body: Answer = {"run_id": run, "key": "a", "value": 1, "timestamp": 1}
    del body[missing]
    message = f"Missing value for required parameter '{missing}'.{SEE}"
    assert api.refused("runs/log-metric", **body) == (400, "INVALID_PARAMETER_VALUE", message)


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": "abc"},
        {"step": "abc"},
        {"step": 1 << 63},
        {"timestamp": -1},
        {"timestamp": "x"},
        {"timestamp": 1 << 62},
        {"key": 5},
    ],
)
def test_a_metric_that_is_none_is_refused(api: Api, run: str, wrong: Answer) -> None:
    body = {"run_id": run, "key": "a", "value": 1, "timestamp": 1, **wrong}
    status, code, message = api.refused("runs/log-metric", **body)
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert f"for parameter '{next(iter(wrong))}' supplied" in message
    assert "metrics" not in api.get("runs/get", run_id=run)["run"]["data"]


@pytest.mark.parametrize("query", [{"max_results": 0}, {"max_results": -1}, {"max_results": 3, "page_token": "zzz"}])
def test_a_page_of_a_history_that_is_none_is_refused(api: Api, run: str, query: Answer) -> None:
    found = api.refused("metrics/get-history", "GET", run_id=run, metric_key="m", **query)
    assert found[:2] == (400, "INVALID_PARAMETER_VALUE")


def many(count: int) -> list[dict[str, str]]:
    return [{"key": f"k{place}", "value": "1"} for place in range(count)]


def points(count: int) -> list[Answer]:
    return [{"key": "m", "value": 1, "timestamp": 1, "step": step} for step in range(count)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"metrics": points(1001)}, "at most 1000 metrics. Got 1001 metrics. Please split up metrics"),
        ({"params": many(101)}, "at most 100 params. Got 101 params. Please split up params"),
        ({"tags": many(101)}, "at most 100 tags. Got 101 tags. Please split up tags"),
        ({"metrics": points(950), "params": many(51)}, "at most 1000 metrics, params, and tags. Got 1001 metrics"),
        ({"metrics": [{"key": "m", "timestamp": 1}]}, "Missing value for required parameter 'metrics[0].value'."),
        ({"metrics": [{"value": 1, "timestamp": 1}]}, "Missing value for required parameter 'metrics[0].key'."),
        ({"metrics": [*points(1), {"key": "m", "value": 1}]}, "required parameter 'metrics[1].timestamp'."),
        ({"params": [{"value": "1"}]}, "Missing value for required parameter 'params[0].key'."),
        ({"tags": [{"value": "1"}]}, "Missing value for required parameter 'tags[0].key'."),
        (
            {"metrics": [{"key": "a*", "value": 1, "timestamp": 1}]},
            "for parameter 'metrics[0].name' supplied: Names may",
        ),
        ({"params": [*many(1), {"key": "a*"}]}, "for parameter 'params[1].key' supplied: Names may"),
        ({"tags": [{"key": "a*"}]}, "for parameter 'tags[0].key' supplied: Names may"),
        ({"params": [*many(1), *many(1)]}, "Duplicate parameter keys have been submitted: ['k0']."),
        ({"run_id": "../x"}, "Invalid value \"../x\" for parameter 'run_id' supplied."),
    ],
)
def test_a_batch_that_is_none_is_refused(api: Api, run: str, body: Answer, message: str) -> None:
    status, code, said = api.refused("runs/log-batch", **{"run_id": run, **body})
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert message in said


@pytest.mark.parametrize(
    "wrong",
    [
        {"filter": "foo"},
        {"filter": "metrics.m > 'x'"},
        {"filter": "params.p > 3"},
        {"filter": "wrong.p = 3"},
        {"filter": "params.p = '1' OR params.p = '2'"},
        {"order_by": ["foo.bar"]},
        {"order_by": "metrics.m"},
        {"page_token": "zzz"},
        {"max_results": 0},
        {"max_results": -1},
        {"max_results": 50_001},
        {"max_results": "abc"},
        {"experiment_ids": ["abc"]},
        {"run_view_type": "NONE"},
    ],
)
def test_a_search_of_runs_that_is_none_is_refused(api: Api, experiment: str, wrong: Answer) -> None:
    found = api.refused("runs/search", **{"experiment_ids": [experiment], **wrong})
    assert found[:2] == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize(
    ("dataset", "tags", "message"),
    [
        ({"digest": "x" * 37}, [], "'digest' exceeds the maximum length of 36 characters"),
        ({"name": "x" * 501}, [], "'name' exceeds the maximum length of 500 characters"),
        ({}, [{"key": "x" * 256, "value": ""}], "'key' exceeds the maximum length of 255 characters"),
        ({}, [{"key": "x", "value": "v" * 501}], "'value' exceeds the maximum length of 500 characters"),
    ],
)
def test_an_input_that_is_none_is_refused(
    api: Api, run: str, dataset: Answer, tags: list[Answer], message: str
) -> None:
    found = api.refused("runs/log-inputs", run_id=run, datasets=[{"dataset": {**IRIS, **dataset}, "tags": tags}])
    assert found == (400, "INVALID_PARAMETER_VALUE", message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"filter": "nonsense"}, ""),
        ({"filter": "name > 'x'"}, ""),
        ({"filter": "bogus.x = 'x'"}, ""),
        ({"order_by": [{"field_name": "bogus"}]}, "Invalid order by field name: bogus"),
        (
            {"order_by": [{"field_name": "params.p"}]},
            "Invalid order by field name: params.p. Only metrics are supported.",
        ),
        ({"datasets": [{"dataset_digest": "a"}]}, "`dataset_name` in the `datasets` clause must be specified."),
        ({"page_token": "zzz"}, "Invalid page token, could not base64-decode"),
        ({"experiment_ids": ["abc"]}, "Invalid experiment ID 'abc'. Experiment ID must be a valid integer."),
    ],
)
def test_a_search_of_models_that_is_none_is_refused(api: Api, experiment: str, body: Answer, message: str) -> None:
    status, code, said = api.refused("logged-models/search", **{"experiment_ids": [experiment], **body})
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert message in said
    missing = f"Missing value for required parameter 'experiment_ids'.{SEE}"
    assert api.refused("logged-models/search") == (400, "INVALID_PARAMETER_VALUE", missing)


@pytest.mark.parametrize("name", ["a/b", "a.b", "a:b", "a%b", "a'b", 'a"b'])
def test_a_name_of_a_model_that_is_none_is_refused(api: Api, experiment: str, name: str) -> None:
    status, code, message = api.refused("logged-models", experiment_id=experiment, name=name)
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert message.startswith(f"Invalid model name ({name!r}) provided.")
