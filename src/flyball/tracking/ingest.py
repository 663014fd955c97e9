"""Group commit: what many log at the same time is written by one thread in one transaction.

A durable commit costs far more than what it commits. While one is under way the next batches gather; each is acknowledged
when the transaction that holds it is durable.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import Conflict, FlyballError, Overloaded
from flyball.principals import Principal, acting
from flyball.refs import Ref
from flyball.storage.database import Database, HeldConnection
from flyball.storage.event_log import EventLog
from flyball.tracking._folding import fold_ripe
from flyball.tracking._log_counts import LogCounts
from flyball.tracking._points import Batch, Writer
from flyball.tracking._run_rows import written_artifact
from flyball.tracking.nouns import Artifact

__all__ = ["Batch", "Ingest", "artifact_batch"]

logger = logging.getLogger(__name__)

MOST_WAITING = 20_000
"""Batches that may wait; more are refused."""

MOST_POINTS_WAITING = 2_000_000
"""Points that may wait in them."""

_MOST_BATCHES = 1_000
_MOST_POINTS = 50_000
_FOLD_NOW = 32_768
_IDLE = 0.25
_TRIES = 3

Done = Callable[[BaseException | None], object]
"""Told once a batch is durable, or why it is not kept."""

_Slot = tuple[asyncio.AbstractEventLoop | None, Done]
_Logged = tuple[Batch, Principal]
_Given = tuple[Batch, _Slot, Principal]


class Ingest:
    """Writes batches, many at a time.

    Args:
        most_waiting: Batches that may wait before more are refused.
    """

    def __init__(
        self,
        database: Database,
        events: EventLog,
        clock: Clock,  # what all services are made with
        *,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._database = database
        self._events = events
        self._writer = Writer(database, self._tell_found)
        self._counts = LogCounts()
        self._held: HeldConnection | None = None
        self._waiting: queue.SimpleQueue[_Given | None] = queue.SimpleQueue()
        self._most_waiting = most_waiting
        self._points_waiting = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """How many batches wait to be written."""
        return self._waiting.qsize()

    def submit(self, batch: Batch) -> Future[None]:
        """Queues a batch; the future is done once it is durable, or fails with why it is not kept.

        Raises:
            Overloaded: too many wait already.
            Conflict: the workspace is closed.
        """
        future: Future[None] = Future()
        self._queue(batch, (None, partial(_settle, future)))
        return future

    async def write(self, batch: Batch) -> None:
        """Writes a batch and returns once it is durable.

        Raises:
            FlyballError: why it is not kept.
            Overloaded: too many wait already.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self.write_then(batch, loop, partial(_settle, future))
        await future

    def write_then(self, batch: Batch, loop: asyncio.AbstractEventLoop, done: Done) -> None:
        """Writes a batch; `done` is called on the loop once it is durable, or with why it is not kept.

        Raises:
            Overloaded: too many wait already.
        """
        self._queue(batch, (loop, done))

    def close(self) -> None:
        """Writes what waits, and ends."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            thread = self._thread
        if thread is not None:
            self._waiting.put(None)
            thread.join()

    def _queue(self, batch: Batch, slot: _Slot) -> None:
        points = _points_of(batch)
        with self._lock:
            if self._waiting.qsize() >= self._most_waiting or self._points_waiting + points > MOST_POINTS_WAITING:
                said = f"{self._waiting.qsize()} batches of {self._points_waiting} points wait to be written."
                raise Overloaded(said, hint="Try again in a moment.")
            self._points_waiting += points
        if self._thread is None or self._is_closed:
            self._start()
        self._waiting.put((batch, slot, acting()))

    def _start(self) -> None:
        with self._lock:
            if self._is_closed:
                raise Conflict("The workspace is closed.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="flyball-ingest", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        is_open = True
        while is_open:
            group, is_open = self._gather()
            if group:
                self._finish(group, self._write([(batch, who) for batch, _, who in group]))
            self._fold(is_idle=not group)
        self._disconnect()
        self._tell_counts()

    def _gather(self) -> tuple[list[_Given], bool]:
        """All that waits, as far as one transaction takes it; whether more may come."""
        try:
            first = self._waiting.get(timeout=_IDLE if self._writer.has_ripe else None)
        except queue.Empty:
            return [], True
        group: list[_Given] = []
        points, found = 0, first
        while found is not None:
            group.append(found)
            points += _points_of(found[0])
            if len(group) >= _MOST_BATCHES or points >= _MOST_POINTS:
                break
            try:
                found = self._waiting.get_nowait()
            except queue.Empty:
                break
        with self._lock:
            self._points_waiting -= points
        return group, found is not None

    def _write(self, batches: list[_Logged]) -> list[BaseException | None]:
        try:
            return self._commit(batches)
        except Exception:  # whatever it is, the others must not fail for one
            logger.info("a group of %s batches could not be written at once", len(batches), exc_info=True)
        return [self._write_alone(batch) for batch in batches]

    def _write_alone(self, batch: _Logged) -> BaseException | None:
        try:
            with self._database.transaction() as connection:  # which tells input that cannot be kept apart
                return self._write_all(connection, [batch])[0]
        except Exception as error:  # noqa: BLE001  # the one who waits for it is told
            return error

    def _commit(self, batches: list[_Logged]) -> list[BaseException | None]:
        for tries in range(_TRIES):
            try:
                # One connection for as long as the thread works: to take one costs as much as to write a point.
                held = self._held or self._database.held()
                self._held = held
                held.begin()
                found = self._write_all(held.connection, batches)
                held.commit()
                return list(found)
            except BaseException as error:
                self._disconnect()
                # The connection was cut, or two processes wait for each other and one is told to begin again.
                if not isinstance(error, sa.exc.OperationalError) or tries == _TRIES - 1:
                    raise
        raise AssertionError("the last try returns or raises")

    def _write_all(self, connection: sa.Connection, batches: list[_Logged]) -> list[FlyballError | None]:
        found = self._writer.write(connection, [batch for batch, _ in batches])
        self._counts.take(connection, (batch for batch, error in zip(batches, found, strict=True) if error is None))
        return found

    def _disconnect(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def _tell_counts(self) -> None:
        try:
            with self._database.transaction() as connection:
                self._counts.end(connection)
        except Exception:  # the points are kept; it is the last minute's counts that the audit log will not have
            logger.warning("what was logged could not be noted in the audit log", exc_info=True)

    def _fold(self, *, is_idle: bool) -> None:
        """Makes chunks where nobody waits, or where it is high time."""
        for ripe in self._writer.take_ripe() if is_idle else self._writer.take_ripe(_FOLD_NOW):
            if is_idle and not self._waiting.empty():
                self._writer.put_back(ripe)
                continue
            try:
                with self._database.transaction() as connection:
                    fold_ripe(self._database, connection, ripe)
            except Exception:  # rows that are not folded are read as well
                logger.warning("the points of a run could not be folded", exc_info=True)

    def _finish(self, group: Sequence[_Given], errors: Sequence[BaseException | None]) -> None:
        loops: dict[asyncio.AbstractEventLoop, list[tuple[Done, BaseException | None]]] = {}
        for (_, (loop, done), _), error in zip(group, errors, strict=True):
            if loop is None:
                done(error)
            else:
                loops.setdefault(loop, []).append((done, error))
        for loop, told in loops.items():
            try:
                loop.call_soon_threadsafe(_tell_all, told)
            except RuntimeError:
                logger.debug("an event loop has ended before its batches were acknowledged")

    def _tell_found(self, connection: sa.Connection, run: str) -> None:
        self._events.append(connection, "tracking.run_found", Ref(kind="runs", name=run))


def artifact_batch(artifact: Artifact) -> Batch:
    """What notes an artifact whose bytes are kept already.

    Raises:
        InvalidInput: the name, digest or size cannot be used.
    """
    return Batch(run=artifact.run, artifacts=[written_artifact(artifact)])


def _points_of(batch: Batch) -> int:
    points = len(batch.points)
    return points + sum(len(one.steps) for one in batch.series) if batch.series else points


def _tell_all(told: list[tuple[Done, BaseException | None]]) -> None:
    for done, error in told:
        done(error)


def _settle(future: asyncio.Future[None] | Future[None], error: BaseException | None) -> None:
    if future.done():  # whoever waited has given up
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
