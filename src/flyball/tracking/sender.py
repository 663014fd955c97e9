"""Sends what this process logs, from a thread of its own: in batches, again and again until it is taken."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable

from flyball.errors import FlyballError, NotFound
from flyball.tracking import spool
from flyball.tracking.delivery import Delivery, Missing, Seen, Services, deliver_leftover
from flyball.tracking.spool import Position, Record, Spool

logger = logging.getLogger(__name__)

HEARTBEAT = 3.0
_PAUSE = 0.2
_LONGEST_PAUSE = 30.0
_LOOK_AROUND = 5.0
_PIECE = 4000


class Sender:
    """Sends the records of a spool, says that its runs are alive, and sends what dead processes of the workspace left.

    Args:
        spool: The records of this process.
        open_services: Gives where they go; called on the sender's thread, again after it failed.
    """

    def __init__(self, spool: Spool, open_services: Callable[[], Services]) -> None:
        self.seen = Seen()
        self.alive: set[str] = set()
        self.cancelled: set[str] = set()
        self._spool = spool
        self._open_services = open_services
        self._services: Services | None = None
        self._delivery: Delivery | None = None
        self._place: Position = spool.start
        self._held: list[bytes] = []
        self._heard: dict[str, float] = {}
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_closing = False
        self._tries = 0
        self._ended_tries = 0
        self._failures = 0
        self._failing_since = 0.0
        self._looked_around = 0.0

    @property
    def is_failing(self) -> bool:
        """Whether the last try did not succeed."""
        return self._failures > 0

    def start(self) -> None:
        """Begins to send; called again it only wakes the sender up."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="flyball-sender", daemon=True)
            self._thread.start()
        self._wake.set()

    def flush(self, timeout: float) -> bool:
        """Waits until all that was logged so far is taken, or the time is up; whether it is.

        A place that has not answered for so long already is given one more try only.
        """
        if self._thread is None or not self._thread.is_alive():
            return self._spool.is_empty
        end, deadline = self._spool.end, time.monotonic() + timeout
        with self._changed:
            tries = self._tries
            self._looked_around = 0.0
            self._wake.set()
            while not self._is_taken(end):
                left = deadline - time.monotonic()
                is_long = self.is_failing and time.monotonic() - self._failing_since > timeout
                if left <= 0 or (is_long and self._ended_tries > tries):
                    return False
                self._changed.wait(min(left, 0.5))
        return True

    def wait_for(self, run: str, timeout: float) -> None:
        """Waits until a run has been begun or refused, or nobody answers, or the time is up."""
        deadline = time.monotonic() + timeout
        with self._changed:
            tries = self._tries
            self._wake.set()
            while run not in self.seen.begun and time.monotonic() < deadline:
                if self.is_failing and self._ended_tries > tries:
                    return
                self._changed.wait(0.1)

    def close(self, timeout: float) -> bool:
        """Sends what is left, as long as the time allows, and ends; whether all was taken."""
        is_taken = self.flush(timeout)
        self._is_closing = True
        self._wake.set()
        if self._thread is not None and is_taken:
            self._thread.join(1.0)
        return is_taken

    def _is_taken(self, end: Position) -> bool:
        if self._held or self._spool.has_held:
            return False
        return self._place >= end or self._spool.is_empty

    def _work(self) -> None:
        while True:
            self._wake.wait(self._pause())
            self._wake.clear()
            if self._is_closing and (self._spool.is_empty or self.is_failing):
                break
            self._tries += 1
            try:
                self._try()
            except Exception as error:  # noqa: BLE001  # whatever it is, what was logged is kept and tried again
                self._fail(error)
            else:
                self._recover()
            with self._changed:
                self._ended_tries = self._tries
                self._changed.notify_all()
            if self._is_closing:
                break
        if self._delivery is not None:
            self._delivery.close()

    def _pause(self) -> float | None:
        if self._failures:
            pause: float = min(_LONGEST_PAUSE, 0.5 * 2.0 ** min(self._failures - 1, 10))
            return pause * random.uniform(0.8, 1.2)  # noqa: S311  # so that many clients do not come at once
        return _PAUSE if self.alive or not self._spool.is_empty else None

    def _try(self) -> None:
        if self._services is None:
            self._services = self._open_services()
        if self._delivery is None:
            process = self._spool.header.process
            self._delivery = Delivery(self._services, self._spool.folder, process, seen=self.seen)
        while self._send(self._delivery):
            pass
        self._beat()
        if time.monotonic() - self._looked_around > _LOOK_AROUND:
            self._looked_around = time.monotonic()
            self._send_leftovers(self._services)

    def _send(self, delivery: Delivery) -> bool:
        """Sends the next piece; False when nothing is left."""
        if not self._held:
            found = self._spool.read(self._place, _PIECE)
            if found:
                for place in delivery.deliver(found):
                    self._spool.acknowledge(place)
                    self._advance(place)
                return True
            # What the disk did not take comes after all that it took, and before all that it takes from now on.
            self._held = self._spool.take_held()
            if not self._held:
                return False
        sent = 0
        try:
            for place in delivery.deliver(Record(payload, (0, at)) for at, payload in enumerate(self._held, 1)):
                sent = place[1]
        finally:
            del self._held[:sent]
        return True

    def _advance(self, place: Position) -> None:
        with self._changed:
            self._place = place
            self._changed.notify_all()
        self._beat()

    def _beat(self) -> None:
        """Says that the runs are alive of which nothing was heard for a while."""
        now = time.monotonic()
        if self._services is None:
            return
        for run in list(self.alive):
            if now - self._heard.setdefault(run, now) < HEARTBEAT or run in self.cancelled:
                continue
            self._heard[run] = now
            if isinstance(self.seen.begun.get(run), FlyballError):
                continue
            with contextlib.suppress(NotFound):
                if self._services.tracking.heartbeat(run) == "cancelled":
                    self.cancelled.add(run)
                    logger.warning("Run '%s' was cancelled; what it logs is still kept.", run)

    def _send_leftovers(self, services: Services) -> None:
        folder, mine = self._spool.folder, self._spool.header
        for process in spool.processes(folder):
            if process == mine.process:
                continue
            leftover = spool.take(folder, process)
            if leftover is None:
                continue
            if leftover.header.url != mine.url or leftover.header.offline:
                leftover.close()
                continue
            try:
                deliver_leftover(leftover, services, folder, patience=1e9, beat=self._beat)
            except Missing as error:
                logger.info("%s", error)
            except Exception:
                # It stays where it is; our own records must not wait for it.
                logger.info("what process %s left could not be sent", process, exc_info=True)

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        if self._failures > 1:
            return
        self._failing_since = time.monotonic()
        if isinstance(error, Missing):
            logger.info("%s", error)
        else:
            expected = isinstance(error, FlyballError | OSError)
            logger.warning(
                "What runs log cannot be sent now: %s It is kept in %s and sent as soon as that is possible.",
                error, self._spool.folder, exc_info=not expected,
            )  # fmt: skip

    def _recover(self) -> None:
        if self._failures:
            self._failures = 0
            logger.info("What runs log is sent again.")
