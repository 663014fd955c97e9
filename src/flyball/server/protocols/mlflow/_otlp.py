"""Spans as OpenTelemetry's protocol carries them: protobuf and JSON, packed or not."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from typing import Any

import msgspec

from flyball.errors import MissingExtra
from flyball.server.protocols.mlflow.wire import MlflowError
from flyball.tracking.spans import DEEPEST, Span, SpanEvent, SpanLink

LARGEST = 64 << 20
"""Bytes of a request, unpacked."""

_KINDS = ("internal", "internal", "server", "client", "producer", "consumer")
_STATUS = ("unset", "ok", "error")
_KIND_NAMES = {f"SPAN_KIND_{name}": name.lower() for name in ("INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")}
_STATUS_NAMES = {f"STATUS_CODE_{name}": name.lower() for name in ("UNSET", "OK", "ERROR")}
_INVALID = "Invalid OpenTelemetry format"


class Value(msgspec.Struct, rename="camel"):
    """A value of any kind; at most one field is set."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    bytes_value: str | None = None
    array_value: Values | None = None
    kvlist_value: Pairs | None = None


class Pair(msgspec.Struct):
    """A named value."""

    key: str = ""
    value: Value | None = None


class Values(msgspec.Struct):
    """Several values."""

    values: list[Value] = []


class Pairs(msgspec.Struct):
    """Several named values."""

    values: list[Pair] = []


class Event(msgspec.Struct, rename="camel"):
    """Something that happened."""

    name: str = ""
    time_unix_nano: int = 0
    attributes: list[Pair] = []


class Link(msgspec.Struct, rename="camel"):
    """Another span."""

    trace_id: str = ""
    span_id: str = ""
    attributes: list[Pair] = []


class Status(msgspec.Struct):
    """How a span ended."""

    code: int | str = 0
    message: str = ""


class JsonSpan(msgspec.Struct, rename="camel"):
    """A span in JSON."""

    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    name: str = ""
    kind: int | str = 0
    start_time_unix_nano: int = 0
    end_time_unix_nano: int = 0
    attributes: list[Pair] = []
    events: list[Event] = []
    links: list[Link] = []
    status: Status = msgspec.field(default_factory=Status)


class Scope(msgspec.Struct):
    """Spans of one library."""

    spans: list[JsonSpan] = []


class Resource(msgspec.Struct):
    """What sent the spans."""

    attributes: list[Pair] = []


class ResourceSpans(msgspec.Struct, rename="camel"):
    """Spans of one sender."""

    resource: Resource = msgspec.field(default_factory=Resource)
    scope_spans: list[Scope] = []


class Export(msgspec.Struct, rename="camel"):
    """A whole request."""

    resource_spans: list[ResourceSpans] = []


Sent = tuple[list[Span], dict[str, Any]]
"""Spans of one sender, and what it says of itself."""


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body as it was before it was packed.

    Raises:
        MlflowError: it cannot be unpacked, or is too large then.
    """
    bits = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}.get(encoding)
    if encoding in ("", "identity"):
        found = body
    elif bits is None:
        raise MlflowError(f"Unsupported Content-Encoding: {encoding[:60]}", "BAD_REQUEST")
    else:
        try:
            found = _inflated(body, bits)
        except zlib.error:
            try:
                found = _inflated(body, -zlib.MAX_WBITS) if encoding == "deflate" else b""
            except zlib.error:
                found = b""
            if not found:
                raise MlflowError(f"Failed to decompress {encoding} payload", "BAD_REQUEST") from None
    if len(found) > LARGEST:
        raise MlflowError(f"The spans are larger than {LARGEST >> 20} MiB.", "INVALID_PARAMETER_VALUE")
    return found


def from_protobuf(body: bytes) -> list[Sent]:
    """The spans of a request in protobuf.

    Raises:
        MissingExtra: the library is not installed.
        MlflowError: it is none.
    """
    try:
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf has no types of its own
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    except ImportError as error:
        # MLflow's client looks for these very words, and then keeps its spans in files.
        raise MissingExtra(
            "REST OTLP span logging is not supported by this server without opentelemetry-proto.",
            hint="pip install 'flyball[otlp]' where the server runs, or send JSON.",
        ) from error
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except (DecodeError, ValueError, RecursionError) as error:
        raise MlflowError(_INVALID, "BAD_REQUEST") from error
    return [
        (
            [_span_of_message(span) for scope in sent.scope_spans for span in scope.spans],
            _message_attributes(sent.resource.attributes),
        )
        for sent in request.resource_spans
    ]


def from_json(body: bytes) -> list[Sent]:
    """The spans of a request in JSON.

    Raises:
        MlflowError: it is none.
    """
    try:
        request = msgspec.json.decode(body, type=Export, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MlflowError(f"{_INVALID}: {str(error)[:200]}", "BAD_REQUEST") from error
    return [
        (
            [_span_of_json(span) for scope in sent.scope_spans for span in scope.spans],
            _json_attributes(sent.resource.attributes),
        )
        for sent in request.resource_spans
    ]


def _inflated(body: bytes, bits: int) -> bytes:
    inflater = zlib.decompressobj(bits)
    # A byte more than is taken shows that there is too much, whatever a small body would grow to.
    found = inflater.decompress(body, LARGEST + 1)
    if not inflater.eof and len(found) <= LARGEST:
        raise zlib.error("it ends too early")
    return found


def _span_of_message(span: Any) -> Span:
    return _span(
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        name=span.name,
        kind=_KINDS[span.kind] if span.kind < len(_KINDS) else "internal",
        started=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        status=_STATUS[span.status.code] if span.status.code < len(_STATUS) else "unset",
        message=span.status.message,
        attributes=_message_attributes(span.attributes),
        events=[
            SpanEvent(name=event.name, at_ns=event.time_unix_nano, attributes=_message_attributes(event.attributes))
            for event in span.events
        ],
        links=[
            SpanLink(
                trace=f"tr-{link.trace_id.hex()}",
                span=link.span_id.hex(),
                attributes=_message_attributes(link.attributes),
            )
            for link in span.links
        ],
    )


def _span_of_json(span: JsonSpan) -> Span:
    kind = _KIND_NAMES.get(span.kind, "internal") if isinstance(span.kind, str) else _named(_KINDS, span.kind)
    code = span.status.code
    return _span(
        trace=_hex(span.trace_id),
        id=_hex(span.span_id),
        parent=_hex(span.parent_span_id),
        name=span.name,
        kind=kind,
        started=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        status=_STATUS_NAMES.get(code, "unset") if isinstance(code, str) else _named(_STATUS, code),
        message=span.status.message,
        attributes=_json_attributes(span.attributes),
        events=[
            SpanEvent(name=event.name, at_ns=event.time_unix_nano, attributes=_json_attributes(event.attributes))
            for event in span.events
        ],
        links=[
            SpanLink(
                trace=f"tr-{_hex(link.trace_id)}", span=_hex(link.span_id), attributes=_json_attributes(link.attributes)
            )
            for link in span.links
        ],
    )


def _span(*, trace: str, started: int, ended: int, attributes: dict[str, Any], **more: Any) -> Span:
    if len(trace) != 32 or len(more["id"]) != 16:
        raise MlflowError("Cannot convert OpenTelemetry span to MLflow span: it has no proper trace id or span id.")
    told = {key: _unwrapped(value) for key, value in attributes.items() if key != "mlflow.traceRequestId"}
    return Span(trace=f"tr-{trace}", started_ns=started, ended_ns=ended or None, attributes=told, **more)


def _unwrapped(value: Any) -> Any:
    """The value without the JSON in which MLflow's older clients, and some frameworks, wrap what is no plain text."""
    if not isinstance(value, str) or value[:1] not in '"{[':
        return value
    try:
        found = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return value
    # A number in quotes is a text that looks like a number.
    return found if isinstance(found, str | dict | list) and _is_shallow(found) else value


def _is_shallow(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            item
            for one in level
            if isinstance(one, dict | list)
            for item in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return True
    return False


def _message_attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: _message_value(pair.value) for pair in pairs}


def _message_value(value: Any) -> Any:
    # protobuf itself refuses messages that are more than a hundred deep.
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_message_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _message_value(pair.value) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind)


def _json_attributes(pairs: Iterable[Pair]) -> dict[str, Any]:
    return {pair.key: _json_value(pair.value, 0) for pair in pairs}


def _json_value(value: Value | None, depth: int) -> Any:
    if value is None or depth > DEEPEST:
        return None
    if value.array_value is not None:
        return [_json_value(item, depth + 1) for item in value.array_value.values]
    if value.kvlist_value is not None:
        return {pair.key: _json_value(pair.value, depth + 1) for pair in value.kvlist_value.values}
    if value.int_value is not None:
        return _number(int, value.int_value)
    if value.double_value is not None:
        return _number(float, value.double_value)
    if value.bool_value is not None:
        return value.bool_value
    return value.string_value if value.string_value is not None else value.bytes_value


def _number(kind: type[int | float], text: Any) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise MlflowError(f"{_INVALID}: {str(text)[:40]!r} is no number.", "BAD_REQUEST") from None


def _named(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else names[0]


def _hex(text: str) -> str:
    """An id, which is written in hexadecimal digits, of any case."""
    try:
        return bytes.fromhex(text).hex()
    except ValueError:
        raise MlflowError(f"{_INVALID}: {text[:60]!r} is no id.", "BAD_REQUEST") from None
