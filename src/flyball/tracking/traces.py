"""Traces: what an application did to answer one request, span by span."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import InvalidInput, NotFound
from flyball.refs import new_id
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import _trace_files, _trace_rows, _trace_store, assessments, limits
from flyball.tracking._store import find_experiment
from flyball.tracking._trace_search import Search
from flyball.tracking._trace_writer import TraceWriter, no_trace
from flyball.tracking.conventions import understood
from flyball.tracking.correlation import Correlation
from flyball.tracking.page_tokens import write_token
from flyball.tracking.spans import MOST_SPANS, Span, check_span, check_trace_id
from flyball.tracking.trace_nouns import Session, Trace, TracePage, TraceState
from flyball.verbs import change, read

MOST_LINKS = 100
MOST_READ = 500


class Traces:
    """Keeps traces and their spans."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock

    @change
    def record_spans(
        self,
        experiment: str,
        spans: list[Span],
        tags: dict[str, str] | None = None,
        run: str = "",
        make: bool = True,
    ) -> list[str]:
        """Keeps spans and gives the ids of their traces; a span that is sent again replaces itself.

        Traces that are not there yet are made; their times, state, tokens and previews come from their spans, until
        their maker tells them by `record`.

        Args:
            experiment: Its id or name.
            tags: Put on every one of the traces.
            run: Id of the run that the traces belong to.
            make: Whether an experiment of a new name is made.

        Raises:
            InvalidInput: a span cannot be kept, or too many are sent at once.
            Conflict: a trace belongs to another experiment, or the experiment lies in the trash.
        """
        limits.check_count(len(spans), "spans", MOST_SPANS)
        by_trace: dict[str, list[Span]] = {}
        for span in spans:
            found = check_span(understood(span))
            by_trace.setdefault(found.trace, []).append(found)
        given = _trace_rows.checked_tags(tags or {})
        with self._writing() as writer:
            number = writer.experiment(experiment, make=make)
            numbers = writer.grow(number, by_trace) if by_trace else {}
            for trace in sorted(by_trace):
                writer.pairs(_trace_store.tags, numbers[trace], given)
            if run and by_trace:
                writer.link_run(list(by_trace), run)
        return list(by_trace)

    @change
    def record(self, trace: Trace) -> Trace:
        """Keeps what the maker of a trace tells of it as a whole; spans and assessments are kept with it.

        What is told here wins over what was read from spans; tags, metadata and assessments are added to those there are.

        Raises:
            InvalidInput: an id, key or text cannot be used.
            NotFound: there is no such experiment.
            Conflict: the trace belongs to another experiment, or the experiment lies in the trash.
        """
        check_trace_id(trace.id)
        limits.check_count(len(trace.spans), "spans", MOST_SPANS)
        spans = [check_span(understood(replace(span, trace=trace.id))) for span in trace.spans]
        judged = [
            assessments.checked(replace(one, trace=trace.id, id=one.id or f"a-{new_id()}")) for one in trace.assessments
        ]
        with self._writing() as writer:
            experiment = writer.experiment(trace.experiment, make=False)
            number = writer.put(experiment, trace.id, {"state": trace.state, **_trace_rows.values_of(trace)})
            writer.pairs(_trace_store.tags, number, _trace_rows.checked_tags(trace.tags))
            writer.pairs(_trace_store.facts, number, _trace_rows.checked_facts(trace.metadata))
            assessments.write(self._database, writer.connection, number, experiment, judged)
            if spans:
                writer.grow(experiment, {trace.id: spans})
            return self._read(writer.connection, _trace_store.traces.c.number == number)[0]

    @change
    def start(
        self,
        experiment: str,
        started: datetime | None = None,
        name: str = "",
        tags: dict[str, str] | None = None,
        metadata: dict[str, str] | None = None,
        id: str = "",
    ) -> Trace:
        """Begins a trace that is under way.

        Args:
            experiment: Its id.
            id: Makes the call safe to repeat.

        Raises:
            NotFound: there is no such experiment.
            Conflict: the experiment lies in the trash.
        """
        found = Trace(
            id=id or f"tr-{new_id()}",
            experiment=experiment,
            name=name,
            state="in_progress",
            started=started or self._clock.now(),
            tags=tags or {},
            metadata=metadata or {},
        )
        return self.record(found)

    @change
    def end(
        self,
        trace: str,
        state: TraceState = "ok",
        ended: datetime | None = None,
        tags: dict[str, str] | None = None,
        metadata: dict[str, str] | None = None,
        name: str | None = None,
        session: str | None = None,
        tokens: dict[str, int] | None = None,
        cost: dict[str, float] | None = None,
    ) -> Trace:
        """Ends a trace that is under way; tags and metadata are added to those there are.

        Raises:
            NotFound: there is no such trace.
        """
        with self._writing() as writer:
            number = writer.one(trace).number
            now = self._read(writer.connection, _trace_store.traces.c.number == number)[0]
            took = (_trace_rows.to_milliseconds(ended or writer.now) - now.started) // timedelta(milliseconds=1)
            found = replace(
                now,
                milliseconds=took,
                state=state,
                name=now.name if name is None else name,
                session=session or now.session,
                tokens=tokens or now.tokens,
                cost=cost or now.cost,
            )
            writer.update(number, {**_trace_rows.values_of(found), "state": state})
            writer.pairs(_trace_store.tags, number, _trace_rows.checked_tags(tags or {}))
            writer.pairs(_trace_store.facts, number, _trace_rows.checked_facts(metadata or {}))
            return self._read(writer.connection, _trace_store.traces.c.number == number)[0]

    @change
    def set_tags(self, trace: str, tags: dict[str, str]) -> None:
        """Puts tags on a trace; the last value of a key stays.

        Raises:
            NotFound: there is no such trace.
            InvalidInput: a key cannot be used.
        """
        given = _trace_rows.checked_tags(tags)
        with self._writing() as writer:
            writer.pairs(_trace_store.tags, writer.one(trace).number, given)

    @change
    def rename(self, trace: str, name: str) -> None:
        """Gives a trace another name; none if it is empty.

        Raises:
            NotFound: there is no such trace.
        """
        with self._writing() as writer:
            number = writer.one(trace).number
            writer.update(number, {"name": limits.check_text(name, "name", _trace_rows.TAG_LENGTH) or None})

    @change
    def delete_tag(self, trace: str, key: str) -> None:
        """Takes a tag off a trace.

        Raises:
            NotFound: there is no such trace or tag.
        """
        table = _trace_store.tags
        with self._writing() as writer:
            mine = sa.and_(table.c.trace == writer.one(trace).number, table.c.key == key)
            if not writer.connection.execute(sa.delete(table).where(mine)).rowcount:
                raise NotFound(f"No trace tag with key '{key[:250]}' for trace with ID '{trace[:128]}'", trace=trace)

    @change
    def link_to_run(self, traces: list[str], run: str) -> None:
        """Ties traces to a run, so that they are found with it.

        Raises:
            NotFound: there is no such run.
            InvalidInput: there are too many at once.
        """
        if len(traces) > MOST_LINKS:
            raise InvalidInput(
                f"Cannot link more than {MOST_LINKS} traces to a run in a single request. "
                f"Provided {len(traces)} traces."
            )
        with self._writing() as writer:
            writer.link_run([check_trace_id(trace) for trace in traces], run)

    @change
    def link_prompts(self, trace: str, prompts: list[str]) -> None:
        """Ties a trace to versions of prompts, so that it is found with them.

        Args:
            prompts: Each as `name/version`.

        Raises:
            NotFound: there is no such trace.
        """
        limits.check_count(len(prompts), "prompts", MOST_LINKS)
        for prompt in prompts:
            if prompt.count("/") != 1 or len(prompt) > 300:
                raise InvalidInput(f"{prompt[:60]!r} is no version of a prompt.", hint="Write it as name/version.")
        pairs = [(trace, limits.check_text(prompt, "prompt", 300)) for prompt in prompts]
        with self._writing() as writer:
            writer.one(trace)
            _trace_store.write_links(self._database, writer.connection, "prompt", pairs)

    @change
    def delete(
        self,
        experiment: str = "",
        traces: list[str] | None = None,
        before: datetime | None = None,
        most: int | None = None,
    ) -> int:
        """Removes traces with all that hangs on them, for good; gives how many.

        Args:
            experiment: Only those of this experiment, by id or name.
            traces: Only these.
            before: Only those that started then or earlier.
            most: At most so many, the oldest first.

        Raises:
            InvalidInput: nothing says which ones.
        """
        table = _trace_store.traces
        if not traces and before is None:
            raise InvalidInput("Nothing says which traces to delete.", hint="Give their ids or a time.")
        with self._database.transaction() as connection:
            wanted = [table.c.started <= before] if before is not None else []
            if experiment:
                wanted.append(table.c.experiment == find_experiment(connection, experiment).number)
            rows = _trace_store.pick_traces(connection, wanted, traces or [], most)
            _trace_store.delete_traces(connection, rows)
            if rows:
                self._tell(connection, "traces_deleted", experiment, count=len(rows))
        return len(rows)

    @read
    def get(self, trace: str) -> Trace:
        """One trace with all its spans and assessments; spans that a client kept in a file are read from there.

        Raises:
            NotFound: there is no such trace.
        """
        found = self.get_many([trace], spans=True)
        if not found:
            raise no_trace(trace)
        if found[0].spans:
            return found[0]
        with self._database.reading() as connection:
            data = _trace_files.find_data(connection, int(found[0].experiment), trace)
        spans = _trace_files.read_data(self._blobs, data, trace) if data else []
        return replace(found[0], spans=spans, span_count=len(spans))

    @read
    def get_many(self, traces: list[str], spans: bool = False, experiments: list[str] | None = None) -> list[Trace]:
        """Traces in the order of the ids; ids that there are none of are left out.

        Args:
            traces: At most 500 ids.
            spans: Whether their spans are read as well.
            experiments: Only those of these experiments, by id or name; all by default.

        Raises:
            InvalidInput: there are too many at once.
        """
        limits.check_count(len(traces), "traces", MOST_READ)
        table = _trace_store.traces
        wanted = list(dict.fromkeys(traces))
        if not wanted:
            return []
        with self._database.reading() as connection:
            conditions = [table.c.id.in_(wanted)]
            if experiments is not None:
                conditions.append(table.c.experiment.in_(_trace_store.experiment_numbers(connection, experiments)))
            found = {trace.id: trace for trace in self._read(connection, *conditions, spans=spans)}
        return [found[trace] for trace in wanted if trace in found]

    @read
    def search(
        self,
        filter: str = "",
        experiments: list[str] | None = None,
        order_by: list[str] | None = None,
        limit: int = 100,
        page_token: str = "",
        native: bool = True,
    ) -> TracePage:
        """Traces without their spans, newest first, as asked for in the language of filters.

        Args:
            filter: Such as `status = 'ERROR' AND span.type = 'LLM' AND feedback.quality < 3`.
            experiments: Only those of these experiments, by id or name; all by default.
            order_by: Such as `execution_time DESC`.
            limit: At most this many, up to 500.
            page_token: That of the page before; for the same question only.
            native: Without it, only MLflow's own language is taken.

        Raises:
            InvalidInput: the filter, an order or the token cannot be understood.
        """
        table, search = _trace_store.traces, Search(self._database.dialect.name)
        limit = max(1, min(limit, MOST_READ))
        after = _trace_rows.read_place(page_token)
        order = search.order(order_by or [])
        conditions = [search.where(filter, native=native)]
        if after.started is not None:
            earlier = sa.and_(table.c.started == after.started, table.c.id > after.id)
            conditions.append(sa.or_(table.c.started < after.started, earlier))
        with self._database.reading() as connection:
            if experiments is not None:
                conditions.append(table.c.experiment.in_(_trace_store.experiment_numbers(connection, experiments)))
            query = sa.select(table.c.number, table.c.id, table.c.started).where(*conditions)
            query = query.order_by(*_trace_rows.clauses(order)).offset(after.offset).limit(limit + 1)
            rows = connection.execute(query).all()
            numbers = [row.number for row in rows[:limit]]
            found = {trace.id: trace for trace in self._read(connection, table.c.number.in_(numbers))}
        token = ""
        if len(rows) > limit:
            last = rows[limit - 1]
            next_page = (
                _trace_rows.Token(offset=after.offset + limit)
                if order_by
                else _trace_rows.Token(started=last.started, id=last.id)
            )
            token = write_token(next_page)
        return TracePage(traces=[found[row.id] for row in rows[:limit]], next_page_token=token)

    @read
    def sessions(self, experiment: str, limit: int = 100, before: datetime | None = None) -> list[Session]:
        """The sessions of an experiment, those with the latest trace first.

        Args:
            experiment: Its id or name.
            before: Only those whose last trace is older.
        """
        with self._database.reading() as connection:
            number = find_experiment(connection, experiment).number
            rows = _trace_store.read_sessions(connection, number, before, max(1, min(limit, 1000)))
        return [
            Session(
                id=row.session,
                traces=row.traces,
                first=row.first,
                last=row.last,
                total_tokens=int(row.total_tokens),
                total_cost=float(row.total_cost),
            )
            for row in rows
        ]

    @read
    def count(self, filter: str = "", experiments: list[str] | None = None) -> int:
        """How many traces there are of those asked for.

        Raises:
            InvalidInput: the filter cannot be understood.
        """
        table = _trace_store.traces
        conditions = [Search(self._database.dialect.name).where(filter)]
        with self._database.reading() as connection:
            if experiments is not None:
                conditions.append(table.c.experiment.in_(_trace_store.experiment_numbers(connection, experiments)))
            query = sa.select(sa.func.count()).select_from(table).where(*conditions)
            return int(connection.execute(query).scalar_one())

    def _read(self, connection: sa.Connection, *wanted: sa.ColumnElement[bool], spans: bool = False) -> list[Trace]:
        rows = connection.execute(_trace_store.select_traces().where(*wanted)).all()
        ids = {row.number: row.id for row in rows}
        tags = _trace_store.read_pairs(connection, _trace_store.tags, list(ids))
        facts = _trace_store.read_pairs(connection, _trace_store.facts, list(ids))
        judged = assessments.of_traces(connection, ids)
        held = _trace_store.read_spans(connection, ids) if spans else {}
        counted = _trace_store.count_spans(connection, list(ids))
        return [
            _noun(
                row,
                tags=tags[row.number],
                metadata=facts[row.number],
                assessments=judged[row.number],
                span_count=counted[row.number],
                spans=held.get(row.number, []),
            )
            for row in rows
        ]

    @read
    def correlate(
        self,
        first: str,
        second: str,
        filter: str = "",
        experiments: list[str] | None = None,
        native: bool = True,
    ) -> Correlation:
        """How much more often two filters hold of the same trace than they would by chance.

        Args:
            first: Such as `status = 'ERROR'`.
            second: Such as `span.name = 'search'`.
            filter: Only among these traces.
            native: Without it, only MLflow's own language is taken.

        Raises:
            InvalidInput: a filter cannot be understood.
        """
        search = Search(self._database.dialect.name)
        one, two, among = (search.where(text, native=native) for text in (first, second, filter))
        with self._database.reading() as connection:
            conditions = [among]
            if experiments is not None:
                numbers = _trace_store.experiment_numbers(connection, experiments)
                conditions.append(_trace_store.traces.c.experiment.in_(numbers))
            return Correlation.of(*_trace_store.count_both(connection, one, two, conditions))

    @contextmanager
    def _writing(self) -> Iterator[TraceWriter]:
        with self._database.transaction() as connection:
            yield TraceWriter(self._database, connection, self._clock.now())

    def _tell(self, connection: sa.Connection, what: str, experiment: str, **facts: Any) -> None:
        self._events.append(connection, f"tracking.{what}", f"experiments:/{experiment}", **facts)


def _noun(row: sa.Row[Any], **more: Any) -> Trace:
    return Trace(
        id=row.id,
        experiment=str(row.experiment),
        name=row.name or "",
        state=row.state,
        started=row.started,
        milliseconds=row.milliseconds,
        client_request_id=row.client_request_id,
        request_preview=row.request_preview,
        response_preview=row.response_preview,
        session=row.session,
        tokens=row.tokens or {},
        cost=row.cost or {},
        expected_spans=row.expected_spans,
        told=bool(row.told),
        location=row.location or "",
        **more,
    )
