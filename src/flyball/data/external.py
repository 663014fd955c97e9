"""Data and jobs of other tools, as far as those tell of them: what they read, what they wrote, how it went.

They stand in the catalog and in lineage beside our own. Nothing of them can be opened here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal
from urllib.parse import quote

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.data import _external_store as _store
from flyball.data.catalog_entry import ColumnSource, EntryText
from flyball.errors import InvalidInput, NotFound
from flyball.lineage import Lineage
from flyball.refs import Ref
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.verbs import change, read

JobState = Literal["start", "running", "complete", "abort", "fail", "other"]
_ENDED = ("complete", "abort", "fail")
_LONGEST = 130  # of one of two parts: a reference has room for 300
_MOST_ENDS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDataset:
    """What an event says of a data set.

    Attributes:
        entry: What it tells of it; empty parts are not told.
        writes: Whether the job wrote it; otherwise it read it.
    """

    entry: EntryText
    writes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEvent:
    """One event of another tool.

    Attributes:
        at: When it happened, by the other tool's clock.
        producer: Which tool says so.
        job: What did it; None for an event about data alone.
        run: Id of the run; empty for an event about a job or data alone.
        parent: Reference of the job that this one is part of; empty for none.
    """

    at: datetime
    producer: str
    job: EntryText | None = None
    run: str = ""
    state: JobState = "other"
    error: str = ""
    parent: str = ""
    datasets: tuple[SeenDataset, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalRun:
    """A run of another tool's job.

    Attributes:
        id: As the other tool calls it.
        job: Text of the job's `Ref`.
        ended: None while it runs, as far as is known.
    """

    id: str
    job: str
    state: JobState
    started: datetime
    ended: datetime | None = None
    error: str = ""
    producer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What an event was taken for: references of the job, and of the data sets it read and wrote."""

    job: str
    run: str
    inputs: tuple[str, ...] = field(default=())
    outputs: tuple[str, ...] = field(default=())


class External:
    """Keeps what other tools tell of their data and jobs."""

    kind = "external"
    rooms = ("data.",)

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._clock = clock
        self._lineage = Lineage(database, events, clock)

    @change
    def record(self, event: SeenEvent) -> Recorded:
        """Keeps what an event of another tool says. The same event twice, or in another order, comes to the same end.

        Raises:
            InvalidInput: it names more data sets than one job can have.
        """
        if len(event.datasets) > _MOST_ENDS:
            raise InvalidInput(f"The event names {len(event.datasets):,} data sets.", hint=f"Up to {_MOST_ENDS:,} are.")
        job = event.job.ref if event.job else ""
        inputs = tuple(seen.entry.ref for seen in event.datasets if not seen.writes)
        outputs = tuple(seen.entry.ref for seen in event.datasets if seen.writes)
        with self._database.transaction() as connection:
            _store.lock(connection)
            # What is ours is described by our own rooms.
            told = [seen.entry for seen in event.datasets if _is_foreign(seen.entry.ref)]
            self._keep(connection, [*told, *([event.job] if event.job else [])], event.at)
            if job and event.run:
                self._keep_run(connection, job, event)
            if job:
                parts = [(event.parent, job, "started")] if event.parent and event.parent != job else []
                reads = [(ref, job, "read_by") for ref in inputs]
                self._lineage.add_many(connection, [*parts, *reads, *((job, ref, "wrote") for ref in outputs)])
        return Recorded(job=job, run=event.run, inputs=inputs, outputs=outputs)

    @read
    def list_runs(self, job: str = "", limit: int = 100) -> list[ExternalRun]:
        """Runs of other tools' jobs, the latest first.

        Args:
            job: Only of this job, such as `jobs:/airflow/etl`.
        """
        with self._database.reading() as connection:
            rows = _store.run_rows(connection, str(Ref.parse(job)) if job else "", max(1, min(limit, 1000)))
        return [ExternalRun(**row._mapping) for row in rows]

    @change(role="maintainer")
    def forget(self, ref: str) -> None:
        """Removes another tool's job or data set from the catalog; its lineage stays.

        Raises:
            NotFound: nothing of it is known.
        """
        name = str(Ref.parse(ref))
        with self._database.transaction() as connection:
            if not _store.remove(connection, name):
                raise NotFound(f"No other tool told of '{ref[:100]}'.", hint="See `flyball catalog search`.")
            self._events.append(connection, "data.external_forgotten", name)

    def describe(self, name: str) -> EntryText | None:
        """What is known of a data set of another tool, for the catalog."""
        return self.thing(f"{self.kind}:/{name}")

    def names(self) -> Iterator[str]:
        """The names of all data sets of other tools."""
        return self.names_of(self.kind)

    def thing(self, ref: str) -> EntryText | None:
        """What is known of a thing of another tool."""
        with self._database.reading() as connection:
            return _store.thing(connection, ref)

    def names_of(self, kind: str) -> Iterator[str]:
        """The names of all things of one kind."""
        with self._database.reading() as connection:
            found = _store.refs(connection, kind)
        return (ref.removeprefix(f"{kind}:/") for ref in found)

    def _keep(self, connection: sa.Connection, told: Sequence[EntryText], at: datetime) -> None:
        for entry in told:
            known = _store.thing_row(connection, entry.ref)
            merged, moment = entry, at
            if known is not None:
                moment = max(at, known.at)
                merged = _merged(known.entry, entry) if at >= known.at else _merged(entry, known.entry)
            if known is None or merged != known.entry:
                _store.write_thing(self._database, connection, merged, moment)
                self._events.append(connection, "data.external_seen", entry.ref)

    def _keep_run(self, connection: sa.Connection, job: str, event: SeenEvent) -> None:
        known = _store.run_row(connection, job, event.run)
        state = event.state
        ended = event.at if state in _ENDED else None
        started, error = event.at, event.error
        if known is not None:
            started = min(known.started, event.at)
            # What has ended stays so, whatever comes late.
            if known.ended is not None and (ended is None or ended < known.ended):
                state, ended, error = known.state, known.ended, known.error
            elif ended is None and state in ("start", "other"):
                state = known.state
        run = ExternalRun(
            id=event.run, job=job, state=state, started=started, ended=ended, error=error, producer=event.producer
        )
        _store.write_run(self._database, connection, run)


class ExternalJobs:
    """The shelf of other tools' jobs."""

    kind = "jobs"
    rooms = External.rooms

    def __init__(self, external: External) -> None:
        self._external = external

    def describe(self, name: str) -> EntryText | None:
        """What is known of a job of another tool, for the catalog."""
        return self._external.thing(f"{self.kind}:/{name}")

    def names(self) -> Iterator[str]:
        """The names of all jobs of other tools."""
        return self._external.names_of(self.kind)


def external_ref(kind: Literal["external", "jobs"], namespace: str, name: str) -> str:
    """The reference of another tool's thing.

    >>> external_ref("external", "postgres://db:5432", "shop.public.orders")
    'external:/postgres%3A%2F%2Fdb%3A5432/shop.public.orders'
    """
    return str(Ref(kind=kind, name=_part(namespace), version=_part(name)))


def _part(text: str) -> str:
    written = quote(text, safe="") or "default"
    if len(written) > _LONGEST:
        # Long ones keep their beginning for people, and a digest so that no two are one.
        tail = hashlib.blake2s(text.encode("utf-8", "replace"), digest_size=12).hexdigest()
        written = f"{written[: _LONGEST - 30]}~{tail}"
    return written


def _is_foreign(ref: str) -> bool:
    return ref.startswith(("external:/", "jobs:/"))


def _merged(before: EntryText, after: EntryText) -> EntryText:
    """What is known after one more event: what it does not tell stays."""
    sources: tuple[ColumnSource, ...] = after.column_sources or before.column_sources
    return replace(
        after,
        description=after.description or before.description,
        owner=after.owner or before.owner,
        columns=after.columns or before.columns,
        tags=before.tags | after.tags,
        text=after.text or before.text,
        changed=max((m for m in (before.changed, after.changed) if m is not None), default=None),
        column_sources=sources,
    )
