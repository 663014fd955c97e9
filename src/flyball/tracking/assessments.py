"""Judgements of traces: feedback on what came out, and what should have come out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import AlreadyExists, InvalidInput, NotFound
from flyball.refs import new_id
from flyball.serialization import JsonValue
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import _trace_store, limits
from flyball.tracking.spans import check_trace_id, kept, kept_text
from flyball.verbs import change, read

AssessmentKind = Literal["feedback", "expectation", "issue"]
SESSION = "mlflow.trace.session"
_KEPT = ("name", "value", "error", "rationale", "metadata", "updated", "number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """One judgement of a trace, or of one span of it.

    Attributes:
        kind: `feedback` judges what came out, `expectation` says what should have, `issue` names a known fault.
        value: A number, text, truth value, or lists and mappings of them.
        error: Why there is no value: `error_code`, `error_message`, `stack_trace`.
        source_type: Who judged: `HUMAN`, `CODE`, `LLM_JUDGE`.
        source: Name of the one who did.
        span: Id of the span that is judged; empty for the whole trace.
        run: Id of the run in which it was judged.
        overrides: Id of the assessment that this one replaces.
        valid: Not when another one replaces it.
    """

    id: str
    trace: str
    name: str
    kind: AssessmentKind = "feedback"
    value: JsonValue = None
    error: dict[str, str] | None = None
    source_type: str = "CODE"
    source: str = "default"
    created: datetime
    updated: datetime
    rationale: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    span: str = ""
    run: str = ""
    overrides: str = ""
    valid: bool = True


class Assessments:
    """Keeps the judgements of traces."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock

    @change
    def create(
        self,
        trace: str,
        name: str,
        value: JsonValue = None,
        kind: AssessmentKind = "feedback",
        source: str = "default",
        source_type: str = "CODE",
        rationale: str | None = None,
        metadata: dict[str, str] | None = None,
        error: dict[str, str] | None = None,
        span: str = "",
        run: str = "",
        overrides: str = "",
        created: datetime | None = None,
        id: str = "",
    ) -> Assessment:
        """Judges a trace.

        Args:
            overrides: Id of the assessment that it replaces, which stays and is no longer valid.
            created: When it was judged; now by default.
            id: Makes the call safe to repeat.

        Raises:
            NotFound: there is no such trace, or nothing to override.
            InvalidInput: a name or text cannot be used.
            AlreadyExists: another trace has an assessment of that id.
        """
        now = self._clock.now()
        found = checked(
            Assessment(
                id=id or f"a-{new_id()}",
                trace=check_trace_id(trace),
                name=name,
                kind=kind,
                value=value,
                error=error,
                source_type=source_type,
                source=source,
                created=created or now,
                updated=created or now,
                rationale=rationale,
                metadata=metadata or {},
                span=span,
                run=run,
                overrides=overrides,
            )
        )
        with self._database.transaction() as connection:
            at = _trace(connection, trace)
            if overrides and not _set_valid(connection, at.number, overrides, valid=False):
                raise _missing(trace, overrides)
            write(self._database, connection, at.number, at.experiment, [found])
            return _read(connection, trace, _trace_store.assessments.c.id == found.id)[0]

    @change
    def update(
        self,
        trace: str,
        assessment: str,
        name: str | None = None,
        value: JsonValue = None,
        error: dict[str, str] | None = None,
        rationale: str | None = None,
        metadata: dict[str, str] | None = None,
        kind: AssessmentKind | None = None,
        keep_value: bool = True,
    ) -> Assessment:
        """Changes an assessment; what is not given stays, and metadata is added to what there is.

        Args:
            kind: Of which kind it must be, where a value is given.
            keep_value: Without it, `value` and `error` replace what there was, even if they are none.

        Raises:
            NotFound: there is no such assessment.
            InvalidInput: it is of another kind, or a text cannot be used.
        """
        new_value = value is not None or error is not None or not keep_value
        with self._database.transaction() as connection:
            at = _trace(connection, trace)
            former = _one(connection, trace, assessment)
            if new_value and kind is not None and kind != former.kind:
                raise InvalidInput(
                    f"Cannot update {kind} value on {'an Expectation' if former.kind == 'expectation' else 'a Feedback'}"
                    " assessment."
                )
            found = replace(
                former,
                name=former.name if name is None else name,
                rationale=former.rationale if rationale is None else rationale,
                metadata={**former.metadata, **(metadata or {})},
                updated=self._clock.now(),
            )
            found = replace(found, value=value, error=error) if new_value else found
            table = _trace_store.assessments
            row = _row(at.number, at.experiment, checked(found))
            connection.execute(
                sa.update(table)
                .where(table.c.trace == at.number, table.c.id == assessment)
                .values({key: row[key] for key in _KEPT})
            )
            return _one(connection, trace, assessment)

    @change
    def delete(self, trace: str, assessment: str) -> None:
        """Removes an assessment; the one that it overrode is valid again. Removing it again changes nothing.

        Raises:
            NotFound: there is no such trace.
        """
        table = _trace_store.assessments
        with self._database.transaction() as connection:
            at = _trace(connection, trace)
            mine = sa.and_(table.c.trace == at.number, table.c.id == assessment)
            overridden = connection.execute(sa.select(table.c.overrides).where(mine)).scalar()
            if overridden:
                _set_valid(connection, at.number, overridden, valid=True)
            connection.execute(sa.delete(table).where(mine))

    @read
    def get(self, trace: str, assessment: str) -> Assessment:
        """One assessment of a trace.

        Raises:
            NotFound: there is no such trace or assessment.
        """
        with self._database.reading() as connection:
            return _one(connection, trace, assessment)

    @read
    def list(self, trace: str) -> list[Assessment]:
        """All assessments of a trace, by the time of their making.

        Raises:
            NotFound: there is no such trace.
        """
        with self._database.reading() as connection:
            number = _trace(connection, trace).number
            return of_traces(connection, {number: trace})[number]


def checked(given: Assessment) -> Assessment:
    """The assessment as it is kept.

    Raises:
        InvalidInput: a name or text cannot be used.
    """
    long = 100_000
    source_type = {"AI_JUDGE": "LLM_JUDGE"}.get(given.source_type.upper(), given.source_type.upper())
    metadata = {limits.check_key(key, "entry"): kept_text(str(text)) for key, text in given.metadata.items()}
    for what, text in (("id", given.id), ("span", given.span), ("run", given.run), ("overrides", given.overrides)):
        limits.check_text(text, what, 128)
    return replace(
        given,
        name=limits.check_key(given.name, "assessment"),
        value=kept(given.value),
        error=None if given.error is None else {key: kept_text(str(text)) for key, text in given.error.items() if text},
        source_type=limits.check_text(source_type, "kind of source", 50),
        source=limits.check_text(given.source, "source", 250),
        rationale=None if given.rationale is None else limits.check_text(kept_text(given.rationale), "rationale", long),
        metadata=metadata,
    )


def write(
    database: Database, connection: sa.Connection, trace: int, experiment: int, given: Sequence[Assessment]
) -> None:
    """Writes checked assessments of a trace; one of the same id is replaced.

    Raises:
        AlreadyExists: another trace has an assessment of that id.
    """
    table = _trace_store.assessments
    if not given:
        return
    ids = [one.id for one in given]
    taken = connection.execute(sa.select(table.c.id).where(table.c.id.in_(ids), table.c.trace != trace)).scalar()
    if taken:
        raise AlreadyExists(f"Assessment with ID '{taken}' belongs to another trace.", assessment=taken)
    insert = database.insert(table)
    changed = {column.name: insert.excluded[column.name] for column in table.columns if column.name != "id"}
    rows = {one.id: _row(trace, experiment, one) for one in given}
    connection.execute(
        insert.on_conflict_do_update(index_elements=["id"], set_=changed, where=table.c.trace == insert.excluded.trace),
        list(rows.values()),
    )


def of_traces(connection: sa.Connection, ids: dict[int, str]) -> dict[int, list[Assessment]]:
    """The assessments of traces, by the traces' numbers.

    Args:
        ids: The traces' ids by their numbers.
    """
    table = _trace_store.assessments
    found: dict[int, list[Assessment]] = {number: [] for number in ids}
    for piece in _trace_store.pieces(list(ids)):
        query = sa.select(table).where(table.c.trace.in_(piece)).order_by(table.c.created, table.c.id)
        for row in connection.execute(query):
            found[row.trace].append(_noun(ids[row.trace], row))
    return found


def number_of(value: JsonValue) -> float | None:
    """The number that a value can be compared as; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _row(trace: int, experiment: int, given: Assessment) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(given, name) for name in Assessment.__dataclass_fields__}
    return values | {
        "trace": trace,
        "experiment": experiment,
        "number": number_of(given.value),
        "session": given.metadata.get(SESSION),
    }


def _noun(trace: str, row: sa.Row[Any]) -> Assessment:
    values = {name: row._mapping[name] for name in Assessment.__dataclass_fields__}
    return Assessment(**{**values, "trace": trace})


def _read(connection: sa.Connection, trace: str, *wanted: sa.ColumnElement[bool]) -> list[Assessment]:
    return [_noun(trace, row) for row in connection.execute(sa.select(_trace_store.assessments).where(*wanted))]


def _one(connection: sa.Connection, trace: str, assessment: str) -> Assessment:
    table = _trace_store.assessments
    number = _trace(connection, trace).number
    found = _read(connection, trace, table.c.trace == number, table.c.id == assessment)
    if not found:
        raise _missing(trace, assessment)
    return found[0]


def _trace(connection: sa.Connection, trace: str) -> Any:
    table = _trace_store.traces
    row = connection.execute(sa.select(table.c.number, table.c.experiment).where(table.c.id == trace)).first()
    if row is None:
        raise NotFound(f"Trace with ID '{trace[:128]}' not found.", trace=trace[:128])
    return row


def _set_valid(connection: sa.Connection, trace: int, assessment: str, *, valid: bool) -> bool:
    table = _trace_store.assessments
    mine = sa.and_(table.c.trace == trace, table.c.id == assessment)
    return bool(connection.execute(sa.update(table).where(mine).values(valid=valid)).rowcount)


def _missing(trace: str, assessment: str) -> NotFound:
    return NotFound(f"Assessment with ID '{assessment[:128]}' not found for trace '{trace[:128]}'", trace=trace[:128])
