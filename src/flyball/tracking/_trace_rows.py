"""What is told of a trace as a row, what its spans make of it, and the tokens of pages."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from flyball.errors import InvalidInput
from flyball.serialization import from_json, to_json
from flyball.tracking import _trace_store, limits
from flyball.tracking._trace_search import SESSION
from flyball.tracking.conventions import preview
from flyball.tracking.spans import Span, kept_text

if TYPE_CHECKING:
    from flyball.tracking.traces import Trace

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


# What a later word replaces even by nothing.
PLAIN = ("milliseconds", "client_request_id", "told")


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


def times(row: sa.Row[Any], started: int, ended: int | None) -> dict[str, Any]:
    """Start and length of a trace that its spans widen."""
    before = (row.started - _EPOCH) // timedelta(milliseconds=1)
    first = min(before, started)
    last = max(
        (moment for moment in (ended, None if row.milliseconds is None else before + row.milliseconds) if moment),
        default=None,
    )
    return {"started": moment(first), "milliseconds": None if last is None else last - first}


def root_values(row: sa.Row[Any], root: Span) -> dict[str, Any]:
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


def session_of(span: Span) -> str:
    found = span.attributes.get("session.id") or span.attributes.get("gen_ai.conversation.id") or ""
    return str(found)[:250]


def typed(what: str, sums: dict[str, float]) -> dict[str, Any] | None:
    return ({key: int(number) for key, number in sums.items()} if what == "tokens" else sums) or None


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


def write_token(token: Token) -> str:
    return base64.urlsafe_b64encode(to_json(token)).decode()


def read_token(text: str) -> Token:
    if not text:
        return Token()
    try:
        found = from_json(base64.urlsafe_b64decode(text), Token)
    except (ValueError, InvalidInput) as error:
        raise InvalidInput("Invalid page token.", hint="Give the one of the page before, as it is.") from error
    if not 0 <= found.offset < 1 << 62:
        raise InvalidInput("Invalid page token.", hint="Give the one of the page before, as it is.")
    return found
