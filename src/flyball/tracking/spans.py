"""Spans: the timed steps of which a trace is made."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from flyball.errors import InvalidInput
from flyball.serialization import JsonValue
from flyball.tracking.limits import check_text

SpanStatus = Literal["unset", "ok", "error"]
SpanKind = Literal["internal", "server", "client", "producer", "consumer"]

NAME_LENGTH = 1_000
MOST_SPANS = 10_000
DEEPEST = 60
_TRACE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SPAN_ID = re.compile(r"[0-9a-f]{16}")
_INT64 = 1 << 63


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanEvent:
    """Something that happened at one moment of a span, such as an exception."""

    name: str
    at_ns: int
    attributes: dict[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanLink:
    """Another span that has to do with this one."""

    trace: str
    span: str
    attributes: dict[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One timed step of a trace.

    Attributes:
        trace: Id of its trace: `tr-` and the 32 hexadecimal digits of OpenTelemetry's trace id.
        id: 16 hexadecimal digits, unique in the trace.
        started_ns: Nanoseconds since 1970.
        ended_ns: None while it is under way.
        parent: Id of the span it is part of; empty for the root.
        type: What kind of work it is, such as `LLM`, `TOOL`, `RETRIEVER`.
        message: What went wrong, where the status is `error`.
        tokens: Tokens that were used: `input_tokens`, `output_tokens`, `total_tokens` and further ones.
        cost: What they cost, in US dollars: `input_cost`, `output_cost`, `total_cost`.
        model: The language model that was asked.
    """

    trace: str
    id: str
    name: str
    started_ns: int
    ended_ns: int | None = None
    parent: str = ""
    type: str = ""
    status: SpanStatus = "unset"
    message: str = ""
    kind: SpanKind = "internal"
    inputs: JsonValue = None
    outputs: JsonValue = None
    tokens: dict[str, int] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    model: str = ""
    attributes: dict[str, JsonValue] = field(default_factory=dict)
    events: list[SpanEvent] = field(default_factory=list)
    links: list[SpanLink] = field(default_factory=list)

    @property
    def milliseconds(self) -> float | None:
        """How long it took; None while it is under way."""
        return None if self.ended_ns is None else (self.ended_ns - self.started_ns) / 1e6


def check_trace_id(text: str) -> str:
    """Gives the id back if it may be that of a trace.

    Raises:
        InvalidInput: it holds other than letters, digits, dot, dash and underscore, or is over 128 long.
    """
    # It becomes part of the address of the trace's files, so nothing in it may climb or be read twice.
    if not isinstance(text, str) or not _TRACE_ID.fullmatch(text):
        raise InvalidInput(
            f"Invalid value {str(text)[:80]!r} for parameter 'trace_id' supplied.",
            hint="Use tr- and the 32 hexadecimal digits of the trace.",
        )
    return text


def check_span(span: Span) -> Span:
    """Gives the span back as it is kept: texts that a database can hold, values that are not too deep.

    Raises:
        InvalidInput: an id, a time or a length cannot be used.
    """
    check_trace_id(span.trace)
    for what, found in (("span", span.id), *((("parent", span.parent),) if span.parent else ())):
        if not _SPAN_ID.fullmatch(found):
            raise InvalidInput(f"{found[:60]!r} is no id of a {what}.", hint="Use 16 hexadecimal digits.")
    for moment in (span.started_ns, span.ended_ns or 0, *(event.at_ns for event in span.events)):
        if not 0 <= moment < _INT64:
            raise InvalidInput(f"Span '{span.name[:60]}' has the time {moment}.", hint="Give nanoseconds since 1970.")
    return replace(
        span,
        name=check_text(kept_text(span.name)[:NAME_LENGTH], "name", NAME_LENGTH),
        type=kept_text(span.type)[:200],
        message=kept_text(span.message),
        model=kept_text(span.model)[:500],
        inputs=kept(span.inputs),
        outputs=kept(span.outputs),
        attributes=kept(span.attributes),
        events=[replace(e, name=kept_text(e.name), attributes=kept(e.attributes)) for e in span.events],
        links=[replace(link, attributes=kept(link.attributes)) for link in span.links],
    )


def kept(value: Any, depth: int = 0) -> Any:
    """A plain value as the database keeps it: no NUL, no numbers that JSON cannot hold, not too deep."""
    if isinstance(value, str):
        return kept_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else str(value)
    if depth >= DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {kept_text(str(key)): kept(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [kept(item, depth + 1) for item in value]
    return kept_text(str(value))


def kept_text(text: str) -> str:
    """The text without what no database keeps: NUL and lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
