"""The tables of traces, spans, assessments and the things that are tied to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from flyball.errors import NotFound
from flyball.storage.database import Database
from flyball.storage.tables import Document, Instant, RowNumber, metadata
from flyball.tracking._store import experiments, files, find_experiment, texts_of
from flyball.tracking.conventions import Share
from flyball.tracking.spans import Span, SpanEvent, SpanLink

T = TypeVar("T")

traces = sa.Table(
    "traces",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(128), nullable=False, unique=True),
    sa.Column("experiment", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("started", Instant, nullable=False),
    sa.Column("milliseconds", sa.BigInteger),
    sa.Column("client_request_id", sa.Text),
    sa.Column("request_preview", sa.Text),
    sa.Column("response_preview", sa.Text),
    sa.Column("session", sa.String(250)),
    sa.Column("tokens", Document(dict[str, int])),
    sa.Column("cost", Document(dict[str, float])),
    sa.Column("total_tokens", sa.BigInteger),
    sa.Column("total_cost", sa.Float(53)),
    # Whether its maker has told the whole of it; what spans say later changes no field of it then.
    sa.Column("told", sa.SmallInteger, nullable=False),
    # How many spans its maker has told of; None where nobody said it.
    sa.Column("expected_spans", sa.BigInteger),
    sa.Index("ix_traces_experiment", "experiment", "started", "id"),
    sa.Index("ix_traces_session", "session"),
)

spans = sa.Table(
    "trace_spans",
    metadata,
    sa.Column("trace", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("parent", sa.String(16), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("type", sa.String(200), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("started_ns", sa.BigInteger, nullable=False),
    sa.Column("ended_ns", sa.BigInteger),
    sa.Column("model", sa.String(500), nullable=False),
    sa.Column("tokens", Document(dict[str, int])),
    sa.Column("cost", Document(dict[str, float])),
    # Inputs, outputs, attributes, events, links: one JSON text, so that all of a span's text is searched at once.
    sa.Column("content", Document(dict[str, Any]), nullable=False),
)

tags = texts_of("trace", "trace_tags", sqlite_with_rowid=False)

# What its maker told of it and nobody changes.
facts = texts_of("trace", "trace_metadata", sqlite_with_rowid=False)

# Runs and versions of prompts that a trace belongs to; the trace by its text id, since it may come after its link.
links = sa.Table(
    "trace_links",
    metadata,
    sa.Column("kind", sa.String(10), primary_key=True),
    sa.Column("target", sa.String(300), primary_key=True),
    sa.Column("trace", sa.String(128), primary_key=True),
    sa.Index("ix_trace_links_trace", "trace", "kind"),
    sqlite_with_rowid=False,
)

assessments = sa.Table(
    "assessments",
    metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("trace", sa.BigInteger, nullable=False),
    sa.Column("experiment", sa.BigInteger, nullable=False),
    sa.Column("name", sa.String(250), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("value", Document(Any)),
    sa.Column("number", sa.Float(53)),
    sa.Column("error", Document(dict[str, str])),
    sa.Column("source_type", sa.String(50), nullable=False),
    sa.Column("source", sa.String(250), nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.Column("updated", Instant, nullable=False),
    sa.Column("rationale", sa.Text),
    sa.Column("metadata", Document(dict[str, str]), nullable=False),
    # The session that it judges as a whole; NULL where it judges its trace alone.
    sa.Column("session", sa.String(250)),
    sa.Column("span", sa.String(128), nullable=False),
    sa.Column("run", sa.String(128), nullable=False),
    sa.Column("overrides", sa.String(128), nullable=False),
    sa.Column("valid", sa.Boolean, nullable=False),
    sa.Index("ix_assessments_trace", "trace"),
    sa.Index("ix_assessments_session", "session"),
)

_DATA = ("inputs", "outputs")
_PIECE = 500  # ids in one IN; SQLite takes few variables at once


def write_pairs(
    database: Database, connection: sa.Connection, table: sa.Table, trace: int, given: dict[str, str]
) -> None:
    """Writes tags or metadata of a trace; the last value of a key stays."""
    if given:
        rows = [{"trace": trace, "key": key, "value": text} for key, text in sorted(given.items())]
        connection.execute(_upsert(database, table, ("trace", "key")), rows)


def write_spans(database: Database, connection: sa.Connection, given: Sequence[tuple[int, Span]]) -> None:
    """Writes spans of traces, by the traces' numbers; one of the same id is replaced."""
    rows = {(trace, span.id): _row_of(trace, span) for trace, span in given}
    connection.execute(_upsert(database, spans, ("trace", "id")), list(rows.values()))


def write_links(database: Database, connection: sa.Connection, kind: str, pairs: Sequence[tuple[str, str]]) -> None:
    """Ties traces to runs or versions of prompts; each pair once."""
    rows = [{"kind": kind, "trace": trace, "target": target} for trace, target in sorted(set(pairs))]
    if rows:
        connection.execute(database.insert(links).on_conflict_do_nothing(), rows)


def read_pairs(connection: sa.Connection, table: sa.Table, numbers: Sequence[int]) -> dict[int, dict[str, str]]:
    """Tags or metadata of traces, by their numbers."""
    found: dict[int, dict[str, str]] = {number: {} for number in numbers}
    for piece in pieces(numbers):
        query = sa.select(table).where(table.c.trace.in_(piece)).order_by(table.c.key)
        for row in connection.execute(query):
            found[row.trace][row.key] = row.value
    return found


def read_spans(connection: sa.Connection, ids: dict[int, str]) -> dict[int, list[Span]]:
    """Spans of traces, roots first and then by their start.

    Args:
        ids: The traces' ids by their numbers.
    """
    found: dict[int, list[Span]] = {number: [] for number in ids}
    for piece in pieces(list(ids)):
        query = sa.select(spans).where(spans.c.trace.in_(piece))
        for row in connection.execute(query.order_by(spans.c.parent != "", spans.c.started_ns, spans.c.id)):
            found[row.trace].append(_span_of(ids[row.trace], row))
    return found


def count_spans(connection: sa.Connection, numbers: Sequence[int]) -> dict[int, int]:
    """How many spans each trace has."""
    found = dict.fromkeys(numbers, 0)
    for piece in pieces(numbers):
        query = sa.select(spans.c.trace, sa.func.count()).where(spans.c.trace.in_(piece)).group_by(spans.c.trace)
        found |= dict(connection.execute(query).all())
    return found


def select_traces() -> sa.Select[Any]:
    """Traces, and where clients bring the files of their experiments."""
    joined = traces.outerjoin(experiments, experiments.c.number == traces.c.experiment)
    return sa.select(traces, experiments.c.location).select_from(joined)


def lock_traces(connection: sa.Connection, ids: Sequence[str]) -> dict[str, sa.Row[Any]]:
    """The rows of traces by their ids, locked until the end of the transaction."""
    found: dict[str, sa.Row[Any]] = {}
    # Sorted, so that two writers take the same rows in the same order and never wait for each other in a circle.
    for piece in pieces(sorted(ids)):
        query = sa.select(traces).where(traces.c.id.in_(piece)).order_by(traces.c.id).with_for_update()
        found |= {row.id: row for row in connection.execute(query)}
    return found


def insert_traces(database: Database, connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Makes traces and gives their numbers by their ids; those that are there already are left alone and left out."""
    insert = database.insert(traces).on_conflict_do_nothing().returning(traces.c.id, traces.c.number)
    return dict(connection.execute(insert, sorted(rows, key=lambda row: str(row["id"]))).all()) if rows else {}


def shares(connection: sa.Connection, trace: int, what: str) -> list[Share]:
    """What each span of a trace adds to the sum of its tokens or cost."""
    query = sa.select(spans.c.id, spans.c.parent, spans.c[what].label("numbers")).where(spans.c.trace == trace)
    return [Share(id=row.id, parent=row.parent, numbers=row.numbers or {}) for row in connection.execute(query)]


def experiment_numbers(connection: sa.Connection, given: Iterable[str]) -> list[int]:
    """The row numbers of experiments by their ids or names; those that there are not are left out."""
    found = []
    for experiment in dict.fromkeys(given):
        try:
            found.append(int(find_experiment(connection, experiment).number))
        except NotFound:
            continue
    return found


def pick_traces(
    connection: sa.Connection, wanted: Sequence[sa.ColumnElement[bool]], ids: Sequence[str], most: int | None
) -> list[sa.Row[Any]]:
    """Numbers, ids and experiments of traces, the oldest first, locked until the end of the transaction.

    Args:
        ids: Only these; all by default.
        most: At most so many.
    """
    found: list[Any] = []
    for piece in pieces(list(dict.fromkeys(ids))) or [[]]:
        query = sa.select(traces.c.number, traces.c.id, traces.c.experiment).where(*wanted)
        query = query.where(traces.c.id.in_(piece)) if piece else query
        query = query.order_by(traces.c.started, traces.c.id).with_for_update()
        found += connection.execute(query if most is None else query.limit(max(0, most - len(found)))).all()
    return found


def count_both(
    connection: sa.Connection,
    one: sa.ColumnElement[bool],
    two: sa.ColumnElement[bool],
    wanted: Sequence[sa.ColumnElement[bool]],
) -> tuple[int, int, int, int]:
    """How many traces fulfil the one condition, the other, both, and how many there are."""
    counted = [sa.func.coalesce(sa.func.sum(sa.case((met, 1), else_=0)), 0) for met in (one, two, sa.and_(one, two))]
    row = connection.execute(sa.select(*counted, sa.func.count()).select_from(traces).where(*wanted)).one()
    return int(row[0]), int(row[1]), int(row[2]), int(row[3])


def read_sessions(
    connection: sa.Connection, experiment: int, before: datetime | None, limit: int
) -> Sequence[sa.Row[Any]]:
    """The sessions of an experiment, those with the latest trace first."""
    kind = traces.c.started.type
    last = sa.func.max(traces.c.started, type_=kind)
    query = sa.select(
        traces.c.session,
        sa.func.count().label("traces"),
        sa.func.min(traces.c.started, type_=kind).label("first"),
        last.label("last"),
        sa.func.coalesce(sa.func.sum(traces.c.total_tokens), 0).label("total_tokens"),
        sa.func.coalesce(sa.func.sum(traces.c.total_cost), 0.0).label("total_cost"),
    ).where(traces.c.experiment == experiment, traces.c.session.is_not(None))
    query = query.group_by(traces.c.session)
    query = query if before is None else query.having(last < before)
    found: Any = connection.execute(query.order_by(last.desc(), traces.c.session).limit(limit)).all()
    return list(found)


def delete_traces(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> None:
    """Removes traces and all that hangs on them, their files as well.

    Args:
        rows: Their numbers, ids and experiments.
    """
    for piece in pieces(rows):
        numbers = [row.number for row in piece]
        for table in (spans, tags, facts, assessments):
            connection.execute(sa.delete(table).where(table.c.trace.in_(numbers)))
        connection.execute(sa.delete(links).where(links.c.trace.in_([row.id for row in piece])))
        folders = [folder_of(row.experiment, row.id) for row in piece]
        connection.execute(sa.delete(files).where(files.c.folder.in_(folders)))
        connection.execute(sa.delete(traces).where(traces.c.number.in_(numbers)))


def folder_of(experiment: int, trace: str) -> str:
    """The folder of the files that belong to a trace."""
    return f"{experiment}/traces/{trace}"


def pieces(values: Sequence[T]) -> list[Sequence[T]]:
    """The values in parts that one statement can take."""
    return [values[start : start + _PIECE] for start in range(0, len(values), _PIECE)]


def _upsert(database: Database, table: sa.Table, keys: tuple[str, ...]) -> Any:
    """An INSERT that replaces; kept, because making it costs more than running it."""
    found = _upserts.get((database.dialect.name, table.name))
    if found is None:
        insert = database.insert(table)
        changed = {name: insert.excluded[name] for name in table.c.keys() if name not in keys}  # noqa: SIM118  # columns are iterated as themselves
        found = insert.on_conflict_do_update(index_elements=keys, set_=changed)
        _upserts[database.dialect.name, table.name] = found
    return found


_upserts: dict[tuple[str, str], Any] = {}


def _row_of(trace: int, span: Span) -> dict[str, Any]:
    content = {
        "kind": "" if span.kind == "internal" else span.kind,
        "message": span.message,
        "inputs": span.inputs,
        "outputs": span.outputs,
        "attributes": span.attributes,
        "events": span.events,
        "links": span.links,
    }
    return {
        "trace": trace,
        "id": span.id,
        "parent": span.parent,
        "name": span.name,
        "type": span.type,
        "status": span.status,
        "started_ns": span.started_ns,
        "ended_ns": span.ended_ns,
        "model": span.model,
        "tokens": span.tokens or None,
        "cost": span.cost or None,
        "content": {key: value for key, value in content.items() if value or (key in _DATA and value is not None)},
    }


def _span_of(trace: str, row: sa.Row[Any]) -> Span:
    content = row.content
    return Span(
        trace=trace,
        id=row.id,
        parent=row.parent,
        name=row.name,
        type=row.type,
        status=row.status,
        started_ns=row.started_ns,
        ended_ns=row.ended_ns,
        model=row.model,
        tokens=row.tokens or {},
        cost=row.cost or {},
        message=content.get("message", ""),
        kind=content.get("kind", "internal"),
        inputs=content.get("inputs"),
        outputs=content.get("outputs"),
        attributes=content.get("attributes", {}),
        events=[SpanEvent(**event) for event in content.get("events", ())],
        links=[SpanLink(**link) for link in content.get("links", ())],
    )
