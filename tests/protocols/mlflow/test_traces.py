"""Traces in MLflow's protocol, by raw requests."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.server.protocols.mlflow.trace_json import duration_of, duration_text
from flyball.workspace import Workspace
from tests.servers.mlflow_api import START, Answer, Api
from tests.servers.mlflow_traces import (
    TRACE,
    V3,
    export,
    message,
    sent,
    told,
)


def test_what_the_client_tells_of_a_trace_is_kept(api: Api, experiment: str, v3: V3, workspace: Workspace) -> None:
    metadata = {
        "mlflow.trace.session": "s-1",
        "mlflow.trace.tokenUsage": '{"input_tokens": 3, "total_tokens": 5}',
        "mlflow.trace.sizeStats": '{"num_spans": 2}',
        "mlflow.trace.cost": '{"total_cost": 0.5}',
        "own": "x",
    }
    tags = {"env": "test", "mlflow.traceName": "agent", "mlflow.artifactLocation": "file:///etc/passwd"}
    judged = {
        "assessment_name": "quality",
        "source": {"source_type": "HUMAN", "source_id": "ann"},
        "create_time": "2023-11-14T22:13:21Z",
        "feedback": {"value": 5.0},
    }
    body = told(
        experiment,
        trace_metadata=metadata,
        tags=tags,
        client_request_id="c-1",
        assessments=[judged],
        request_preview="q",
    )
    made = v3("POST", "traces", body)["trace"]["trace_info"]
    found = v3("GET", f"traces/tr-{TRACE}")["trace"]["trace_info"]
    assert made == found
    assert (found["request_time"], found["execution_duration"]) == ("2023-11-14T22:13:20.007Z", "1.250s")
    assert found["trace_metadata"] == {**metadata, "mlflow.trace.infoFinalized": "true"}
    assert found["tags"] == {
        "env": "test",
        "mlflow.traceName": "agent",
        "mlflow.artifactLocation": f"mlflow-artifacts:/{experiment}/traces/tr-{TRACE}/artifacts",
    }
    (assessment,) = found["assessments"]
    assert (assessment["feedback"], assessment["source"]["source_id"]) == ({"value": 5.0}, "ann")
    trace = workspace.traces.get(f"tr-{TRACE}")
    assert (trace.session, trace.tokens, trace.cost) == (
        "s-1",
        {"input_tokens": 3, "total_tokens": 5},
        {"total_cost": 0.5},
    )


def test_telling_again_replaces_and_adds(api: Api, experiment: str, v3: V3) -> None:
    v3("POST", "traces", told(experiment, state="IN_PROGRESS", tags={"a": "1"}, request_preview="q"))
    again = v3("POST", "traces", told(experiment, state=2, tags={"b": "2"}))["trace"]["trace_info"]
    assert (again["state"], again["request_preview"]) == ("ERROR", "q")
    assert {"a", "b"} <= again["tags"].keys()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"trace_id": ""}, "trace_id"),
        ({"trace_id": "../../etc"}, "trace_id"),
        ({"trace_id": "a/b"}, "trace_id"),
        ({"trace_id": "a\0"}, "trace_id"),
        ({"trace_id": "a" * 200}, "trace_id"),
        ({"request_time": "yesterday"}, "request_time"),
        ({"request_time": "1969-01-01T00:00:00Z"}, "request_time"),
        ({"request_time": "2023-99-99T00:00:00Z"}, "request_time"),
        ({"execution_duration": "1 s"}, "execution_duration"),
        ({"execution_duration": "9" * 30 + "s"}, "execution_duration"),
        ({"state": "FINE"}, "state"),
        ({"tags": {"a" * 300: "x"}}, "tag"),
        ({"trace_metadata": {"": "x"}}, "entry"),
        ({"trace_metadata": "x"}, "trace_metadata"),
        ({"assessments": [{"assessment_name": "a"}]}, "feedback"),
        ({"assessments": [{"assessment_name": "", "feedback": {"value": 1}}]}, "assessment"),
    ],
)
def test_a_trace_that_is_none_is_refused(
    api: Api, experiment: str, v3: V3, workspace: Workspace, wrong: dict[str, Any], said: str
) -> None:
    status, code, text = v3.refused("POST", "traces", told(experiment, **wrong))
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert said in text
    assert workspace.traces.count() == 0


def test_a_trace_needs_an_experiment_that_is_there(api: Api, v3: V3) -> None:
    assert v3.refused("POST", "traces", told("99"))[:2] == (404, "RESOURCE_DOES_NOT_EXIST")
    assert v3.refused("POST", "traces", {"trace": {"trace_info": {"trace_id": "tr-1"}}})[0] == 400
    assert v3.refused("POST", "traces", {})[2].startswith("Missing value for required parameter 'trace'")


def test_a_trace_stays_in_its_experiment(api: Api, experiment: str, v3: V3) -> None:
    v3("POST", "traces", told(experiment))
    other = api.experiment("second")
    status, _, text = v3.refused("POST", "traces", told(other))
    assert (status, text) == (400, f"Trace with ID 'tr-{TRACE}' already exists in another experiment.")
    assert export(api, message().SerializeToString(), other).status_code == 400


def test_an_experiment_in_the_trash_takes_no_traces(api: Api, experiment: str, v3: V3) -> None:
    api.post("experiments/delete", experiment_id=experiment)
    assert "deleted" in v3.refused("POST", "traces", told(experiment))[2]
    assert export(api, message().SerializeToString(), experiment).status_code == 400


def test_a_trace_whose_spans_are_on_their_way_is_waited_for(
    api: Api, experiment: str, v3: V3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flyball.server.protocols.mlflow.traces._WAITS", (0.01,))
    trace = sent(api, experiment)
    v3("POST", "traces", told(experiment, trace_metadata={"mlflow.trace.sizeStats": '{"num_spans": 3}'}))
    status, code, text = v3.refused("GET", "traces/get", trace_id=trace)
    assert (status, code) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert "not fully exported yet" in text
    assert len(v3("GET", "traces/get", trace_id=trace, allow_partial="true")["trace"]["spans"]) == 2
    assert v3("GET", "traces/batchGet", trace_ids=trace) == {}
    assert len(v3("POST", "traces/batchGetInfos", {"trace_ids": [trace]})["trace_infos"]) == 1


def test_several_traces_are_got_at_once(api: Api, experiment: str, v3: V3) -> None:
    trace = sent(api, experiment)
    (found,) = v3("GET", "traces/batchGet", trace_ids=[trace, "tr-none"])["traces"]
    assert (found["trace_info"]["trace_id"], len(found["spans"])) == (trace, 2)
    assert v3("GET", "traces/batchGet", trace_ids=[trace], experiment_ids=["99"]) == {}
    assert v3.refused("GET", "traces/batchGet")[2].startswith("Missing value for required parameter 'trace_ids'")


def test_a_trace_that_is_not_there_is_not_found(api: Api, v3: V3) -> None:
    assert v3.refused("GET", "traces/tr-none") == (404, "RESOURCE_DOES_NOT_EXIST", "Trace with ID 'tr-none' not found.")
    for path in ("traces/get?trace_id=tr-none", "traces/%2e%2e", "traces/tr-none/assessments/a-1"):
        assert api.http.get(f"/api/3.0/mlflow/{path}").status_code == 404
    assert v3.refused("PATCH", "traces/tr-none/tags", {"key": "a", "value": "b"})[0] == 404
    assert v3.refused("DELETE", "traces/tr-none/tags", {"key": "a"})[0] == 404


def test_traces_are_searched_page_by_page(api: Api, experiment: str, v3: V3) -> None:
    place = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}]
    for number in range(3):
        v3("POST", "traces", told(experiment, trace_id=f"tr-{number}", request_time=f"2023-11-14T22:13:2{number}Z"))
    first = v3("POST", "traces/search", {"locations": place, "max_results": 2})
    assert [one["trace_id"] for one in first["traces"]] == ["tr-2", "tr-1"]
    token = first["next_page_token"]
    last = v3("POST", "traces/search", {"locations": place, "max_results": 2, "page_token": token})
    assert [one["trace_id"] for one in last["traces"]] == ["tr-0"]
    assert "next_page_token" not in last
    ordered = v3(
        "POST", "traces/search", {"locations": place, "order_by": ["timestamp_ms ASC"], "filter": "status='OK'"}
    )
    assert [one["trace_id"] for one in ordered["traces"]] == ["tr-0", "tr-1", "tr-2"]
    assert v3("POST", "traces/search", {"locations": [{"mlflow_experiment": {"experiment_id": "99"}}]}) == {}
    assert v3("POST", "traces/search", {"locations": [{}]}) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_results": 501},
        {"max_results": -1},
        {"max_results": "many"},
        {"filter": "status = 'OK' OR status = 'ERROR'"},
        {"filter": "nonsense"},
        {"filter": "tags.a = 'b' AND " * 5000},
        {"filter": "(" * 5000},
        {"filter": 7},
        {"order_by": ["foo"]},
        {"order_by": ["timestamp", "timestamp_ms DESC"]},
        {"page_token": "x"},
        {"page_token": "../../etc"},
        {"locations": "x"},
    ],
)
def test_a_search_that_makes_no_sense_is_refused(api: Api, v3: V3, wrong: dict[str, Any]) -> None:
    status, code, _ = v3.refused("POST", "traces/search", {"locations": [], **wrong})
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")


def test_spans_are_handed_out_as_the_file_that_clients_write(api: Api, experiment: str, workspace: Workspace) -> None:
    trace = sent(api, experiment, mlflow__spanInputs={"q": "ü"}, k=3)
    answer = api.http.get("/ajax-api/3.0/mlflow/get-trace-artifact", params={"request_id": trace})
    root, child = answer.json()["spans"]
    assert root["attributes"] == {"mlflow.traceRequestId": f'"{trace}"', "mlflow.spanInputs": '{"q": "ü"}', "k": "3"}
    assert (root["parent_span_id"], child["parent_span_id"]) == (None, root["span_id"])
    assert (child["status"]["message"], child["events"][0]["attributes"]) == ("boom", {"a": 1})
    digest = workspace.blobs.put(answer.content)
    begun = workspace.traces.start(experiment, id="copy")
    workspace.files.put(f"{experiment}/traces/{begun.id}", "traces.json", digest, len(answer.content))
    copied = workspace.traces.get("copy").spans
    assert [(one.name, one.inputs, one.attributes) for one in copied] == [
        (one.name, one.inputs, one.attributes) for one in workspace.traces.get(trace).spans
    ]


def test_filters_are_compared(api: Api, experiment: str, v3: V3) -> None:
    sent(api, experiment)
    given = {"experiment_ids": [experiment], "filter_string1": "name = 'root'", "filter_string2": "span.name = 'child'"}
    found = v3("POST", "traces/calculate-filter-correlation", given)
    assert found == {
        "npmi": 1.0,
        "npmi_smoothed": 1.0,
        "filter1_count": 1,
        "filter2_count": 1,
        "joint_count": 1,
        "total_count": 1,
    }
    nobody = {**given, "filter_string2": "name = 'x'", "base_filter": "status = 'OK'"}
    assert v3("POST", "traces/calculate-filter-correlation", nobody)["npmi"] == "NaN"


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_tags_are_set_and_taken_off(api: Api, experiment: str, v3: V3, version: str) -> None:
    trace = sent(api, experiment)

    def ask(method: str, **body: str) -> tuple[int, Answer]:
        answer = api.http.request(method, f"/api/{version}/mlflow/traces/{trace}/tags", json=body)
        return answer.status_code, answer.json()

    assert ask("PATCH", key="k", value="v" * 9000) == (200, {})
    assert ask("PATCH", key="mlflow.traceName", value="named") == (200, {})
    tags = v3("GET", f"traces/{trace}")["trace"]["trace_info"]["tags"]
    assert (tags["k"], tags["mlflow.traceName"]) == ("v" * 8000, "named")
    assert ask("DELETE", key="k") == (200, {})
    assert ask("DELETE", key="k")[1]["message"] == f"No trace tag with key 'k' for trace with ID '{trace}'"
    assert ask("DELETE", key="mlflow.traceName") == (200, {})
    assert ask("DELETE", key="mlflow.traceName")[0] == 404
    for key in ("mlflow.artifactLocation", "mlflow.trace.spansLocation"):
        assert "immutable" in ask("PATCH", key=key, value="file:///etc")[1]["message"]
        assert "immutable" in ask("DELETE", key=key)[1]["message"]
    assert ask("PATCH", value="v")[0] == 400


def test_traces_are_deleted_with_all_that_hangs_on_them(
    api: Api, experiment: str, v3: V3, workspace: Workspace
) -> None:
    trace = sent(api, experiment)
    uri = f"mlflow-artifacts/artifacts/{experiment}/traces/{trace}/artifacts/traces.json"
    assert api.http.put(f"/api/2.0/{uri}", content=b"{}").status_code == 200
    gone = api.post("traces/delete-traces", experiment_id=experiment, request_ids=[trace, "tr-none"])
    assert gone == {"traces_deleted": 1}
    assert workspace.traces.count() == 0
    assert api.http.get(f"/api/2.0/{uri}").status_code == 404
    assert api.post("traces/delete-traces", experiment_id=experiment, max_timestamp_millis=START) == {
        "traces_deleted": 0
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"max_timestamp_millis": 1, "request_ids": ["a"]},
        {"request_ids": ["a"], "max_traces": 1},
        {"max_timestamp_millis": 1, "max_traces": 0},
        {"max_timestamp_millis": -5},
    ],
)
def test_a_deletion_must_say_what_it_means(api: Api, experiment: str, wrong: dict[str, Any]) -> None:
    found = api.refused("traces/delete-traces", experiment_id=experiment, **wrong)
    assert found[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_links_to_runs_and_prompts_are_searched(api: Api, experiment: str, run: str, v3: V3) -> None:
    trace = sent(api, experiment)
    assert api.post("traces/link-to-run", trace_ids=[trace], run_id=run) == {}
    assert api.post("traces/link-prompts", trace_id=trace, prompt_versions=[{"name": "p", "version": "1"}]) == {}
    place = [{"mlflow_experiment": {"experiment_id": experiment}}]
    for text in (f"run_id = '{run}'", f"metadata.mlflow.sourceRun = '{run}'", "prompt = 'p/1'"):
        assert len(v3("POST", "traces/search", {"locations": place, "filter": text})["traces"]) == 1
    assert api.refused("traces/link-to-run", trace_ids=[trace], run_id="nope")[0] == 404
    assert (
        "more than 100" in api.refused("traces/link-to-run", trace_ids=[f"tr-{n}" for n in range(101)], run_id=run)[2]
    )
    assert (
        api.refused("traces/link-prompts", trace_id="tr-x", prompt_versions=[{"name": "p", "version": "1"}])[0] == 404
    )


def test_the_second_version_begins_and_ends_a_trace(api: Api, experiment: str) -> None:
    begun = api.post(
        "traces",
        experiment_id=experiment,
        timestamp_ms=START,
        request_metadata=[{"key": "m", "value": "1"}],
        tags=[{"key": "mlflow.traceName", "value": "old"}],
    )["trace_info"]
    trace = begun["request_id"]
    uri = f"mlflow-artifacts:/{experiment}/traces/{trace}/artifacts"
    assert begun == {
        "request_id": trace,
        "experiment_id": experiment,
        "timestamp_ms": START,
        "status": "IN_PROGRESS",
        "request_metadata": [{"key": "m", "value": "1"}],
        "tags": [{"key": "mlflow.artifactLocation", "value": uri}, {"key": "mlflow.traceName", "value": "old"}],
    }
    body = {"timestamp_ms": START + 5, "status": "ERROR", "tags": [{"key": "t", "value": "2"}]}
    ended = api.http.patch(f"/api/2.0/mlflow/traces/{trace}", json=body).json()["trace_info"]
    assert (ended["status"], ended["execution_time_ms"]) == ("ERROR", 5)
    assert api.get(f"traces/{trace}/info")["trace_info"] == ended
    assert api.get("traces", experiment_ids=experiment, filter="status = 'ERROR'")["traces"] == [ended]
    assert api.refused("traces/nope/info", "GET")[0] == 404


def test_spans_of_the_second_version_are_read_from_their_file(api: Api, experiment: str, workspace: Workspace) -> None:
    trace = api.post("traces", experiment_id=experiment, timestamp_ms=START)["trace_info"]["request_id"]
    path = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/traces/{trace}/artifacts/traces.json"
    assert api.http.put(path, content=b'{"spans": []}').status_code == 200
    for version in ("2.0", "3.0"):
        found = api.http.get(f"/ajax-api/{version}/mlflow/get-trace-artifact", params={"request_id": trace})
        assert (found.content, found.headers["content-type"]) == (b'{"spans": []}', "application/octet-stream")
        assert found.headers["content-disposition"].startswith("attachment")
    for path in ("../../../etc/passwd", "..%2f..", "nope"):
        query = {"request_id": trace, "path": path}
        assert api.http.get("/ajax-api/3.0/mlflow/get-trace-artifact", params=query).status_code in (400, 404)


@pytest.mark.parametrize(
    ("length", "text"), [(0, "0s"), (1250, "1.250s"), (1000, "1s"), (-5, "-0.005s"), (7, "0.007s")]
)
def test_a_duration_is_written_as_protobuf_does(length: int, text: str) -> None:
    assert duration_text(length) == text
    assert duration_of(text) == length
