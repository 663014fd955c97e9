"""Features online: pushing rows, reading values by key, how fresh they are. The service that stands before the store."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flyball.clock import Clock, parse_time
from flyball.data.pii import find_pii
from flyball.data.profile import TableProfile
from flyball.data.profile_table import profile_table
from flyball.data.rows import RowPage, page_of
from flyball.data.scan import Scan
from flyball.data.table import as_moments
from flyball.errors import InvalidInput, ServerUnreachable
from flyball.features.definition import FeatureView
from flyball.features.material import stored_schema
from flyball.features.online.base import OnlineStore, open_online
from flyball.features.packing import key_reader, microseconds, moment_of
from flyball.features.plan import FeaturePlan
from flyball.features.reading import OnlineReader
from flyball.features.views import Features, ViewVersion
from flyball.features.writing import (
    Written,
    fitted,
    keyed_table_of_cells,
    rows_as_table,
    table_of_cells,
    write_latest,
    write_pushed,
)
from flyball.schema import Schema
from flyball.serialization import from_json, to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.verbs import change, read

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_KEYS = 10_000
_MOST_SEEN = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PushReport:
    """What became of pushed rows. All of them are kept for training; the counts are of serving.

    Attributes:
        written: Rows that are served from now on (or, of windows, counted).
        older: Rows behind what is served already.
        later: Rows whose time is still to come: `materialize` takes them when it has.
        unusable: Rows without a key or a time.
        waiting: Rows that the store did not take because it is down: `materialize` takes them when it is up.
    """

    view: str
    rows: int
    written: int = 0
    older: int = 0
    later: int = 0
    unusable: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineAnswer:
    """Features of several things.

    Attributes:
        rows: The features of each, in the order in which they were asked for; None where one is missing.
        missing: For each, why the features of a view are missing, by the view: `unknown`, `expired`, `future`.
    """

    rows: list[dict[str, Any]]
    missing: list[dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How fresh the values of a view are.

    Attributes:
        newest: Time of the newest row that was written; None if there was none.
        written: When values were last written, by materialising or by a push.
        age_seconds: How old the newest row is.
        is_stale: Whether it is older than the view's ttl.
    """

    view: str
    version: int
    newest: datetime | None
    written: datetime | None
    age_seconds: float | None
    ttl_seconds: float | None
    is_stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    newest: int | None
    written: int


class OnlineFeatures:
    """The latest values of features.

    Args:
        url: Address of the store.
    """

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock, *, url: str) -> None:
        self._features = Features(database, blobs, events, clock)
        self._blobs = blobs
        self._clock = clock
        self._url = url
        self._opened: OnlineStore | None = None
        self._lock = threading.Lock()
        self._readers: dict[tuple[str, ...], tuple[FeaturePlan, OnlineReader]] = {}

    @property
    def store(self) -> OnlineStore:
        """The store, opened when it is first needed.

        Raises:
            ServerUnreachable: it is down.
        """
        with self._lock:
            if self._opened is None:
                self._opened = open_online(self._url)
            return self._opened

    @change
    def push(self, view: str, rows: list[dict[str, Any]]) -> PushReport:
        """Takes rows as they come: late ones, corrections and all. They serve at once and train from now on.

        Args:
            view: Name of the view, `weather` or `weather@2`.
            rows: Each with the entity's columns, the time (ISO 8601) and the features; `created` is now by default.

        Raises:
            NotFound: there is no such view.
            InvalidInput: a column is missing or unknown, or a value is of another type than the view's.
        """
        known = self._features.describe(view)
        if not rows:
            return PushReport(view=known.view.label, rows=0)
        return self._push(known, rows_as_table(known.view, rows, known.schema, self._clock.now()))

    def push_table(self, view: str, rows: object) -> PushReport:
        """The same for a table (pandas, Polars, Arrow)."""
        known = self._features.describe(view)
        return self._push(known, fitted(known.view, rows, known.schema))

    def _push(self, known: ViewVersion, table: pa.Table) -> PushReport:
        import pyarrow.parquet as pq

        view = known.view
        self.learn(view, known.schema, table)
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd")
        # First for training, where it is safe: what the store misses now it gets when the view is materialised.
        kept = self._features.record_push(view.name, self._blobs.put(sink.getvalue()), table.num_rows)
        try:
            done = write_pushed(self.store, view, table, self._clock.now(), push=kept.id)
            self._note(view, table)
        except ServerUnreachable:
            return PushReport(view=view.label, rows=table.num_rows, waiting=table.num_rows)
        return _report(view, done)

    @change
    def load(self, view: str, rows: list[dict[str, Any]]) -> PushReport:
        """Writes rows for serving alone: what `flyball features materialize` sends from another machine.

        Raises:
            NotFound: there is no such view.
            InvalidInput: the rows do not fit it.
        """
        known = self._features.describe(view)
        if not rows:
            return PushReport(view=known.view.label, rows=0)
        return self.load_table(known.view, rows_as_table(known.view, rows, known.schema, self._clock.now()))

    def load_table(self, view: FeatureView, table: pa.Table, **options: Any) -> PushReport:
        """Writes rows of a table for serving alone; the options are those of `write_latest`."""
        known = self._features.describe(view.label)
        self.learn(view, known.schema, table)
        done = write_latest(self.store, view, table, self._clock.now(), **options)
        self._note(view, table)
        return _report(view, done)

    @read
    def get(self, features: list[str], entities: list[dict[str, Any]], at: str = "") -> OnlineAnswer:
        """The features of several things, as a join at this moment would give them.

        Args:
            features: Names of views and sets: `weather`, `weather@2`, `late-flights-v1`.
            entities: For each thing the entity's columns, and what on-demand features take; at most 10,000.
            at: As if it were then, ISO 8601; by default it is now. What came later is missing.

        Raises:
            NotFound: there is no such view or set.
            InvalidInput: a key is of another type than the view's.
            ServerUnreachable: the store is down.
        """
        if len(entities) > _MOST_KEYS:
            raise InvalidInput(
                f"{len(entities):,} things are asked for at once.", hint=f"Ask for {_MOST_KEYS:,} at most."
            )
        moment = parse_time(at) if at else self._clock.now()
        found = self.reader(features).read_many(entities, at=moment)
        return OnlineAnswer(rows=found.rows, missing=found.missing)

    def reader(self, features: Sequence[str]) -> OnlineReader:
        """A reader of views and sets, for many reads in one process.

        Raises:
            NotFound: there is no such view or set.
            Conflict: the rows of a view have never been read.
        """
        names = tuple(features)
        plan = self._features.plan_of(list(names))
        held = self._readers.get(names)
        if held is None or held[0] != plan:
            held = (plan, OnlineReader(self.store, plan, now=lambda: microseconds(self._clock.now())))
            self._readers = {**self._readers, names: held} if len(self._readers) < 100 else {names: held}
        return held[1]

    @read
    def values(self, view: str, limit: int = 100, column: str = "", contains: str = "") -> RowPage:
        """What is served of a view now, with personal data masked.

        Args:
            limit: At most this many rows, up to 1000.
            column: Only rows that have `contains` in this column.
            contains: A text, whatever its case.

        Raises:
            NotFound: there is no such view.
            InvalidInput: there is no such column.
        """
        known = self._features.describe(view)
        slot = self.store.find(known.view.label)
        cells = self.store.scan(slot, _MOST_SEEN) if slot is not None else []
        table = keyed_table_of_cells(known.schema or Schema(columns=()), known.view, cells)
        with Scan(table) as scan:
            return page_of(scan, find_pii(table), limit=limit, column=column, contains=contains)

    @read
    def statistics(self, view: str) -> TableProfile:
        """How the values are spread that are served of a view now, column by column.

        Raises:
            NotFound: there is no such view.
            InvalidInput: nothing is served of it.
        """
        table = self.current_values(view)
        if not table.num_rows:
            raise InvalidInput(f"Nothing is served of '{view}' yet.", hint=f"flyball features materialize {view}")
        return profile_table(table)

    @read
    def freshness(self, view: str) -> Freshness:
        """How fresh the values of a view are.

        Raises:
            NotFound: there is no such view.
            ServerUnreachable: the store is down.
        """
        known = self._features.get(view)
        note = self._noted(known)
        now = self._clock.now()
        newest = None if note is None or note.newest is None else moment_of(note.newest)
        age = None if newest is None else (now - newest).total_seconds()
        ttl = known.ttl_seconds
        return Freshness(
            view=known.name,
            version=known.version,
            newest=newest,
            written=None if note is None else moment_of(note.written),
            age_seconds=age,
            ttl_seconds=ttl,
            is_stale=age is None or (ttl is not None and age > ttl),
        )

    @change
    def delete(self, view: str, entities: list[dict[str, Any]]) -> int:
        """Removes what is served of things; gives of how many something was. What trains is not touched.

        Raises:
            NotFound: there is no such view.
            InvalidInput: a key is missing, or of another type than the view's.
        """
        known = self._features.describe(view)
        slot = self.store.find(known.view.label)
        if known.schema is None or slot is None:
            return 0
        key_of = key_reader(known.view.name, [known.schema.column(name) for name in known.view.entity])
        keys = [key_of(entity) for entity in entities]
        if None in keys:
            raise InvalidInput(f"A thing lacks its key: {', '.join(known.view.entity)}.")
        return self.store.delete(slot, [key for key in keys if key is not None])

    @change(role="maintainer")
    def forget(self, view: str) -> None:
        """Removes all that is served of a view's version, the latest by default; also of one that was deleted: `weather@2`."""
        known = self._features.get(view)
        self.store.drop(known.label)
        self.store.set_note(f"fresh/{known.label}", b"")

    def current_values(self, view: str, limit: int = 100_000) -> pa.Table:
        """The values that are served now of up to so many things, as a table of the view's features: for a profile of drift.

        Of a view of windows they are the values that its windows are made of.
        """
        known = self._features.describe(view)
        slot = self.store.find(known.view.label)
        schema = known.schema or Schema(columns=())
        return table_of_cells(schema, known.view, self.store.scan(slot, limit) if slot is not None else ())

    def learn(self, view: FeatureView, known: Schema | None, table: pa.Table) -> None:
        """Notes which columns and types a version has, once it is known."""
        found = stored_schema(view, table)
        if known is None:
            self._features.set_schema(view.name, view.version, found)

    def close(self) -> None:
        """Closes the store."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _note(self, view: FeatureView, table: pa.Table) -> None:
        import pyarrow.compute as pc

        now = microseconds(self._clock.now())
        moments = as_moments(table[view.time]).drop_null().cast("int64")
        latest = pc.max(moments.filter(pc.less_equal(moments, now))).as_py()
        former = self._noted(view)
        known = [time for time in (latest, former.newest if former else None) if time is not None]
        note = _Note(newest=max(known) if known else None, written=now)
        self.store.set_note(f"fresh/{view.label}", to_json(note))

    def _noted(self, view: FeatureView) -> _Note | None:
        held = self.store.note(f"fresh/{view.label}")
        return from_json(held, _Note) if held else None


def _report(view: FeatureView, done: Written) -> PushReport:
    return PushReport(
        view=view.label,
        rows=done.rows,
        written=done.written,
        older=done.older,
        later=done.later,
        unusable=done.unusable,
    )
