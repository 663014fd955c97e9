"""Traces as MLflow's stores hold them and its servers tell of them, and ours as these take them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from flyball.errors import Corrupt
from flyball.serialization import canonical_json, digest
from flyball.server.protocols.mlflow.trace_json import (
    ARTIFACT_LOCATION,
    GivenTraceInfo,
    any_value,
    info_json,
    mlflow_attributes,
    otel_id,
    trace_of,
)
from flyball.tracking.conventions import understood
from flyball.tracking.spans import Span, SpanEvent, SpanKind, SpanLink, SpanStatus
from flyball.tracking.trace_nouns import Trace

SOURCE_RUN = "mlflow.sourceRun"
_EPOCH = datetime.fromtimestamp(0, UTC)
_STATUS: dict[str, SpanStatus] = {"STATUS_CODE_OK": "ok", "STATUS_CODE_ERROR": "error"}
_KINDS: dict[str, SpanKind] = {
    "SPAN_KIND_SERVER": "server",
    "SPAN_KIND_CLIENT": "client",
    "SPAN_KIND_PRODUCER": "producer",
    "SPAN_KIND_CONSUMER": "consumer",
}


def trace_from(info: Mapping[str, Any], experiment: str) -> Trace:
    """The trace, without its spans, of which a server or a file tells.

    Raises:
        Corrupt: it tells of none.
    """
    try:
        found = trace_of(msgspec.convert(info, GivenTraceInfo, strict=False), _EPOCH)
    except msgspec.ValidationError as error:
        raise Corrupt(f"Trace '{str(info.get('trace_id'))[:80]}' cannot be read: {error}.") from error
    judged = [replace(one, trace=found.id) for one in found.assessments]
    return replace(found, experiment=experiment, assessments=judged)


def span_from(given: Mapping[str, Any], trace: str) -> Span:
    """The span that a server tells of, as protobuf's messages are written in JSON.

    Raises:
        Corrupt: it tells of none.
    """
    status = given.get("status") or {}
    try:
        return understood(
            Span(
                trace=trace,
                id=_digits(given["span_id"]),
                parent=_digits(given.get("parent_span_id") or ""),
                name=given["name"],
                started_ns=int(given["start_time_unix_nano"]),
                ended_ns=int(given["end_time_unix_nano"]) if given.get("end_time_unix_nano") else None,
                status=_STATUS.get(str(status.get("code")), "unset"),
                message=str(status.get("message") or ""),
                kind=_KINDS.get(str(given.get("kind")), "internal"),
                attributes={
                    key: value for key, value in _plain_pairs(given.get("attributes")) if key != "mlflow.traceRequestId"
                },
                events=[
                    SpanEvent(
                        name=event.get("name", ""),
                        at_ns=int(event["time_unix_nano"]),
                        attributes=dict(_plain_pairs(event.get("attributes"))),
                    )
                    for event in given.get("events") or ()
                ],
                links=[
                    SpanLink(
                        trace=f"tr-{_digits(link['trace_id'])}",
                        span=_digits(link["span_id"]),
                        attributes=dict(_plain_pairs(link.get("attributes"))),
                    )
                    for link in given.get("links") or ()
                ],
            )
        )
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise Corrupt(f"A span of trace '{trace[:80]}' cannot be read: {error!r}.") from error


def info_for(trace: Trace, experiment: str) -> dict[str, Any]:
    """A trace without its spans as a server takes it."""
    info = info_json(replace(trace, experiment=experiment, location="", told=False, span_count=0))
    # A server sets it itself, and takes no trace that says it as well.
    info["tags"].pop(ARTIFACT_LOCATION)
    return info


def otlp_of(spans: Iterable[Span]) -> dict[str, Any]:
    """Spans as a request of OpenTelemetry in JSON."""
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [_otlp(span) for span in spans]}]}]}


def mark_of(trace: Trace) -> str:
    """What changes when a trace does; empty while it is under way."""
    if trace.state == "in_progress":
        return ""
    kept = replace(trace, experiment="", location="", span_count=0, spans=[], expected_spans=None, told=False)
    return digest(canonical_json([kept.__class__.__name__, _facts(kept)]))[:16]


def seen_in(trace: Trace) -> tuple[list[str], list[str]]:
    """Its spans and its judgements, in words that stay the same whoever keeps them."""
    spans = [f"{span.id}<{span.parent}:{span.name}" for span in trace.spans]
    judged = [
        canonical_json([one.name, one.kind, one.value, one.error, one.valid]).decode() for one in trace.assessments
    ]
    return sorted(spans), sorted(judged)


def _facts(trace: Trace) -> list[Any]:
    judged = sorted(
        (one.id, one.name, one.kind, canonical_json(one.value).decode(), one.rationale or "", one.valid)
        for one in trace.assessments
    )
    return [
        trace.id, trace.name, trace.state, trace.started.isoformat(), trace.milliseconds, trace.session or "",
        trace.tags, trace.metadata, trace.tokens, judged,
    ]  # fmt: skip


def _digits(text: str) -> str:
    return base64.b64decode(text).hex()


def _plain_pairs(given: Any) -> list[tuple[str, Any]]:
    return [(pair["key"], _plain(pair.get("value") or {})) for pair in given or ()]


def _plain(value: Mapping[str, Any]) -> Any:
    """The plain value that OpenTelemetry's AnyValue stands for."""
    for kind, found in value.items():
        if kind == "int_value":
            return int(found)
        if kind == "array_value":
            return [_plain(item) for item in found.get("values", ())]
        if kind == "kvlist_value":
            return dict(_plain_pairs(found.get("values")))
        return found
    return None


def _otlp(span: Span) -> dict[str, Any]:
    found: dict[str, Any] = {
        "traceId": otel_id(span.trace),
        "spanId": span.id,
        "parentSpanId": span.parent,
        "name": span.name,
        "kind": f"SPAN_KIND_{span.kind.upper()}",
        "startTimeUnixNano": str(span.started_ns),
        "attributes": _pairs(mlflow_attributes(span)),
        "events": [
            {"timeUnixNano": str(event.at_ns), "name": event.name, "attributes": _pairs(event.attributes)}
            for event in span.events
        ],
        "links": [
            {"traceId": otel_id(link.trace), "spanId": link.span, "attributes": _pairs(link.attributes)}
            for link in span.links
        ],
        "status": {"code": f"STATUS_CODE_{span.status.upper()}", "message": span.message},
    }
    if span.ended_ns is not None:
        found["endTimeUnixNano"] = str(span.ended_ns)
    return found


def _pairs(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _camel(any_value(value))} for key, value in values.items()]


def _camel(value: Any) -> Any:
    """OpenTelemetry's own JSON names fields so; and 64 bits of a number do not fit one of JSON's."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    names = {"string_value": "stringValue", "bool_value": "boolValue", "double_value": "doubleValue",
             "array_value": "arrayValue", "kvlist_value": "kvlistValue"}  # fmt: skip
    return {
        "intValue" if name == "int_value" else names.get(name, name): str(item) if name == "int_value" else _camel(item)
        for name, item in value.items()
    }
