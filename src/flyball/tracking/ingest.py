"""Group commit: what many log at the same time is written by one thread in one transaction.

A durable commit costs far more than what it commits. While one is under way the next batches gather; each is acknowledged
when the transaction that holds it is durable.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import Conflict, Overloaded
from flyball.refs import Ref
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.tracking import _store
from flyball.tracking._folding import fold
from flyball.tracking._points import Batch, Writer

__all__ = ["Batch", "Ingest"]

logger = logging.getLogger(__name__)

MOST_WAITING = 20_000
"""Batches that may wait; more are refused."""

_MOST_BATCHES = 1_000
_MOST_POINTS = 50_000
_FOLD_AT = 2_048
_FOLD_NOW = 32_768
_IDLE = 0.25
_TRIES = 3

_Slot = tuple[asyncio.AbstractEventLoop | None, "asyncio.Future[None] | Future[None]"]


class Ingest:
    """Writes batches, many at a time.

    Args:
        most_waiting: Batches that may wait before more are refused.
    """

    def __init__(
        self,
        database: Database,
        events: EventLog,
        clock: Clock,  # noqa: ARG002  # what all services are made with
        *,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._database = database
        self._events = events
        self._writer = Writer(database, self._tell_found)
        self._waiting: queue.SimpleQueue[tuple[Batch, _Slot] | None] = queue.SimpleQueue()
        self._most_waiting = most_waiting
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def submit(self, batch: Batch) -> Future[None]:
        """Queues a batch; the future is done once it is durable, or fails with why it is not kept.

        Raises:
            Overloaded: too many wait already.
            Conflict: the workspace is closed.
        """
        future: Future[None] = Future()
        self._queue(batch, (None, future))
        return future

    async def write(self, batch: Batch) -> None:
        """Writes a batch and returns once it is durable.

        Raises:
            FlyballError: why it is not kept.
            Overloaded: too many wait already.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._queue(batch, (loop, future))
        await future

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
        if self._waiting.qsize() >= self._most_waiting:
            raise Overloaded(f"{self._most_waiting} batches wait to be written.", hint="Try again in a moment.")
        if self._thread is None or self._is_closed:
            self._start()
        self._waiting.put((batch, slot))

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
                self._finish(group, self._write([batch for batch, _ in group]))
            self._fold(_FOLD_NOW if group else _FOLD_AT)

    def _gather(self) -> tuple[list[tuple[Batch, _Slot]], bool]:
        """All that waits, as far as one transaction takes it; whether more may come."""
        try:
            first = self._waiting.get(timeout=_IDLE if self._writer.most_loose >= _FOLD_AT else None)
        except queue.Empty:
            return [], True
        group: list[tuple[Batch, _Slot]] = []
        points, found = 0, first
        while found is not None:
            group.append(found)
            points += len(found[0].points) + sum(len(one.steps) for one in found[0].series)
            if len(group) >= _MOST_BATCHES or points >= _MOST_POINTS:
                return group, True
            try:
                found = self._waiting.get_nowait()
            except queue.Empty:
                return group, True
        return group, False

    def _write(self, batches: list[Batch]) -> list[BaseException | None]:
        try:
            return self._commit(batches)
        except Exception as error:  # whatever it is, the others must not fail for one
            if len(batches) == 1:
                return [error]
            logger.info("a group of %s batches could not be written at once", len(batches), exc_info=True)
        return [self._write([batch])[0] for batch in batches]

    def _commit(self, batches: list[Batch]) -> list[BaseException | None]:
        for tries in range(_TRIES):
            try:
                with self._database.transaction() as connection:
                    return list(self._writer.write(connection, batches))
            except sa.exc.OperationalError:
                # Two processes that wait for each other: one of them is told so, and has to begin again.
                if tries == _TRIES - 1:
                    raise
        raise AssertionError("the last try returns or raises")

    def _fold(self, at_least: int) -> None:
        for number, key in self._writer.take_loose(at_least):
            if not self._waiting.empty() and at_least == _FOLD_AT:
                self._writer.loosen(number, key, at_least)
                continue
            try:
                with self._database.transaction() as connection:
                    held = sa.select(_store.runs.c.number).where(_store.runs.c.number == number).with_for_update()
                    connection.execute(held)
                    fold(self._database, connection, number, key)
            except Exception:  # rows that are not folded are read as well
                logger.warning("the points of a metric could not be folded", exc_info=True)

    def _finish(self, group: Sequence[tuple[Batch, _Slot]], errors: Sequence[BaseException | None]) -> None:
        loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[None], BaseException | None]]] = {}
        for (_, (loop, future)), error in zip(group, errors, strict=True):
            if loop is not None:
                loops.setdefault(loop, []).append((future, error))  # type: ignore[arg-type]  # with a loop it is its own
            elif not future.cancelled():
                _settle(future, error)
        for loop, futures in loops.items():
            try:
                loop.call_soon_threadsafe(_settle_all, futures)
            except RuntimeError:
                logger.debug("an event loop has ended before its batches were acknowledged")

    def _tell_found(self, connection: sa.Connection, run: str) -> None:
        self._events.append(connection, "tracking.run_found", Ref(kind="runs", name=run))


def _settle_all(futures: list[tuple[asyncio.Future[None], BaseException | None]]) -> None:
    for future, error in futures:
        if not future.done():
            _settle(future, error)


def _settle(future: asyncio.Future[None] | Future[None], error: BaseException | None) -> None:
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
