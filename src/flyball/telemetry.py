"""Traces for OpenTelemetry: what happened from a request to its row in the prediction log, and in a training, span by span.

Off unless an endpoint is set; then nothing is measured and the libraries are not loaded. A trace begun elsewhere is gone on with
by its `traceparent` (W3C Trace Context), and its id is kept in the prediction log whether spans are sent or not.

The processes of one training find each other without a word: its trace and root span have ids that are made of its own id.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from flyball.errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider

P = ParamSpec("P")
R = TypeVar("R")
Value = str | int | float | bool
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_NOTHING: AbstractContextManager[None] = contextlib.nullcontext()


def parse_traceparent(text: str) -> tuple[str, str, bool] | None:
    """Trace id, span id and whether it is sampled, of a `traceparent` header; None if it is none.

    Source: W3C Trace Context, section 3.2: what cannot be read is as if it was not there.

    >>> parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    ('0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331', True)
    """
    match = _TRACEPARENT.fullmatch(text.strip())
    if match is None or not int(match[1], 16) or not int(match[2], 16):
        return None
    if text.startswith("00") and len(text.strip()) != 55:
        return None
    return match[1], match[2], bool(int(match[3], 16) & 1)


def traceparent_of(key: str) -> str:
    """The `traceparent` of what has that id, the same in every process."""
    made = hashlib.blake2b(key.encode(), digest_size=24).hexdigest()
    return f"00-{made[:32]}-{made[32:]}-01"


class Trace:
    """One request's place in a trace.

    Attributes:
        id: The trace's id; empty where there is none.
    """

    __slots__ = ("_context", "_telemetry", "id")

    def __init__(self, id: str = "", telemetry: Telemetry | None = None, context: Context | None = None) -> None:
        self.id = id
        self._telemetry = telemetry
        self._context = context

    def span(self, name: str, **attributes: Value) -> AbstractContextManager[Any]:
        """A span under this one for as long as a `with` lasts; nothing happens where nothing is traced."""
        if self._telemetry is None:
            return _NOTHING
        return self._telemetry.begin(name, attributes, self._context)

    def tell(self, **attributes: Value) -> None:
        """Adds facts to this span."""
        if self._telemetry is not None and self._context is not None:
            from opentelemetry import trace

            trace.get_current_span(self._context).set_attributes(attributes)

    def waiting(self, name: str, work: Callable[P, R]) -> Callable[P, R]:
        """The same work, which tells as a span how long it waited for its turn."""
        if self._telemetry is None:
            return work
        asked = time.time_ns()

        def begin(*given: P.args, **named: P.kwargs) -> R:
            self.record(name, asked, time.time_ns())
            return work(*given, **named)

        return begin

    def record(self, name: str, start_ns: int, end_ns: int, **attributes: Value) -> None:
        """A span under this one that has been already; times in nanoseconds since 1970."""
        if self._telemetry is not None:
            self._telemetry.add(name, start_ns, end_ns, attributes, self._context)


NO_TRACE = Trace()


class Telemetry:
    """Sends spans to an OTLP/HTTP endpoint, from a thread of its own.

    Args:
        endpoint: Its address, such as `http://localhost:4318`; empty turns everything off.
        service: Which part of Flyball this process is.

    Raises:
        InvalidInput: the endpoint is no address.
        MissingExtra: the libraries are not installed.
    """

    def __init__(self, endpoint: str = "", service: str = "flyball") -> None:
        self._provider: TracerProvider | None = _provider(endpoint, service) if endpoint else None
        self._tracer = None if self._provider is None else self._provider.get_tracer("flyball")

    @property
    def is_on(self) -> bool:
        """Whether spans are sent."""
        return self._tracer is not None

    def trace(self, traceparent: str) -> Trace:
        """The place that a header names; with spans off only its id is known."""
        found = parse_traceparent(traceparent) if traceparent else None
        if self._tracer is None:
            return NO_TRACE if found is None else Trace(found[0])
        return Trace(found[0] if found else "", self, None if found is None else _context(*found))

    @contextlib.contextmanager
    def request(self, name: str, traceparent: str, **attributes: Value) -> Iterator[Trace]:
        """The span of a request that is answered here; what it yields makes the spans under it."""
        if self._tracer is None:
            yield self.trace(traceparent)
            return
        from opentelemetry import trace

        found = parse_traceparent(traceparent) if traceparent else None
        context = None if found is None else _context(*found)
        with self._tracer.start_as_current_span(
            name, context=context, kind=trace.SpanKind.SERVER, attributes=attributes
        ) as span:
            inner = trace.set_span_in_context(span)
            yield Trace(f"{span.get_span_context().trace_id:032x}", self, inner)

    def begin(self, name: str, attributes: Mapping[str, Value], context: Context | None) -> AbstractContextManager[Any]:
        """A span for as long as a `with` lasts."""
        if self._tracer is None:
            return _NOTHING
        return self._tracer.start_as_current_span(name, context=context, attributes=dict(attributes))

    def add(
        self, name: str, start_ns: int, end_ns: int, attributes: Mapping[str, Value], context: Context | None
    ) -> None:
        """A span that has been already."""
        if self._tracer is not None:
            span = self._tracer.start_span(name, context=context, attributes=dict(attributes), start_time=start_ns)
            span.end(end_ns)

    def root(self, key: str, name: str, start: datetime, end: datetime, **attributes: Value) -> None:
        """The first span of the trace of what has that id."""
        if self._provider is None:
            return
        found = parse_traceparent(traceparent_of(key))
        assert found is not None
        tracer: Any = self._provider.get_tracer("flyball.roots")  # another than that of all other spans
        tracer.id_generator = _Chosen(found[0], found[1])
        span = tracer.start_span(name, context=_empty_context(), attributes=attributes, start_time=_nanoseconds(start))
        span.end(_nanoseconds(end))

    def close(self) -> None:
        """Sends what waits."""
        if self._provider is not None:
            self._provider.shutdown()


def _provider(endpoint: str, service: str) -> TracerProvider:
    if not endpoint.startswith(("http://", "https://")):
        raise InvalidInput(f"'{endpoint[:80]}' is no OTLP endpoint.", hint="Write it as http://localhost:4318.")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise MissingExtra(
            "Traces need OpenTelemetry, which is not installed.", hint="pip install 'flyball[telemetry]'"
        ) from error
    from flyball.version import __version__

    address = endpoint if endpoint.endswith("/v1/traces") else f"{endpoint.rstrip('/')}/v1/traces"
    resource = Resource.create({"service.name": f"flyball-{service}", "service.version": __version__})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(address), schedule_delay_millis=1000))
    return provider


def _context(trace_id: str, span_id: str, sampled: bool) -> Context:
    from opentelemetry import trace

    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if sampled else trace.TraceFlags.DEFAULT)
    parent = trace.SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(parent))


def _empty_context() -> Context:
    from opentelemetry.context import Context

    return Context()


class _Chosen:
    """Gives one span the ids that were chosen for it."""

    def __init__(self, trace_id: str, span_id: str) -> None:
        self._trace_id = int(trace_id, 16)
        self._span_id = int(span_id, 16)

    def generate_trace_id(self) -> int:
        return self._trace_id

    def generate_span_id(self) -> int:
        return self._span_id

    def is_trace_id_random(self) -> bool:
        return False


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6) * 1000
