"""What is told of a trace as a row, what its spans make of it, and the tokens of pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from flyball.tracking import _trace_store, limits
from flyball.tracking.conventions import SESSION, Share, preview, total
from flyball.tracking.page_tokens import check_offset, read_token
from flyball.tracking.spans import Span, kept_text

if TYPE_CHECKING:
    from flyball.tracking.trace_nouns import Trace

TAG_LENGTH = 8_000
FACT_LENGTH = 1_000_000
PREVIEW_LENGTH = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Where a page ended: at a trace in the usual order, or after so many in another."""

    started: datetime | None = None
    id: str = ""
    offset: int = 0


def values_of(trace: Trace) -> dict[str, Any]:
    """The columns of what is told of a trace."""
    session = trace.session or trace.metadata.get(SESSION)
    texts = {
        name: None if text is None else limits.check_text(kept_text(text)[:PREVIEW_LENGTH], name, PREVIEW_LENGTH)
        for name, text in (
            ("client_request_id", trace.client_request_id),
            ("request_preview", trace.request_preview),
            ("response_preview", trace.response_preview),
        )
    }
    return {
        "name": limits.check_text(trace.name, "Trace name", TAG_LENGTH) or None,
        "started": to_milliseconds(trace.started),
        "milliseconds": trace.milliseconds,
        "session": None if session is None else limits.check_text(session, "Session ID", 250),
        "tokens": trace.tokens or None,
        "cost": trace.cost or None,
        "total_tokens": trace.tokens.get("total_tokens"),
        "total_cost": trace.cost.get("total_cost"),
        "expected_spans": trace.expected_spans,
        "told": int(trace.told),
        **texts,
    }


def said_by(row: Any, spans: Sequence[Span]) -> dict[str, Any]:
    """What spans say of their trace that its maker has not told and no span has said before.

    Args:
        row: What is known of the trace.
    """
    root = next((span for span in spans if not span.parent), None)
    session = next((found for span in spans if (found := _session_of(span))), None)
    values = {} if row.told else _times(row, spans)
    values |= _of_root(row, root) if root is not None else {}
    return values | ({"session": session} if session and row.session is None else {})


def summed(what: str, shares: Iterable[Share]) -> dict[str, Any]:
    """The columns of the sum of tokens or cost."""
    sums = total(shares)
    kept = {key: int(number) for key, number in sums.items()} if what == "tokens" else sums
    return {what: kept or None, f"total_{what}": kept.get(f"total_{what}")}


def _times(row: Any, spans: Sequence[Span]) -> dict[str, Any]:
    """Start and length of a trace that its spans widen."""
    started = min(span.started_ns for span in spans) // 1_000_000
    ends = [span.ended_ns // 1_000_000 for span in spans if span.ended_ns]
    before = (row.started - _EPOCH) // timedelta(milliseconds=1)
    if row.milliseconds is not None:
        ends.append(before + row.milliseconds)
    first = min(before, started)
    return {"started": moment(first), "milliseconds": max(ends) - first if ends else None}


def _of_root(row: Any, root: Span) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if row.state in ("in_progress", "unspecified"):
        values["state"] = "error" if root.status == "error" else "ok"
    if row.name is None and root.name:
        values["name"] = root.name
    if row.request_preview is None and root.inputs is not None:
        values["request_preview"] = preview(root.inputs, "user")
    if row.response_preview is None and root.outputs is not None:
        values["response_preview"] = preview(root.outputs, "assistant")
    return values


def _session_of(span: Span) -> str:
    found = span.attributes.get("session.id") or span.attributes.get("gen_ai.conversation.id") or ""
    return str(found)[:250]


def checked_tags(tags: dict[str, str]) -> dict[str, str]:
    limits.check_count(len(tags), "tags", limits.MOST_PARAMS)
    return {limits.check_key(key, "tag"): kept_text(text)[:TAG_LENGTH] for key, text in tags.items()}


def checked_facts(metadata: dict[str, str]) -> dict[str, str]:
    limits.check_count(len(metadata), "entries", limits.MOST_PARAMS)
    return {limits.check_key(key, "entry"): kept_text(text)[:FACT_LENGTH] for key, text in metadata.items()}


def clauses(order: Sequence[tuple[sa.ColumnElement[Any], bool]]) -> list[sa.ColumnElement[Any]]:
    """The order with what is not there at the end, whichever way it goes."""
    found: list[sa.ColumnElement[Any]] = []
    for column, descending in order:
        if column not in (_trace_store.traces.c.started, _trace_store.traces.c.id):
            found.append(sa.case((column.is_(None), 1), else_=0))
        found.append(column.desc() if descending else column.asc())
    return found


def moment(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)


def to_milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def read_place(text: str) -> Token:
    """Where a page begins; at the beginning without a token."""
    if not text:
        return Token()
    found: Token = read_token(text, Token)
    check_offset(found.offset)
    return found
