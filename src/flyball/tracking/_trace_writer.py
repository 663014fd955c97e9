"""Writing of traces: their rows, and what their spans make of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.storage.database import Database
from flyball.tracking import _store, _trace_rows, _trace_store, limits
from flyball.tracking.conventions import total
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
        row, made = self._ensured(experiment, trace, values)
        if not made:
            kept = {name: value for name, value in values.items() if value is not None or name in _trace_rows.PLAIN}
            self.update(row.number, kept)
        return int(row.number)

    def grow(self, experiment: int, trace: str, spans: Sequence[Span]) -> int:
        """Writes spans of a trace and what they say of the whole; gives the trace's number."""
        started = min(span.started_ns for span in spans) // 1_000_000
        ended = max((span.ended_ns for span in spans if span.ended_ns), default=0) // 1_000_000 or None
        first = {"state": "in_progress", "started": _trace_rows.moment(started), "told": 0}
        row, _ = self._ensured(experiment, trace, first)
        _trace_store.write_spans(self.database, self.connection, row.number, spans)
        values: dict[str, Any] = {} if row.told else _trace_rows.times(row, started, ended)
        for what in ("tokens", "cost"):
            if any(getattr(span, what) for span in spans) and not (row.told and getattr(row, what)):
                sums = total(_trace_store.shares(self.connection, row.number, what))
                values |= {what: _trace_rows.typed(what, sums), f"total_{what}": sums.get(f"total_{what}")}
        root = next((span for span in spans if not span.parent), None)
        values |= _trace_rows.root_values(row, root) if root is not None else {}
        session = next((found for span in spans if (found := _trace_rows.session_of(span))), None)
        if session and row.session is None:
            values["session"] = session
        if values:
            self.update(row.number, values)
        user = next((str(span.attributes["user.id"]) for span in spans if span.attributes.get("user.id")), "")
        if user:
            fact = {"trace": row.number, "key": "mlflow.trace.user", "value": user[: _trace_rows.TAG_LENGTH]}
            self.connection.execute(self.database.insert(_trace_store.facts).values(fact).on_conflict_do_nothing())
        return int(row.number)

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
        row = self._locked(trace)
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

    def _ensured(self, experiment: int, trace: str, values: dict[str, Any]) -> tuple[sa.Row[Any], bool]:
        """The locked row of a trace, and whether it was made just now."""
        row = self._locked(trace)
        made = False
        if row is None:
            table = _trace_store.traces
            insert = self.database.insert(table).values(id=trace, experiment=experiment, **values)
            insert = insert.on_conflict_do_nothing().returning(table.c.number)
            # Not made where another transaction was faster.
            made = self.connection.execute(insert).first() is not None
            row = self.one(trace)
        if row.experiment != experiment:
            raise InvalidInput(f"Trace with ID '{trace}' already exists in another experiment.", trace=trace)
        return row, made

    def _locked(self, trace: str) -> sa.Row[Any] | None:
        table = _trace_store.traces
        return self.connection.execute(sa.select(table).where(table.c.id == trace).with_for_update()).first()


def no_trace(trace: str) -> NotFound:
    """The error that says there is no such trace."""
    return NotFound(f"Trace with ID '{trace[:128]}' not found.", trace=trace[:128])
