"""Traces, spans and assessments as MLflow's JSON, which is that of its protobuf messages."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import blake3
import msgspec

from flyball.server.protocols.mlflow.conversions import EPOCH, below, milliseconds
from flyball.server.protocols.mlflow.wire import MlflowError
from flyball.tracking.assessments import Assessment
from flyball.tracking.conventions import (
    COST,
    INPUTS,
    MODEL,
    NAME,
    OUTPUTS,
    SESSION,
    TOKENS,
    TRACE_COST,
    TRACE_TOKENS,
    TYPE,
    amounts,
    counts,
)
from flyball.tracking.spans import Span, SpanEvent
from flyball.tracking.trace_nouns import Trace

SPANS_LOCATION = "mlflow.trace.spansLocation"
ARTIFACT_LOCATION = "mlflow.artifactLocation"
SIZES = "mlflow.trace.sizeStats"
TOLD = "mlflow.trace.infoFinalized"

MANAGED_TAGS = frozenset(
    {ARTIFACT_LOCATION, SPANS_LOCATION, "mlflow.trace.archiveLocation", "mlflow.trace.archivalFailure"}
)
"""Tags that the server sets and a client may not."""

_OWN_METADATA = (SESSION, TRACE_TOKENS, TRACE_COST, TOLD)
_STATES = {"ok": "OK", "error": "ERROR", "in_progress": "IN_PROGRESS", "unspecified": "STATE_UNSPECIFIED"}
_GIVEN_STATES = {
    "OK": "ok",
    "ERROR": "error",
    "IN_PROGRESS": "in_progress",
    "STATE_UNSPECIFIED": "unspecified",
    "TRACE_STATUS_UNSPECIFIED": "unspecified",
    "0": "unspecified",
    "1": "ok",
    "2": "error",
    "3": "in_progress",
}
_STATUS = {"unset": "STATUS_CODE_UNSET", "ok": "STATUS_CODE_OK", "error": "STATUS_CODE_ERROR"}
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_DURATION = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s")
_OTEL_ID = re.compile(r"(?:tr-)?([0-9a-f]{32})")


class ExperimentLocation(msgspec.Struct):
    """The experiment that a trace belongs to."""

    experiment_id: str = ""


class TraceLocation(msgspec.Struct):
    """Where a trace belongs to."""

    mlflow_experiment: ExperimentLocation | None = None


class GivenSource(msgspec.Struct):
    """Who judged."""

    source_type: str = "SOURCE_TYPE_UNSPECIFIED"
    source_id: str = ""


class GivenAssessment(msgspec.Struct):
    """An assessment as clients send it."""

    assessment_id: str = ""
    assessment_name: str = ""
    trace_id: str = ""
    span_id: str = ""
    source: GivenSource = msgspec.field(default_factory=GivenSource)
    create_time: str | None = None
    last_update_time: str | None = None
    feedback: dict[str, Any] | None = None
    expectation: dict[str, Any] | None = None
    issue: dict[str, Any] | None = None
    rationale: str | None = None
    metadata: dict[str, str] = {}
    overrides: str = ""
    valid: bool = True


class GivenTraceInfo(msgspec.Struct):
    """What a client tells of a trace."""

    trace_id: str = ""
    client_request_id: str | None = None
    trace_location: TraceLocation | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    request_time: str | None = None
    execution_duration: str | None = None
    state: str | int = "STATE_UNSPECIFIED"
    trace_metadata: dict[str, str] = {}
    assessments: list[GivenAssessment] = []
    tags: dict[str, str] = {}


def info_json(trace: Trace) -> dict[str, Any]:
    """What is known of a trace as a whole, in the third version of MLflow's form."""
    found: dict[str, Any] = {
        "trace_id": trace.id,
        "client_request_id": trace.client_request_id,
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": trace.experiment}},
        "request_time": time_text(trace.started),
        "execution_duration": None if trace.milliseconds is None else duration_text(trace.milliseconds),
        "state": _STATES[trace.state],
        "trace_metadata": metadata_of(trace) or None,
        "assessments": [assessment_json(one) for one in trace.assessments] or None,
        "tags": tags_of(trace) or None,
        "request_preview": trace.request_preview,
        "response_preview": trace.response_preview,
    }
    return {name: value for name, value in found.items() if value is not None}


def trace_json(trace: Trace) -> dict[str, Any]:
    """A trace with its spans."""
    found: dict[str, Any] = {"trace_info": info_json(trace)}
    if trace.spans:
        found["spans"] = [span_json(span) for span in trace.spans]
    return found


def info_json_v2(trace: Trace) -> dict[str, Any]:
    """What is known of a trace as a whole, in the second version of MLflow's form."""
    found: dict[str, Any] = {
        "request_id": trace.id,
        "experiment_id": trace.experiment,
        "timestamp_ms": milliseconds(trace.started),
        "execution_time_ms": trace.milliseconds,
        "status": _STATES[trace.state].replace("STATE_UNSPECIFIED", "TRACE_STATUS_UNSPECIFIED"),
        "request_metadata": pairs_json(metadata_of(trace)),
        "tags": pairs_json(tags_of(trace)),
    }
    return {name: value for name, value in found.items() if value not in (None, [])}


def metadata_of(trace: Trace) -> dict[str, str]:
    """A trace's metadata, with the entries by which MLflow tells what we keep in fields of its own."""
    found = dict(trace.metadata)
    if trace.session is not None:
        found[SESSION] = trace.session
    if trace.tokens:
        found[TRACE_TOKENS] = json.dumps(trace.tokens)
    if trace.cost:
        found[TRACE_COST] = json.dumps(trace.cost)
    if trace.told:
        found[TOLD] = "true"
    return found


def tags_of(trace: Trace) -> dict[str, str]:
    """A trace's tags, with those that the server sets."""
    found = {**trace.tags, ARTIFACT_LOCATION: uri_of(trace)}
    if trace.name:
        found[NAME] = trace.name
    if trace.span_count:
        found[SPANS_LOCATION] = "TRACKING_STORE"
    return found


def uri_of(trace: Trace) -> str:
    """Where clients bring the files of a trace."""
    return below(trace.location or f"mlflow-artifacts:/{trace.experiment}", f"traces/{trace.id}/artifacts")


def trace_of(given: GivenTraceInfo, now: datetime) -> Trace:
    """The trace that a client tells of.

    Raises:
        MlflowError: a time or state is none.
    """
    place = given.trace_location.mlflow_experiment if given.trace_location else None
    started = now if given.request_time is None else time_of(given.request_time, "request_time")
    took = None if given.execution_duration is None else duration_of(given.execution_duration)
    return Trace(
        id=given.trace_id,
        experiment=place.experiment_id if place else "",
        name=given.tags.get(NAME, ""),
        state=state_of(given.state),
        started=started,
        milliseconds=took,
        client_request_id=given.client_request_id,
        request_preview=given.request_preview,
        response_preview=given.response_preview,
        tags=free_tags(given.tags),
        assessments=[assessment_of(one, given.trace_id, now) for one in given.assessments],
        **told_in(given.trace_metadata),
        told=True,
    )


def told_in(metadata: Mapping[str, str]) -> dict[str, Any]:
    """What metadata tells of a trace: fields of their own, and what is left."""
    spans = counts(_json(metadata.get(SIZES))).get("num_spans")
    return {
        "session": metadata.get(SESSION) or None,
        "tokens": counts(_json(metadata.get(TRACE_TOKENS))),
        "cost": amounts(_json(metadata.get(TRACE_COST))),
        "expected_spans": spans,
        "metadata": {key: value for key, value in metadata.items() if key not in _OWN_METADATA},
    }


def free_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that are no field of ours and that a client may set."""
    return {key: value for key, value in tags.items() if key != NAME and key not in MANAGED_TAGS}


def state_of(given: str | int) -> Any:
    """The state of a trace that MLflow's name or number stands for.

    Raises:
        MlflowError: there is none such.
    """
    found = _GIVEN_STATES.get(str(given))
    if found is None:
        raise MlflowError(f"Invalid value {str(given)[:100]} for parameter 'state' supplied.")
    return found


def span_json(span: Span) -> dict[str, Any]:
    """A span as OpenTelemetry's protobuf message is written in JSON."""
    found: dict[str, Any] = {
        "trace_id": _base64(otel_id(span.trace)),
        "span_id": _base64(span.id),
        "parent_span_id": _base64(span.parent) if span.parent else None,
        "name": span.name,
        "kind": f"SPAN_KIND_{span.kind.upper()}",
        "start_time_unix_nano": span.started_ns,
        "end_time_unix_nano": span.ended_ns,
        "attributes": _attributes(mlflow_attributes(span)),
        "events": [_event_json(event) for event in span.events] or None,
        "links": [
            {"trace_id": _base64(otel_id(link.trace)), "span_id": _base64(link.span), **_if_any(link.attributes)}
            for link in span.links
        ]
        or None,
        "status": {**({"message": span.message} if span.message else {}), "code": _STATUS[span.status]},
    }
    return {name: value for name, value in found.items() if value is not None}


def stored_json(span: Span) -> dict[str, Any]:
    """A span as MLflow's clients write it into a file: every attribute is JSON of its own."""
    own = {key: json.dumps(value, ensure_ascii=False) for key, value in mlflow_attributes(span).items()}
    return {
        "trace_id": _base64(otel_id(span.trace)),
        "span_id": _base64(span.id),
        "parent_span_id": _base64(span.parent) if span.parent else None,
        "name": span.name,
        "kind": f"SPAN_KIND_{span.kind.upper()}",
        "start_time_unix_nano": span.started_ns,
        "end_time_unix_nano": span.ended_ns,
        "events": [
            {"name": event.name, "time_unix_nano": event.at_ns, "attributes": event.attributes} for event in span.events
        ],
        "status": {"code": _STATUS[span.status], "message": span.message},
        "attributes": own,
        "links": [
            {"trace_id": link.trace, "span_id": link.span, "attributes": link.attributes or None} for link in span.links
        ],
    }


def mlflow_attributes(span: Span) -> dict[str, Any]:
    """A span's attributes, with those by which MLflow tells what we keep in fields of its own."""
    own = {
        "mlflow.traceRequestId": span.trace,
        TYPE: span.type or None,
        INPUTS: span.inputs,
        OUTPUTS: span.outputs,
        TOKENS: span.tokens or None,
        MODEL: span.model or None,
        COST: span.cost or None,
    }
    return {**{key: value for key, value in own.items() if value is not None}, **span.attributes}


def otel_id(trace: str) -> str:
    """The 32 hexadecimal digits by which OpenTelemetry knows a trace; made up for one that it did not name."""
    found = _OTEL_ID.fullmatch(trace)
    return found[1] if found else str(blake3.blake3(trace.encode()).hexdigest(16))


def assessment_json(given: Assessment) -> dict[str, Any]:
    """An assessment as MLflow writes it."""
    found: dict[str, Any] = {
        "assessment_id": given.id,
        "assessment_name": given.name,
        "trace_id": given.trace,
        "span_id": given.span or None,
        "source": {"source_type": given.source_type, **({"source_id": given.source} if given.source else {})},
        "create_time": time_text(given.created),
        "last_update_time": time_text(given.updated),
        **_value_json(given),
        "rationale": given.rationale or None,
        "metadata": given.metadata or None,
        "overrides": given.overrides or None,
        "valid": given.valid,
    }
    return {name: value for name, value in found.items() if value is not None}


def assessment_of(given: GivenAssessment, trace: str, now: datetime) -> Assessment:
    """The assessment that a client sends.

    Raises:
        MlflowError: it judges nothing, or a time is none.
    """
    created = now if given.create_time is None else time_of(given.create_time, "create_time")
    kind, value, error = judgement(given)
    return Assessment(
        id=given.assessment_id,
        trace=trace,
        name=given.assessment_name,
        kind=kind,
        value=value,
        error=error,
        source_type=given.source.source_type,
        source=given.source.source_id or "default",
        created=created,
        updated=created if given.last_update_time is None else time_of(given.last_update_time, "last_update_time"),
        rationale=given.rationale or None,
        metadata=given.metadata,
        span=given.span_id,
        run=given.metadata.get("mlflow.assessment.sourceRunId", ""),
        overrides=given.overrides,
        valid=given.valid,
    )


def judgement(given: GivenAssessment) -> tuple[Any, Any, dict[str, str] | None]:
    """The kind, value and error of an assessment.

    Raises:
        MlflowError: it judges nothing.
    """
    if given.feedback is not None:
        error = given.feedback.get("error")
        told = {str(key): str(text) for key, text in error.items()} if isinstance(error, dict) else None
        return "feedback", given.feedback.get("value"), told
    if given.expectation is not None:
        packed = given.expectation.get("serialized_value")
        if not isinstance(packed, dict):
            return "expectation", given.expectation.get("value"), None
        if packed.get("serialization_format") != "JSON_FORMAT":
            raise MlflowError(
                f"Unknown serialization format: {str(packed.get('serialization_format'))[:100]}. "
                "Only JSON_FORMAT is supported."
            )
        try:
            return "expectation", msgspec.json.decode(str(packed.get("value"))), None
        except (msgspec.DecodeError, RecursionError) as problem:
            raise MlflowError(f"The value of the expectation is no JSON: {str(problem)[:200]}.") from problem
    if given.issue is not None:
        return "issue", {"issue_name": str(given.issue.get("issue_name", ""))}, None
    raise MlflowError("Assessment must have either feedback, expectation, or issue value")


def time_text(moment: datetime) -> str:
    """A moment as protobuf writes it: without fraction, or with three digits of it."""
    thousandths = moment.microsecond // 1000
    return f"{moment:%Y-%m-%dT%H:%M:%S}{f'.{thousandths:03d}' if thousandths else ''}Z"


def time_of(text: str, name: str) -> datetime:
    """The moment that protobuf's text stands for, to the millisecond.

    Raises:
        MlflowError: it is none.
    """
    found = _TIME.fullmatch(text)
    moment = None
    if found is not None:
        with suppress(ValueError, OverflowError):
            whole = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00"))
            moment = whole.astimezone(EPOCH.tzinfo) + timedelta(milliseconds=int((found[2] or "0").ljust(3, "0")[:3]))
    if moment is None or moment < EPOCH:
        raise MlflowError(f"Invalid value {text[:100]} for parameter '{name}' supplied: it is no time since 1970.")
    return moment


def duration_text(length: int) -> str:
    """So many milliseconds as protobuf writes them."""
    seconds, left = divmod(abs(length), 1000)
    return f"{'-' if length < 0 else ''}{seconds}{f'.{left:03d}' if left else ''}s"


def duration_of(text: str) -> int:
    """The milliseconds that protobuf's text stands for.

    Raises:
        MlflowError: it is none.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise MlflowError(f"Invalid value {text[:100]} for parameter 'execution_duration' supplied: it is no duration.")
    length = int(found[2]) * 1000 + int((found[3] or "0").ljust(3, "0")[:3])
    return -length if found[1] else length


def pairs_json(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Keys and values as MLflow lists them."""
    return [{"key": key, "value": value} for key, value in values.items()]


def any_value(value: Any) -> dict[str, Any]:
    """A value as OpenTelemetry's AnyValue; nothing in it stands for none."""
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"bool_value": value}
    if isinstance(value, int):
        return {"int_value": value}
    if isinstance(value, float):
        return {"double_value": value}
    if isinstance(value, Mapping):
        return {"kvlist_value": {"values": _attributes(value)} if value else {}}
    if isinstance(value, list | tuple):
        return {"array_value": {"values": [any_value(item) for item in value]} if value else {}}
    return {"string_value": str(value)}


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in values.items()]


def _if_any(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"attributes": _attributes(attributes)} if attributes else {}


def _event_json(event: SpanEvent) -> dict[str, Any]:
    return {"time_unix_nano": event.at_ns, "name": event.name, **_if_any(event.attributes)}


def _value_json(given: Assessment) -> dict[str, Any]:
    if given.kind == "issue":
        return {"issue": given.value}
    if given.kind == "feedback":
        return {"feedback": {"value": given.value, **({"error": given.error} if given.error else {})}}
    if _is_simple(given.value):
        return {"expectation": {"value": given.value}}
    packed = {"serialization_format": "JSON_FORMAT", "value": json.dumps(given.value)}
    return {"expectation": {"serialized_value": packed}}


def _is_simple(value: Any) -> bool:
    plain = (int, float, bool, str)
    return isinstance(value, plain) or (isinstance(value, list) and all(isinstance(item, plain) for item in value))


def _json(text: str | None) -> Any:
    try:
        return None if text is None else msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _base64(digits: str) -> str:
    try:
        return base64.b64encode(bytes.fromhex(digits)).decode()
    except ValueError:  # a link to a span that is named in another way
        return ""
