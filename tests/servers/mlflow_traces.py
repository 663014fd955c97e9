"""Traces by raw requests: spans as OpenTelemetry's protocol carries them, and MLflow's addresses of the third version."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from tests.servers.mlflow_api import START, Answer, Api

NS = START * 10**6
TRACE = "ab" * 16
ROOT, CHILD = "01" * 8, "02" * 8
PROTOBUF = "application/x-protobuf"


class V3:
    """The addresses of the third version."""

    def __init__(self, api: Api) -> None:
        self.http = api.http

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        answer = self.http.request(method, f"/api/3.0/mlflow/{path}", json=body, params=query or None)
        assert answer.status_code == 200, answer.text
        found: Answer = answer.json()
        return found

    def refused(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, str, str]:
        answer = self.http.request(method, f"/api/3.0/mlflow/{path}", json=body, params=query or None)
        found = answer.json()
        assert set(found) == {"error_code", "message"}
        return answer.status_code, found["error_code"], found["message"]


def attribute(key: str, value: Any) -> KeyValue:
    return KeyValue(key=key, value=any_value(value))


def any_value(value: Any) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case str():
            return AnyValue(string_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=[attribute(key, item) for key, item in value.items()]))
    return AnyValue()


def message(*, resource: dict[str, Any] | None = None, **attributes: Any) -> ExportTraceServiceRequest:
    """A root with attributes and a child that failed."""
    request = ExportTraceServiceRequest()
    sent = request.resource_spans.add()
    sent.resource.attributes.extend(attribute(key, value) for key, value in (resource or {}).items())
    spans = sent.scope_spans.add().spans
    root = spans.add(trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(ROOT), name="root", kind=2)
    root.start_time_unix_nano, root.end_time_unix_nano = NS, NS + 50_000_000
    root.attributes.extend(attribute(key.replace("__", "."), value) for key, value in attributes.items())
    child = spans.add(trace_id=root.trace_id, span_id=bytes.fromhex(CHILD), parent_span_id=root.span_id, name="child")
    child.start_time_unix_nano, child.end_time_unix_nano = NS + 10_000_000, NS + 20_000_000
    child.status.code, child.status.message = 2, "boom"
    child.events.add(name="exception", time_unix_nano=NS + 15_000_000).attributes.append(attribute("a", 1))
    link = child.links.add(trace_id=bytes.fromhex("cd" * 16), span_id=bytes.fromhex(ROOT))
    link.attributes.append(attribute("why", "retry"))
    return request


def in_json(*, trace: str = TRACE, span: str = ROOT, **more: Any) -> dict[str, Any]:
    """A request in JSON with one span."""
    one = {
        "traceId": trace,
        "spanId": span,
        "name": "root",
        "kind": 1,
        "startTimeUnixNano": str(NS),
        "endTimeUnixNano": NS + 1,
        **more,
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [one]}]}]}


def export(api: Api, body: bytes, experiment: str = "", media: str = PROTOBUF, **headers: str) -> Any:
    given = {"content-type": media, **headers}
    given |= {"x-mlflow-experiment-id": experiment} if experiment else {}
    return api.http.post("/v1/traces", content=body, headers=given)


def sent(api: Api, experiment: str, **attributes: Any) -> str:
    """The id of a trace that was sent as protobuf."""
    answer = export(api, message(**attributes).SerializeToString(), experiment)
    assert (answer.status_code, answer.content) == (200, b""), answer.text
    return f"tr-{TRACE}"


def told(experiment: str, **more: Any) -> dict[str, Any]:
    """What a client tells of a trace."""
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    info = {
        "trace_id": f"tr-{TRACE}",
        "trace_location": place,
        "request_time": "2023-11-14T22:13:20.007Z",
        "execution_duration": "1.250s",
        "state": "OK",
    }
    return {"trace": {"trace_info": {**info, **more}}}
