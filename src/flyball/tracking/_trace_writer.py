"""Writing of traces: their rows, and what their spans make of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.storage.database import Database
from flyball.tracking import _store, _trace_rows, _trace_store, limits
from flyball.tracking.conventions import Share
from flyball.tracking.spans import Span


class TraceWriter:
    """Writes traces within one transaction.

    Args:
        now: By the workspace's clock.
    """

    def __init__(self, database: Database, connection: sa.Connection, now: datetime) -> None:
        self.database = database
        self.connection = connection
        self.now = now

    def put(self, experiment: int, trace: str, values: dict[str, Any]) -> int:
        """Writes what is told of a trace, which is made if there is none; gives its number."""
        row = self._known(experiment, [trace]).get(trace)
        if row is None:
            made = self._made(experiment, {trace: values})
            if trace in made:
                return made[trace]
            row = self._known(experiment, [trace])[trace]
        self.update(row.number, {name: value for name, value in values.items() if value is not None or name in _PLAIN})
        return int(row.number)

    def grow(self, experiment: int, by_trace: dict[str, list[Span]]) -> dict[str, int]:
        """Writes spans of traces and what they say of the whole; gives the traces' numbers."""
        known = self._known(experiment, list(by_trace))
        new = {trace: _first_values(spans) for trace, spans in by_trace.items() if trace not in known}
        numbers = self._made(experiment, new)
        # Not made where another transaction was faster.
        late = [trace for trace in new if trace not in numbers]
        known |= self._known(experiment, late) if late else {}
        numbers |= {trace: row.number for trace, row in known.items()}
        pairs = [(numbers[trace], span) for trace, spans in by_trace.items() for span in spans]
        _trace_store.write_spans(self.database, self.connection, pairs)
        for trace in sorted(by_trace):
            if trace in known:
                self._widen(known[trace], by_trace[trace])
            self._note_user(numbers[trace], by_trace[trace])
        return numbers

    def pairs(self, table: sa.Table, number: int, given: dict[str, str]) -> None:
        """Writes checked tags or metadata of a trace."""
        _trace_store.write_pairs(self.database, self.connection, table, number, given)

    def update(self, number: int, values: dict[str, Any]) -> None:
        """Changes columns of a trace."""
        table = _trace_store.traces
        self.connection.execute(sa.update(table).where(table.c.number == number).values(**values))

    def one(self, trace: str) -> sa.Row[Any]:
        """The row of a trace, locked until the end of the transaction.

        Raises:
            NotFound: there is none.
        """
        row = _trace_store.lock_traces(self.connection, [trace]).get(trace)
        if row is None:
            raise no_trace(trace)
        return row

    def link_run(self, traces: Sequence[str], run: str) -> None:
        """Ties traces to a run.

        Raises:
            NotFound: there is no such run.
        """
        if self.connection.execute(sa.select(_store.runs.c.id).where(_store.runs.c.id == run)).first() is None:
            raise NotFound(f"There is no run '{run[:128]}'.", run=run[:128])
        _trace_store.write_links(self.database, self.connection, "run", [(trace, run) for trace in traces])

    def experiment(self, experiment: str, *, make: bool) -> int:
        """The number of an experiment that takes traces.

        Args:
            make: Whether one of a new name is made.

        Raises:
            NotFound: there is none.
            Conflict: it lies in the trash.
        """
        try:
            found = _store.find_experiment(self.connection, experiment)
        except NotFound:
            if not make and experiment != "0":
                raise
            name = _store.DEFAULT if experiment == "0" else limits.check_key(experiment, "experiment")
            return _store.experiment_number(self.database, self.connection, name, self.now)
        if found.deleted is not None:
            raise Conflict(
                f"The experiment {found.number} must be in the 'active' state. Current state is deleted.",
                hint="Restore it first.",
            )
        return int(found.number)

    def _known(self, experiment: int, traces: Sequence[str]) -> dict[str, sa.Row[Any]]:
        """The locked rows of those traces that are there."""
        found = _trace_store.lock_traces(self.connection, traces)
        for trace, row in found.items():
            if row.experiment != experiment:
                raise InvalidInput(f"Trace with ID '{trace}' already exists in another experiment.", trace=trace)
        return found

    def _made(self, experiment: int, new: dict[str, dict[str, Any]]) -> dict[str, int]:
        rows = [{**_BLANK, **values, "id": trace, "experiment": experiment} for trace, values in new.items()]
        return _trace_store.insert_traces(self.database, self.connection, rows)

    def _widen(self, row: sa.Row[Any], spans: Sequence[Span]) -> None:
        """Changes a trace by what further spans say of it."""
        values = _trace_rows.said_by(row, spans)
        for what in ("tokens", "cost"):
            if any(getattr(span, what) for span in spans) and not (row.told and getattr(row, what)):
                values |= _trace_rows.summed(what, _trace_store.shares(self.connection, row.number, what))
        if values:
            self.update(row.number, values)

    def _note_user(self, number: int, spans: Sequence[Span]) -> None:
        user = next((str(span.attributes["user.id"]) for span in spans if span.attributes.get("user.id")), "")
        if user:
            fact = {"trace": number, "key": "mlflow.trace.user", "value": user[: _trace_rows.TAG_LENGTH]}
            self.connection.execute(self.database.insert(_trace_store.facts).values(fact).on_conflict_do_nothing())


def _first_values(spans: Sequence[Span]) -> dict[str, Any]:
    """The columns of a trace of which nothing but these spans is known."""
    started = _trace_rows.moment(min(span.started_ns for span in spans) // 1_000_000)
    blank = {**_BLANK, "state": "in_progress", "started": started}
    values = blank | _trace_rows.said_by(SimpleNamespace(**blank), spans)
    for what in ("tokens", "cost"):
        shares = [Share(id=span.id, parent=span.parent, numbers=getattr(span, what)) for span in spans]
        values |= _trace_rows.summed(what, shares)
    return values


# What a later word replaces even by nothing.
_PLAIN = ("milliseconds", "client_request_id", "told")
_BLANK: dict[str, Any] = {
    column.name: None for column in _trace_store.traces.columns if column.nullable and not column.primary_key
} | {"told": 0}


def no_trace(trace: str) -> NotFound:
    """The error that says there is no such trace."""
    return NotFound(f"Trace with ID '{trace[:128]}' not found.", trace=trace[:128])
