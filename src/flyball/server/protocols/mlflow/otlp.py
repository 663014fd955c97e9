"""Spans by OpenTelemetry's own protocol: `POST /v1/traces`, from MLflow's clients and from any OpenTelemetry SDK."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from flyball.errors import FlyballError
from flyball.server.protocols.mlflow import _otlp
from flyball.server.protocols.mlflow.trace_json import MANAGED_TAGS
from flyball.server.protocols.mlflow.traces import check_experiment
from flyball.server.protocols.mlflow.wire import MlflowError, Request, endpoint
from flyball.tracking.conventions import NAME
from flyball.tracking.spans import Span, kept_text
from flyball.workspace import Workspace

_TAG = "mlflow.traceTag."
_FORMATS = {"application/x-protobuf": _otlp.from_protobuf, "application/json": _otlp.from_json}
_OWN = ("telemetry.sdk.", "mlflow.")


@endpoint("POST", "/v1/traces")
async def export_spans(workspace: Workspace, request: Request) -> Response:
    """Keeps the spans of one request, all or none."""
    headers = request.headers
    given = headers.get("content-type", "")
    media = given.partition(";")[0].strip().lower()
    if media not in _FORMATS:
        raise MlflowError(
            f"Invalid Content-Type: {given[:100]}. Expected: application/x-protobuf or application/json", "BAD_REQUEST"
        )
    await run_in_threadpool(
        _keep,
        workspace,
        media,
        await request.body(),
        headers.get("content-encoding", "").lower(),
        # Any OpenTelemetry SDK can send here without knowing of experiments.
        headers.get("x-mlflow-experiment-id") or "0",
        headers.get("x-mlflow-run-id", ""),
    )
    # OpenTelemetry wants the answer as the request was: an empty message is no bytes in protobuf.
    return Response(b"{}" if media == "application/json" else b"", media_type=media)


def _keep(workspace: Workspace, media: str, body: bytes, encoding: str, experiment: str, run: str) -> None:
    sent = _FORMATS[media](_otlp.unpacked(body, encoding))
    if not sent:
        raise MlflowError("Invalid OpenTelemetry format - no spans found", "BAD_REQUEST")
    spans = [_without_tags(span) for found, _ in sent for span in found]
    if not spans:
        return
    traces = workspace.traces.record_spans(check_experiment(experiment), spans, make=False)
    _tag(workspace, sent)
    if run:
        try:
            workspace.traces.link_to_run(traces[:100], run)
        except FlyballError:
            return  # the spans are kept; that the run is not there is no reason to send them again


def _tag(workspace: Workspace, sent: list[_otlp.Sent]) -> None:
    """Puts on the traces what their senders say of themselves, and the tags that their roots carry."""
    tags: dict[str, dict[str, str]] = {}
    for spans, resource in sent:
        told = {key: _text(value) for key, value in resource.items() if key and not key.startswith(_OWN)}
        for span in spans:
            tags.setdefault(span.trace, {}).update(told)
    for span in (span for spans, _ in sent for span in spans if not span.parent):
        carried = {
            key.removeprefix(_TAG): _text(value) for key, value in span.attributes.items() if key.startswith(_TAG)
        }
        tags[span.trace] |= {key: text for key, text in carried.items() if key and key not in MANAGED_TAGS}
    for trace, found in tags.items():
        name = found.pop(NAME, "")
        if name:
            workspace.traces.rename(trace, name[:4096])
        kept = {key: text for key, text in found.items() if len(key) <= 250 and key.isprintable()}
        if kept:
            workspace.traces.set_tags(trace, kept)


def _without_tags(span: Span) -> Span:
    return replace(span, attributes={key: value for key, value in span.attributes.items() if not key.startswith(_TAG)})


def _text(value: Any) -> str:
    return kept_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
