"""Spans that a client kept in a file beside its trace, as MLflow's clients before 3.4 do."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import sqlalchemy as sa

from flyball.errors import FlyballError, InvalidInput
from flyball.serialization import from_json
from flyball.storage.objects import Blobs
from flyball.tracking._store import files
from flyball.tracking._trace_store import folder_of
from flyball.tracking.conventions import understood
from flyball.tracking.spans import MOST_SPANS, Span, SpanEvent, SpanStatus, check_span

DATA_FILE = "traces.json"
_LARGEST = 64 << 20
_STATUS: dict[str, SpanStatus] = {"OK": "ok", "ERROR": "error", "STATUS_CODE_OK": "ok", "STATUS_CODE_ERROR": "error"}


def find_data(connection: sa.Connection, experiment: int, trace: str) -> str:
    """The digest of the file with a trace's spans; empty where there is none that can be read."""
    mine = sa.and_(files.c.folder == folder_of(experiment, trace), files.c.name == DATA_FILE, files.c.size <= _LARGEST)
    return connection.execute(sa.select(files.c.digest).where(mine)).scalar() or ""


def read_data(blobs: Blobs, digest: str, trace: str) -> list[Span]:
    """The spans in a file, roots first; none where it holds anything else."""
    try:
        given = from_json(blobs.get(digest), dict[str, Any]).get("spans")
        listed = given if isinstance(given, list) else []
        spans = [check_span(understood(_span(trace, one))) for one in listed[:MOST_SPANS]]
    except (FlyballError, KeyError, TypeError, ValueError, AttributeError, binascii.Error):
        # Anything may stand in a file that a client sent.
        return []
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
