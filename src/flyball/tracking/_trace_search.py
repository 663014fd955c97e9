"""How traces are asked for: `status = 'ERROR' AND span.type = 'LLM' AND feedback.quality < 3`."""

from __future__ import annotations

import contextlib
import json
import operator
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from flyball.errors import InvalidInput
from flyball.tracking import filters
from flyball.tracking._trace_store import assessments, facts, links, spans, tags, traces
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
from flyball.tracking.filter_sql import compare, compare_choice, compare_time, keyed
from flyball.tracking.filters import (
    LIST,
    NULL,
    NUMBER,
    TEXT,
    TEXT_OR_LIST,
    AllOf,
    AnyOf,
    Comparison,
    Field,
    Fields,
    Group,
    Node,
    Not,
    Operator,
    Order,
)

RUN = "mlflow.sourceRun"
PROMPTS = "mlflow.linkedPrompts"

_ANY_TEXT: tuple[Operator, ...] = (*TEXT_OR_LIST, "RLIKE")
_PAIR: tuple[Operator, ...] = (*TEXT, "RLIKE", *NULL)
_JUDGED: tuple[Operator, ...] = (*NUMBER, "LIKE", "ILIKE", "RLIKE", *NULL)
_TIME = Field(kind="time", operators=NUMBER)
_TEXT = Field(kind="text", operators=_ANY_TEXT)

FIELDS = Fields(
    what="trace",
    groups=(
        Group(
            name="attribute",
            aliases=("attributes", "trace"),
            keys={
                "request_id": _TEXT,
                "timestamp_ms": _TIME,
                "execution_time_ms": Field(kind="number", operators=NUMBER),
                "end_time_ms": _TIME,
                "status": _TEXT,
                "client_request_id": Field(kind="text", operators=_ANY_TEXT, native=NULL),
                "name": Field(kind="text", operators=_ANY_TEXT, native=NULL),
                "run_id": Field(kind="text", operators=("=",), native=LIST),
                "prompt": Field(kind="text", operators=("=",), sortable=False),
                "text": Field(kind="text", operators=("LIKE", "ILIKE"), sortable=False),
                # MLflow orders by it and never asks for it.
                "experiment_id": Field(kind="text", operators=()),
                "tokens": Field(kind="number", operators=(), native=NUMBER),
                "cost": Field(kind="number", operators=(), native=NUMBER),
                "session": Field(kind="text", operators=(), native=(*_ANY_TEXT, *NULL)),
            },
            key_aliases={
                "timestamp": "timestamp_ms",
                "execution_time": "execution_time_ms",
                "end_time": "end_time_ms",
                "trace_id": "request_id",
                "state": "status",
            },
        ),
        Group(name="tag", aliases=("tags",), any_key=Field(kind="text", operators=_PAIR)),
        Group(name="metadata", aliases=("request_metadata",), any_key=Field(kind="text", operators=_PAIR)),
        Group(
            name="span",
            keys={
                **{key: Field(kind="text", operators=_ANY_TEXT, sortable=False) for key in ("name", "type", "status")},
                "content": Field(kind="text", operators=("LIKE", "ILIKE"), sortable=False),
                "attributes.*": Field(kind="text", operators=_ANY_TEXT, sortable=False),
            },
        ),
        Group(name="feedback", any_key=Field(kind="text or number", operators=_JUDGED, sortable=False)),
        Group(name="expectation", any_key=Field(kind="text or number", operators=_JUDGED, sortable=False)),
        Group(name="issue", keys={"id": Field(kind="text", operators=("=",), sortable=False)}),
    ),
)

_STATES = {"ok": "OK", "error": "ERROR", "in_progress": "IN_PROGRESS", "unspecified": "STATE_UNSPECIFIED"}
_STATUSES = {"ok": "OK", "error": "ERROR", "unset": "UNSET"}
_ENDED = traces.c.started + sa.func.coalesce(traces.c.milliseconds, 0) * 1000
_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class Search:
    """Turns filters and orders of traces into SQL.

    Args:
        dialect: Name of the database's dialect; values within JSON are got differently.
    """

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect

    def where(self, text: str, *, native: bool = True) -> sa.ColumnElement[bool]:
        """The condition of a filter.

        Raises:
            InvalidInput: it cannot be understood.
        """
        return self._node(filters.parse_filter(text, FIELDS, native=native))

    def order(self, order_by: Sequence[str]) -> list[tuple[sa.ColumnElement[Any], bool]]:
        """What is ordered by, and whether downwards; the newest first and the id at the end.

        Raises:
            InvalidInput: an order cannot be understood.
        """
        found = [(_ordered(order), order.descending) for order in filters.parse_order(list(order_by), FIELDS)]
        return [*found, (traces.c.started, True), (traces.c.id, False)]

    def _node(self, node: Node | None) -> sa.ColumnElement[bool]:
        match node:
            case None:
                return sa.true()
            case Not(part):
                return sa.not_(self._node(part))
            case AnyOf(parts):
                return sa.or_(*(self._node(part) for part in parts))
            case AllOf(parts):
                # All that is asked of a span is asked of one and the same span.
                of_span = [part for part in parts if isinstance(part, Comparison) and _asks_span(part)]
                others = [self._node(part) for part in parts if part not in of_span]
                return sa.and_(*others, *([self._some_span(of_span)] if of_span else []))
        return self._some_span([node]) if _asks_span(node) else self._condition(node)

    def _condition(self, asked: Comparison) -> sa.ColumnElement[bool]:
        match asked.group:
            case "tag" if asked.key == NAME:
                return compare(traces.c.name, asked, nullable=True)
            case "tag" if asked.key == PROMPTS and asked.operator == "=":
                return _linked("prompt", asked)
            case "tag":
                return keyed(asked, tags, tags.c.trace == traces.c.number)
            case "metadata":
                return _metadata(asked)
            case "feedback" | "expectation":
                return self._judged(asked)
            case "issue":
                found = sa.select(sa.literal(1)).where(
                    assessments.c.trace == traces.c.number,
                    assessments.c.kind == "issue",
                    assessments.c.name == asked.value,
                )
                return found.correlate(traces).exists()
        return self._attribute(asked)

    def _attribute(self, asked: Comparison) -> sa.ColumnElement[bool]:
        match asked.key:
            case "request_id":
                return compare(traces.c.id, asked)
            case "timestamp_ms":
                return compare_time(traces.c.started, asked)
            case "end_time_ms":
                return compare_time(_ENDED, asked)
            case "status":
                return compare_choice(traces.c.state, asked, _STATES)
            case "name" | "session":
                return compare(traces.c[asked.key], asked, nullable=True)
            case "run_id":
                return sa.or_(_linked("run", asked), keyed(_named(asked, RUN), facts, facts.c.trace == traces.c.number))
            case "prompt":
                return _linked("prompt", asked)
            case "execution_time_ms":
                return compare(traces.c.milliseconds, asked, nullable=True)
            case "client_request_id":
                return compare(traces.c.client_request_id, asked, nullable=True)
        return compare(traces.c[f"total_{asked.key}"], asked, nullable=True)

    def _some_span(self, all_of: Sequence[Comparison]) -> sa.ColumnElement[bool]:
        conditions = [self._span(asked) for asked in all_of]
        found = sa.select(sa.literal(1)).where(spans.c.trace == traces.c.number, *conditions)
        return found.correlate(traces).exists()

    def _span(self, asked: Comparison) -> sa.ColumnElement[bool]:
        if asked.key in ("text", "content"):
            return compare(sa.type_coerce(spans.c.content, sa.Text), asked)
        if asked.key == "status":
            return compare_choice(spans.c.status, asked, _STATUSES)
        if asked.key in ("name", "type"):
            return compare(spans.c[asked.key], asked)
        key = _unquoted(asked.key.removeprefix("attributes."))
        if key in (TYPE, MODEL):
            return compare(spans.c[{TYPE: "type", MODEL: "model"}[key]], asked)
        if key in (TOKENS, COST):
            column = spans.c[{TOKENS: "tokens", COST: "cost"}[key]]
            return compare(sa.type_coerce(column, sa.Text), asked, nullable=True)
        path = {INPUTS: ["inputs"], OUTPUTS: ["outputs"]}.get(key, ["attributes", key])
        return compare(self._within(path), asked, nullable=True)

    def _within(self, path: list[str]) -> sa.ColumnElement[Any]:
        """A value inside a span's content, as text."""
        content = sa.type_coerce(spans.c.content, sa.Text)
        if self._dialect == "postgresql":
            from sqlalchemy.dialects.postgresql import JSONB

            found: sa.ColumnElement[Any] = sa.cast(content, JSONB)
            for part in path[:-1]:
                found = found[part]
            text: sa.ColumnElement[Any] = found[path[-1]].as_string()
            return text
        where = "$" + "".join(f'."{part}"' for part in path)
        if any('"' in part for part in path):
            return sa.null()
        return sa.cast(sa.func.json_extract(content, where), sa.Text)

    def _judged(self, asked: Comparison) -> sa.ColumnElement[bool]:
        """Traces with such an assessment, and those of a session that has it as a whole."""
        same = [assessments.c.kind == asked.group, assessments.c.name == asked.key, assessments.c.valid.is_(True)]
        if asked.operator not in NULL:
            same.append(_value(asked))
        own = sa.select(sa.literal(1)).where(assessments.c.trace == traces.c.number, *same)
        shared = sa.select(sa.literal(1)).where(
            assessments.c.session == traces.c.session, assessments.c.experiment == traces.c.experiment, *same
        )
        found = sa.or_(own.correlate(traces).exists(), shared.correlate(traces).exists())
        return sa.not_(found) if asked.operator == "IS NULL" else found


def _asks_span(asked: Comparison) -> bool:
    return asked.group == "span" or (asked.group == "attribute" and asked.key == "text")


def _unquoted(key: str) -> str:
    """A key without the backticks that only MLflow's own parser leaves to whoever asks."""
    is_quoted = len(key) > 1 and key[0] == key[-1] and key[0] in '`"'
    return key[1:-1].replace(key[0] * 2, key[0]) if is_quoted else key


def _value(asked: Comparison) -> sa.ColumnElement[bool]:
    """The value of an assessment: a number by what it is, a text by itself or as it stands in JSON."""
    if isinstance(asked.value, int | float):
        number = compare(assessments.c.number, asked, nullable=True)
        return sa.or_(assessments.c.number.is_(None), number) if asked.operator == "!=" else number
    stored = sa.func.coalesce(sa.type_coerce(assessments.c.value, sa.Text), "null")
    if asked.operator not in ("=", "!="):
        return compare(stored, asked)
    text = str(asked.value)
    same = [stored == text, stored == json.dumps(text, ensure_ascii=False)]
    with contextlib.suppress(ValueError):
        same.append(sa.and_(assessments.c.number.is_not(None), assessments.c.number == float(text)))
    return sa.or_(*same) if asked.operator == "=" else sa.not_(sa.or_(*same))


def _metadata(asked: Comparison) -> sa.ColumnElement[bool]:
    if asked.key == SESSION:
        return compare(traces.c.session, asked, nullable=True)
    if asked.key == RUN and asked.operator == "=":
        return sa.or_(_linked("run", asked), keyed(asked, facts, facts.c.trace == traces.c.number))
    if asked.key not in (TRACE_TOKENS, TRACE_COST):
        return keyed(asked, facts, facts.c.trace == traces.c.number)
    column = traces.c.tokens if asked.key == TRACE_TOKENS else traces.c.cost
    if asked.operator in NULL:
        return compare(column, asked)
    if asked.operator not in ("=", "!="):
        raise InvalidInput(
            f"Comparator '{asked.operator}' is not supported for reserved metadata '{asked.key}'.",
            hint="Only '=', '!=', 'IS NULL', and 'IS NOT NULL' are supported.",
        )
    try:
        given = json.loads(str(asked.value))
    except (ValueError, RecursionError):
        given = None
    wanted = counts(given) if asked.key == TRACE_TOKENS else amounts(given)
    found: sa.ColumnElement[bool] = _COMPARED[asked.operator](column, wanted)
    return sa.and_(column.is_not(None), found)


def _linked(kind: str, asked: Comparison) -> sa.ColumnElement[bool]:
    if kind == "prompt" and str(asked.value).count("/") != 1:
        raise InvalidInput(
            f"Invalid prompts filter value '{str(asked.value)[:100]}'.",
            hint='Expected format: prompt = "name/version"',
        )
    found = sa.select(sa.literal(1)).where(
        links.c.kind == kind, links.c.trace == traces.c.id, compare(links.c.target, asked)
    )
    return found.correlate(traces).exists()


def _named(asked: Comparison, key: str) -> Comparison:
    return Comparison(group=asked.group, key=key, operator=asked.operator, value=asked.value, at=asked.at)


def _ordered(order: Order) -> sa.ColumnElement[Any]:
    if order.group == "attribute":
        columns = {
            "request_id": traces.c.id,
            "timestamp_ms": traces.c.started,
            "execution_time_ms": traces.c.milliseconds,
            "end_time_ms": _ENDED,
            "status": sa.case(_STATES, value=traces.c.state, else_=traces.c.state),
            "experiment_id": traces.c.experiment,
            "client_request_id": traces.c.client_request_id,
            "name": traces.c.name,
            "session": traces.c.session,
            "tokens": traces.c.total_tokens,
            "cost": traces.c.total_cost,
            "run_id": _pair(facts, RUN),
        }
        return columns[order.key]
    if order.group == "tag":
        return traces.c.name if order.key == NAME else _pair(tags, order.key)
    if order.key in (TRACE_TOKENS, TRACE_COST):
        raise InvalidInput(f"Ordering by reserved metadata '{order.key}' is not supported.")
    return traces.c.session if order.key == SESSION else _pair(facts, order.key)


def _pair(table: sa.Table, key: str) -> sa.ColumnElement[Any]:
    query = sa.select(table.c.value).where(table.c.trace == traces.c.number, table.c.key == key)
    return query.correlate(traces).scalar_subquery()
