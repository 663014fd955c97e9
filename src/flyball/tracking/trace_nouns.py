"""The nouns of traces: what is kept of one, pages of them, and the sessions that they make."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from flyball.tracking.assessments import Assessment
from flyball.tracking.spans import Span

TraceState = Literal["unspecified", "in_progress", "ok", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What an application did to answer one request.

    Attributes:
        id: `tr-` and the 32 hexadecimal digits of OpenTelemetry's trace id.
        experiment: Id of the experiment that it belongs to.
        started: To the millisecond.
        milliseconds: How long it took; None while it is under way.
        session: The conversation that it is part of.
        tokens: Tokens that were used in all: `input_tokens`, `output_tokens`, `total_tokens` and further ones.
        cost: What they cost, in US dollars.
        tags: Short texts that anyone may change.
        metadata: Short texts that its maker told.
        expected_spans: How many spans its maker told of; None where nobody said it.
        told: Whether its maker has told the whole of it; before, what is known of it comes from its spans.
        span_count: How many spans are kept of it.
        location: Where clients bring the files of its experiment; empty for here.
        spans: Roots first, then by their start; empty where they were not asked for.
    """

    id: str
    experiment: str
    name: str = ""
    state: TraceState = "ok"
    started: datetime
    milliseconds: int | None = None
    client_request_id: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    session: str | None = None
    tokens: dict[str, int] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    assessments: list[Assessment] = field(default_factory=list)
    expected_spans: int | None = None
    told: bool = False
    span_count: int = 0
    location: str = ""
    spans: list[Span] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class TracePage:
    """Some of the traces that were asked for, and the token of the next page; empty at the end."""

    traces: list[Trace]
    next_page_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Traces of one conversation."""

    id: str
    traces: int
    first: datetime
    last: datetime
    total_tokens: int = 0
    total_cost: float = 0.0
