"""The prediction log: what was asked and answered, as typed Parquet segments in the object store.

Requests only put their rows into a queue; a thread writes segments. The queue is bounded: what finds no room is counted
and dropped, so a slow or broken store never stops or slows an answer.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput, NotFound, TimedOut
from flyball.serving.batches import Batch
from flyball.serving.log_rules import LogRules, kept_to
from flyball.serving.log_spool import LogSpool
from flyball.serving.segments import (
    Segment,
    between,
    encode,
    first_of_each,
    no_predictions,
    read_segment,
    segment_name,
    segments_of,
    tables_of,
    unify,
)
from flyball.storage.object_store import ObjectStore

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

_SPOOL_SECONDS = 0.05
_NOT_WRITTEN = "predictions could not be written down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Predictions that one arm made in one request.

    Attributes:
        answered: Whether this is what the caller got; False for a shadow's.
        keys: What the rows were routed by, where that is not the id.
        inputs: What the model was given; None if inputs are not logged.
        latency_us: Time that the model took for all of them.
        error: Why the arm gave no answer; another arm may have answered in its place.
        trace_id: The trace that the request belongs to (W3C Trace Context).
    """

    ids: Sequence[str]
    at: datetime
    revision: str
    model_version: int
    role: str
    answered: bool
    answer: pa.Table
    inputs: pa.Table | None = None
    keys: Sequence[str] | None = None
    latency_us: int = 0
    request_id: str = ""
    error: str = ""
    trace_id: str = ""


class PredictionLog:
    """Writes the predictions of one deployment and one replica.

    Args:
        interval: Longest time in seconds that a row waits in memory.
        segment_rows: Number of waiting rows at which they are written at once.
        max_rows: Most rows in memory, those on their way to the store included.
        spool: Folder where rows are kept on the disk until they rest in the store; None loses what waits with the process.
    """

    def __init__(
        self,
        store: ObjectStore,
        deployment: str,
        replica: str,
        *,
        interval: float = 1.0,
        segment_rows: int = 65_536,
        max_rows: int = 262_144,
        spool: Path | None = None,
    ) -> None:
        self._spool = None if spool is None else LogSpool(spool / deployment / replica)
        self._kept: list[pa.Table] = []
        self._kept_since = 0.0
        self._has_recovered = spool is None
        self._kept_in: Path | None = None
        self._store = store
        self._deployment = deployment
        self._replica = replica
        self._interval = interval
        self._segment_rows = segment_rows
        self._max_rows = max_rows
        self._changed = threading.Condition()
        self._queue: deque[Entry | Batch] = deque()
        self._queued = 0
        self._held = 0
        self._taken_on = 0
        self._settled = 0
        self._urgent = False
        self._closing = False
        self._abandoned = False
        self._error = ""
        self._last_stamp = datetime.min.replace(tzinfo=UTC)
        self.logged = 0
        self.dropped = 0
        self.rules = LogRules()
        self.key_column = ""
        self._thread = threading.Thread(target=self._run, name=f"prediction-log-{deployment}", daemon=True)
        self._thread.start()

    @property
    def error(self) -> str:
        """Why the store did not take the last segment; empty if it did."""
        return self._error

    def append(self, entry: Entry | Batch) -> bool:
        """Takes predictions on; False if there was no room and they were dropped. Never waits for the store."""
        rows = len(entry.ids)
        with self._changed:
            if self._closing or self._held + rows > self._max_rows:
                self.dropped += rows
                return False
            self._queue.append(entry)
            self._queued += rows
            self._held += rows
            self._taken_on += rows
            if self._queued >= self._segment_rows or (self._spool is not None and len(self._queue) == 1):
                self._changed.notify_all()
        return True

    def flush(self, timeout: float = 30.0) -> None:
        """Waits until everything taken on before rests in the store.

        Raises:
            TimedOut: the store did not take it in time; it stays in memory and is tried again.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._has_recovered, timeout)
            upto = self._taken_on
            self._urgent = True
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._settled >= upto, timeout):
                raise TimedOut(
                    f"The prediction log of '{self._deployment}' was not written within {timeout:g} s. {self._error}"
                )

    def close(self, timeout: float = 10.0) -> None:
        """Writes what is left and stops; what the store does not take in time is lost and counted."""
        with self._changed:
            self._closing = True
            self._changed.wait_for(lambda: self._has_recovered, timeout)
            self._urgent = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._settled >= self._taken_on, timeout)
            self.dropped += self._taken_on - self._settled
            self._settled = self._taken_on
            self._abandoned = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def _run(self) -> None:
        waiting: deque[Segment] = deque(self._recovered())
        with self._changed:
            self._has_recovered = True
            self._changed.notify_all()
        pause = self._interval
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work, min(pause, self._until_due()))
                entries, is_urgent, self._urgent = self._take(), self._urgent or self._closing, False
                if self._abandoned or (self._closing and self._settled >= self._taken_on):
                    return
            waiting.extend(self._encode(entries, at_once=is_urgent))
            pause = self._interval if self._put_all(waiting) else min(2 * pause, 10.0)
            if self._spool is not None:
                with self._changed:  # one write for all that comes in this while
                    self._changed.wait_for(lambda: self._urgent or self._closing, _SPOOL_SECONDS)

    def _has_work(self) -> bool:
        finished = self._closing and self._settled >= self._taken_on
        is_full = self._queued >= self._segment_rows or (self._spool is not None and bool(self._queue))
        return self._urgent or finished or is_full

    def _until_due(self) -> float:
        """Seconds until what the spool holds is to be made a segment of."""
        return max(self._kept_since + self._interval - time.monotonic(), 0.0) if self._kept else self._interval

    def _take(self) -> list[Entry | Batch]:
        entries = list(self._queue)
        self._queue.clear()
        self._queued = 0
        return entries

    def _encode(self, entries: list[Entry | Batch], *, at_once: bool) -> list[Segment]:
        try:
            tables = self._kept_to(tables_of(entries), sum(len(entry.ids) for entry in entries))
        except Exception:
            logger.exception(_NOT_WRITTEN)
            self._settle(sum(len(entry.ids) for entry in entries), lost=True)
            return []
        if self._spool is None:
            return self._made(tables, self._stamp)
        self._keep(self._spool, tables)
        rows = sum(table.num_rows for table in self._kept)
        if not self._kept or not (at_once or rows >= self._segment_rows or not self._until_due()):
            return []
        self._spool.finish()
        kept, self._kept = self._kept, []
        return self._made(kept, _counting(self._last_stamp), self._kept_in)

    def _kept_to(self, tables: list[pa.Table], rows: int) -> list[pa.Table]:
        if self.rules.keeps_all:
            return tables
        kept = [kept_to(self.rules, table, key_column=self.key_column) for table in tables]
        left_out = rows - sum(table.num_rows for table in kept)
        if left_out:
            with self._changed:
                self._held -= left_out
                self._settled += left_out
                self._changed.notify_all()
        return [table for table in kept if table.num_rows]

    def _made(
        self, tables: Sequence[pa.Table], stamp: Callable[[], datetime], spooled: Path | None = None
    ) -> list[Segment]:
        try:
            return self._segments(tables, stamp, spooled)
        except Exception:
            logger.exception(_NOT_WRITTEN)
            self._settle(sum(table.num_rows for table in tables), lost=True)
            return []

    def _keep(self, spool: LogSpool, tables: list[pa.Table]) -> None:
        if not tables:
            return
        if not self._kept:
            self._kept_since = time.monotonic()
            self._stamp()
        self._kept += tables
        try:
            self._kept_in = spool.append(tables, self._last_stamp)
        except OSError as error:  # a full disk must not stop what the store may still take
            self._error = f"{type(error).__name__}: {error}"

    def _segments(
        self, tables: Sequence[pa.Table], stamp: Callable[[], datetime], spooled: Path | None = None
    ) -> list[Segment]:
        made = [
            Segment(key=segment_name(self._deployment, self._replica, stamp(), low, high), data=data, rows=rows)
            for data, rows, low, high in encode(tables)
        ]
        return [*made[:-1], replace(made[-1], spooled=spooled)] if made else []

    def _recovered(self) -> Iterator[Segment]:
        """What a former process left on the disk, as segments; nobody waits for their rows, so they count for nothing."""
        for path, stamp, tables in () if self._spool is None else self._spool.left():
            self._last_stamp = max(self._last_stamp, stamp)
            with self._changed:
                rows = sum(table.num_rows for table in tables)
                self._held += rows
                self._taken_on += rows
            segments = self._made(tables, _counting(stamp), path)
            if not segments:
                path.unlink()
            yield from segments

    def _put_all(self, waiting: deque[Segment]) -> bool:
        while waiting:
            segment = waiting[0]
            try:
                # The same key at each try: a put that went through unacknowledged leaves no second copy.
                self._store.put(segment.key, segment.data)
            except Exception as error:  # each store has its own errors, and none may end this thread
                if not self._error:
                    logger.warning("the store does not take the prediction log", exc_info=error)
                self._error = f"{type(error).__name__}: {error}"
                return False
            waiting.popleft()
            if segment.spooled is not None:
                segment.spooled.unlink(missing_ok=True)
            self._error = ""
            self._settle(segment.rows)
        return True

    def _settle(self, rows: int, *, lost: bool = False) -> None:
        with self._changed:
            if self._abandoned:
                return
            self._held -= rows
            self._settled += rows
            self.dropped += rows if lost else 0
            self.logged += 0 if lost else rows
            self._changed.notify_all()

    def _stamp(self) -> datetime:
        # Readers go on after the last stamp they saw of a replica, so stamps grow even if the machine's clock does not.
        self._last_stamp = max(datetime.now(UTC), self._last_stamp + timedelta(microseconds=1))
        return self._last_stamp


def _counting(first: datetime) -> Callable[[], datetime]:
    """Gives a stamp, then those a microsecond later each."""
    stamps = itertools.count()
    return lambda: first + timedelta(microseconds=next(stamps))


def read_predictions(
    store: ObjectStore,
    deployment: str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    after_segment: str = "",
    columns: Sequence[str] | None = None,
) -> tuple[pa.Table, str]:
    """The logged predictions, each once, and a token that goes on after all segments there are now.

    Of predictions that were answered more than once under one id the first counts. This holds within one call: what
    goes on by token also drops ids that it already has.

    Args:
        start: Only predictions at or after this moment.
        end: Only predictions before this moment. The token passes over what was left out by time.
        after_segment: The token of an earlier call; empty for all.
        columns: Only these; those that no segment has are left out.
    """
    tables, seen = _read(store, deployment, _parse_token(after_segment), (start, end), columns)
    found = unify(tables) if tables else no_predictions()
    found = first_of_each(between(found, start, end))
    if columns is not None:
        found = found.select([name for name in columns if name in found.column_names])
    token = ",".join(f"{replica}:{stamp}" for replica, stamp in sorted(seen.items()))
    return found, token


def find_prediction(store: ObjectStore, deployment: str, prediction_id: str) -> list[dict[str, Any]]:
    """The rows of one prediction, the answered one first; empty if it is not in the log."""
    read = (read_segment(store.get(name.key), None, only=prediction_id) for name in segments_of(store, deployment))
    found = [table for table in read if table.num_rows]
    rows: list[dict[str, Any]] = first_of_each(unify(found)).to_pylist() if found else []
    return sorted(rows, key=lambda row: not row["answered"])


def _read(
    store: ObjectStore,
    deployment: str,
    known: dict[str, str],
    span: tuple[datetime | None, datetime | None],
    columns: Sequence[str] | None,
) -> tuple[list[pa.Table], dict[str, str]]:
    """The segments behind the known ones that may hold rows of the span, and how far they reach."""
    start, end = span
    for last in (False, False, True):
        seen, tables = dict(known), []
        try:
            for segment in segments_of(store, deployment):
                if segment.stamp <= known.get(segment.replica, ""):
                    continue
                seen[segment.replica] = max(segment.stamp, seen.get(segment.replica, ""))
                if (start is None or segment.high >= start) and (end is None or segment.low < end):
                    tables.append(read_segment(store.get(segment.key), columns))
            break
        except NotFound:  # put together with others while we read: its rows are elsewhere now
            if last:
                raise
    return tables, seen


def _parse_token(token: str) -> dict[str, str]:
    # By replica: one that was slow to write must not be passed over because another was quick.
    seen = {}
    for part in token.split(",") if token else ():
        replica, separator, stamp = part.rpartition(":")
        if not separator:
            raise InvalidInput(
                f"{token[:60]!r} is no token of the prediction log.", hint="Give the one that was given."
            )
        seen[replica] = stamp
    return seen
