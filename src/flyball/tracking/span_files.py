"""Spans as MLflow's clients and its database write them: JSON whose attributes are each JSON of its own."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from flyball.errors import Corrupt, FlyballError, InvalidInput
from flyball.serialization import from_json
from flyball.tracking.conventions import understood
from flyball.tracking.spans import MOST_SPANS, Span, SpanEvent, SpanStatus, check_span

_STATUS: dict[str, SpanStatus] = {"OK": "ok", "ERROR": "error", "STATUS_CODE_OK": "ok", "STATUS_CODE_ERROR": "error"}


def spans_in(data: bytes, trace: str) -> list[Span]:
    """The spans in a file, roots first.

    Raises:
        Corrupt: it holds anything else.
    """
    try:
        given = from_json(data, dict[str, Any]).get("spans")
    except InvalidInput as error:
        raise Corrupt(f"The spans of trace '{trace}' cannot be read: {error.message}") from error
    return spans_of(given if isinstance(given, list) else [], trace)


def spans_of(given: list[Any], trace: str) -> list[Span]:
    """The spans that were written so, roots first.

    Raises:
        Corrupt: one is written otherwise.
    """
    try:
        spans = [check_span(understood(_span(trace, one))) for one in given[:MOST_SPANS]]
    except (FlyballError, KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise Corrupt(f"A span of trace '{trace}' cannot be read: {error}") from error
    return sorted(spans, key=lambda span: (span.parent != "", span.started_ns, span.id))


def _span(trace: str, given: dict[str, Any]) -> Span:
    told = {key: _decoded(value) for key, value in given["attributes"].items() if key != "mlflow.traceRequestId"}
    if "context" in given:
        parent, status = given.get("parent_id") or "", given.get("status_code")
        return Span(
            trace=trace,
            id=_digits(given["context"]["span_id"]),
            parent=_digits(parent),
            name=given["name"],
            started_ns=int(given["start_time"]),
            ended_ns=int(given["end_time"]) if given.get("end_time") else None,
            status=_STATUS.get(str(status), "unset"),
            message=str(given.get("status_message") or ""),
            attributes=told,
            events=[_event(event, "timestamp") for event in given.get("events", ())],
        )
    return Span(
        trace=trace,
        id=base64.b64decode(given["span_id"]).hex(),
        parent=base64.b64decode(given.get("parent_span_id") or "").hex(),
        name=given["name"],
        started_ns=int(given["start_time_unix_nano"]),
        ended_ns=int(given["end_time_unix_nano"]) if given.get("end_time_unix_nano") else None,
        status=_STATUS.get(str(given["status"].get("code")), "unset"),
        message=str(given["status"].get("message") or ""),
        attributes=told,
        events=[_event(event, "time_unix_nano") for event in given.get("events", ())],
    )


def _event(given: dict[str, Any], when: str) -> SpanEvent:
    return SpanEvent(name=given["name"], at_ns=int(given[when]), attributes=dict(given.get("attributes") or {}))


def _digits(text: str) -> str:
    return text.removeprefix("0x").rjust(16, "0") if text else ""


def _decoded(value: Any) -> Any:
    """An attribute, each of which is written as JSON of its own."""
    if not isinstance(value, str):
        return value
    try:
        return from_json(value, object)
    except InvalidInput:
        return value
