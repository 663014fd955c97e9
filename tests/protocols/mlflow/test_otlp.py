"""Spans by OpenTelemetry's own protocol: protobuf and JSON, packed or not, and what is no spans at all."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any

import pytest

from flyball.server.protocols.mlflow import _otlp
from flyball.workspace import Workspace
from tests.servers.mlflow_api import Api
from tests.servers.mlflow_traces import (
    NS,
    PROTOBUF,
    ROOT,
    TRACE,
    V3,
    attribute,
    export,
    in_json,
    message,
    sent,
)


def test_spans_in_protobuf_become_a_trace(api: Api, experiment: str, v3: V3) -> None:
    trace = sent(api, experiment, mlflow__spanInputs={"q": "why?"}, mlflow__spanType="AGENT", k=3, deep={"a": [1.5]})
    assert api.http.post("/v1/traces", content=b"", headers={"content-type": PROTOBUF}).status_code == 400
    info = v3("GET", f"traces/{trace}")["trace"]["trace_info"]
    assert info == {
        "trace_id": trace,
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}},
        "request_time": "2023-11-14T22:13:20Z",
        "execution_duration": "0.050s",
        "state": "OK",
        "tags": {
            "mlflow.artifactLocation": f"mlflow-artifacts:/{experiment}/traces/{trace}/artifacts",
            "mlflow.trace.spansLocation": "TRACKING_STORE",
            "mlflow.traceName": "root",
        },
        "request_preview": '{"q": "why?"}',
    }
    found = v3("GET", "traces/get", trace_id=trace, allow_partial="False")["trace"]
    assert found["trace_info"] == info
    root, child = found["spans"]
    attributes = {one["key"]: one["value"] for one in root.pop("attributes")}
    assert root == {
        "trace_id": base64.b64encode(bytes.fromhex(TRACE)).decode(),
        "span_id": base64.b64encode(bytes.fromhex(ROOT)).decode(),
        "name": "root",
        "kind": "SPAN_KIND_SERVER",
        "start_time_unix_nano": NS,
        "end_time_unix_nano": NS + 50_000_000,
        "status": {"code": "STATUS_CODE_UNSET"},
    }
    assert attributes == {
        "mlflow.traceRequestId": {"string_value": trace},
        "mlflow.spanType": {"string_value": "AGENT"},
        "mlflow.spanInputs": {"kvlist_value": {"values": [{"key": "q", "value": {"string_value": "why?"}}]}},
        "k": {"int_value": 3},
        "deep": {
            "kvlist_value": {"values": [{"key": "a", "value": {"array_value": {"values": [{"double_value": 1.5}]}}}]}
        },
    }
    assert child["parent_span_id"] == root["span_id"]
    assert child["status"] == {"code": "STATUS_CODE_ERROR", "message": "boom"}
    assert child["events"] == [
        {
            "time_unix_nano": NS + 15_000_000,
            "name": "exception",
            "attributes": [{"key": "a", "value": {"int_value": 1}}],
        }
    ]
    assert child["links"][0]["attributes"] == [{"key": "why", "value": {"string_value": "retry"}}]


def test_spans_in_json_become_a_trace(api: Api, experiment: str, workspace: Workspace) -> None:
    body = in_json(
        kind="SPAN_KIND_CLIENT",
        status={"code": "STATUS_CODE_ERROR", "message": "no"},
        attributes=[
            {"key": "i", "value": {"intValue": "7"}},
            {"key": "d", "value": {"doubleValue": "NaN"}},
            {"key": "b", "value": {"boolValue": False}},
            {"key": "l", "value": {"arrayValue": {"values": [{"stringValue": "x"}, {}]}}},
            {"key": "o", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"bytesValue": "AA=="}}]}}},
            {"key": "n", "value": {}},
        ],
        unknown=1,
    )
    answer = export(api, json.dumps(body).encode(), experiment, "application/json; charset=utf-8")
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["content-type"].startswith("application/json")
    (span,) = workspace.traces.get(f"tr-{TRACE}").spans
    assert (span.kind, span.status, span.message, span.ended_ns) == ("client", "error", "no", NS + 1)
    assert span.attributes == {"i": 7, "d": "nan", "b": False, "l": ["x", None], "o": {"k": "AA=="}, "n": None}


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw", "identity"])
def test_spans_may_be_packed(api: Api, experiment: str, workspace: Workspace, encoding: str) -> None:
    body = message().SerializeToString()
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "raw": raw.compress(body) + raw.flush(),
        "identity": body,
    }[encoding]
    encoding = "deflate" if encoding == "raw" else encoding
    assert export(api, packed, experiment, **{"content-encoding": encoding}).status_code == 200
    assert len(workspace.traces.get(f"tr-{TRACE}").spans) == 2


def test_spans_of_anybody_come_to_the_default_experiment(api: Api, workspace: Workspace) -> None:
    assert export(api, message().SerializeToString()).status_code == 200
    assert workspace.traces.get(f"tr-{TRACE}").experiment == "0"


def test_what_senders_say_of_themselves_becomes_tags(api: Api, experiment: str, workspace: Workspace) -> None:
    resource = {"service.name": "bot", "telemetry.sdk.name": "x", "mlflow.artifactLocation": "file:///etc", "n": 1}
    attributes = {
        "mlflow.traceTag.env": "test",
        "mlflow.traceTag.mlflow.artifactLocation": "file:///etc",
        "mlflow.traceTag.mlflow.traceName": "named",
    }
    request = message(resource=resource)
    request.resource_spans[0].scope_spans[0].spans[0].attributes.extend(
        attribute(key, value) for key, value in attributes.items()
    )
    assert export(api, request.SerializeToString(), experiment).status_code == 200
    trace = workspace.traces.get(f"tr-{TRACE}")
    assert (trace.name, trace.tags) == ("named", {"env": "test", "n": "1", "service.name": "bot"})


def test_json_in_texts_is_unwrapped_as_older_clients_wrap_it(api: Api, experiment: str, workspace: Workspace) -> None:
    deep = "[" * 500 + "]" * 500
    trace = sent(api, experiment, wrapped='"text"', object='{"a": 1}', number="5", broken="{x", deep=deep)
    assert workspace.traces.get(trace).spans[0].attributes == {
        "wrapped": "text",
        "object": {"a": 1},
        "number": "5",
        "broken": "{x",
        "deep": deep,
    }


def test_a_trace_is_linked_to_the_run_of_its_header(api: Api, experiment: str, run: str, v3: V3) -> None:
    body = message().SerializeToString()
    assert export(api, body, experiment, **{"x-mlflow-run-id": run}).status_code == 200
    assert export(api, body, experiment, **{"x-mlflow-run-id": "nope"}).status_code == 200
    place = [{"mlflow_experiment": {"experiment_id": experiment}}]
    found = v3("POST", "traces/search", {"locations": place, "filter": f"run_id = '{run}'"})
    assert [one["trace_id"] for one in found["traces"]] == [f"tr-{TRACE}"]


BOMB = gzip.compress(b"\0" * (_otlp.LARGEST + (1 << 20)), mtime=0)


@pytest.mark.parametrize(
    ("body", "media", "headers"),
    [
        pytest.param(b"\xff\xff\xff\xff", PROTOBUF, {}, id="no-protobuf"),
        pytest.param(b"", PROTOBUF, {}, id="empty"),
        pytest.param(message().SerializeToString()[:-5], PROTOBUF, {}, id="cut-off"),
        pytest.param(b"\x0a" * 100_000, PROTOBUF, {}, id="nested-without-end"),
        pytest.param(b"{", "application/json", {}, id="no-json"),
        pytest.param(b"[]", "application/json", {}, id="json-list"),
        pytest.param(b"null", "application/json", {}, id="json-null"),
        pytest.param(b"{}", "application/json", {}, id="json-empty"),
        pytest.param(b'{"resourceSpans": {}}', "application/json", {}, id="no-list-of-spans"),
        pytest.param(b'{"resourceSpans": [' * 100_000, "application/json", {}, id="deep-json"),
        pytest.param(b"\xff\xfe", "application/json", {}, id="no-utf8"),
        pytest.param(json.dumps(in_json(trace="zz")).encode(), "application/json", {}, id="trace-no-hex"),
        pytest.param(json.dumps(in_json(trace="")).encode(), "application/json", {}, id="trace-empty"),
        pytest.param(json.dumps(in_json(trace="ab")).encode(), "application/json", {}, id="trace-short"),
        pytest.param(json.dumps(in_json(span="../../../../etc")).encode(), "application/json", {}, id="span-a-path"),
        pytest.param(json.dumps(in_json(parentSpanId="01")).encode(), "application/json", {}, id="parent-short"),
        pytest.param(json.dumps(in_json(startTimeUnixNano=-1)).encode(), "application/json", {}, id="before-1970"),
        pytest.param(json.dumps(in_json(endTimeUnixNano=1 << 63)).encode(), "application/json", {}, id="end-too-large"),
        pytest.param(
            json.dumps(in_json(attributes=[{"key": "a", "value": {"intValue": "x"}}])).encode(),
            "application/json",
            {},
            id="int-no-number",
        ),
        pytest.param(message().SerializeToString(), "text/plain", {}, id="text-plain"),
        pytest.param(message().SerializeToString(), "", {}, id="no-media-type"),
        pytest.param(b"no gzip", PROTOBUF, {"content-encoding": "gzip"}, id="no-gzip"),
        pytest.param(b"", PROTOBUF, {"content-encoding": "deflate"}, id="empty-deflate"),
        pytest.param(b"x", PROTOBUF, {"content-encoding": "zstd"}, id="unknown-encoding"),
        pytest.param(BOMB, PROTOBUF, {"content-encoding": "gzip"}, id="gzip-bomb"),
    ],
)
def test_what_is_no_spans_is_refused(
    api: Api, experiment: str, workspace: Workspace, body: bytes, media: str, headers: dict[str, str]
) -> None:
    answer = export(api, body, experiment, media, **headers)
    assert answer.status_code == 400
    assert answer.json()["error_code"] in ("BAD_REQUEST", "INVALID_PARAMETER_VALUE")
    assert workspace.traces.count() == 0


def test_a_deep_value_is_cut_off(api: Api, experiment: str, workspace: Workspace) -> None:
    value: Any = {"stringValue": "end"}
    for _ in range(90):
        value = {"arrayValue": {"values": [value]}}
    body = json.dumps(in_json(attributes=[{"key": "deep", "value": value}])).encode()
    assert export(api, body, experiment, "application/json").status_code == 200
    assert workspace.traces.get(f"tr-{TRACE}").spans[0].attributes["deep"]


def test_an_experiment_that_is_not_there_takes_no_spans(api: Api, workspace: Workspace) -> None:
    for experiment, status in (("99", 404), ("x", 400), ("1; DROP TABLE traces", 400)):
        assert export(api, message().SerializeToString(), experiment).status_code == status
    assert workspace.traces.count() == 0


def test_without_the_library_the_client_is_told_in_words_that_it_knows(
    api: Api, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.proto.collector.trace.v1.trace_service_pb2", None)
    answer = export(api, b"", experiment)
    assert answer.status_code == 501
    assert "REST OTLP span logging is not supported" in answer.json()["message"]
    assert export(api, json.dumps(in_json()).encode(), experiment, "application/json").status_code == 200
