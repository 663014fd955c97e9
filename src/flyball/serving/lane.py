"""Zero-wait batching: whoever is free takes all that has queued, and nobody ever waits for more to come.

What takes a moment is answered on the event loop itself, at the turn after the one that brought the requests: while it works, new
ones queue in their sockets. What takes longer goes to the endpoint's own thread, which takes all that queued while it was busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from flyball.errors import Overloaded, TimedOut
from flyball.serving.endpoint import Endpoint, Job, Outcome
from flyball.serving.runtime import Runtime

_LONGEST_ON_LOOP = 0.002
_MOST_ROWS = 16_384

Waiting = tuple[Job, "asyncio.Future[Outcome]"]


class Lane:
    """The queue of one endpoint.

    Args:
        most_waiting: Requests that may wait; who comes then is told to come again.
        timeout: Seconds until a request is given up.
    """

    def __init__(self, endpoint: Endpoint, *, most_waiting: int, timeout: float) -> None:
        self._endpoint = endpoint
        self._most_waiting = most_waiting
        self._timeout = timeout
        self._queue: list[Waiting] = []
        self._has_turn = False
        self._is_busy = False
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"predict-{endpoint.name}")

    def ask(self, job: Job) -> asyncio.Future[Outcome]:
        """The answer to come.

        Raises:
            Overloaded: too many wait.
        """
        if len(self._queue) >= self._most_waiting:
            raise Overloaded("Too many requests are waiting.", hint="Try again in a second.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        self._queue.append((job, future))
        if not self._has_turn and not self._is_busy:
            self._has_turn = True
            loop.call_soon(self._turn, loop)
        return future

    def close(self) -> None:
        """Lets the thread end."""
        self._worker.shutdown(wait=False)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._has_turn = False
        taken = self._take()
        if not taken:
            return
        runtime = taken[0][0].runtime
        rows = sum(len(job.rows) for job, _ in taken)
        if runtime.pace.expect(rows) > _LONGEST_ON_LOOP:
            self._hand_over(loop, taken)
            return
        _settle(taken, self._answer(runtime, [job for job, _ in taken], rows))
        if self._queue:
            self._has_turn = True
            loop.call_soon(self._turn, loop)

    def _take(self) -> list[Waiting]:
        """The first that wait, all of one generation."""
        queue = self._queue
        runtime, rows = queue[0][0].runtime if queue else None, 0
        for place, (job, _) in enumerate(queue):
            rows += len(job.rows)
            if job.runtime is not runtime or (place and rows > _MOST_ROWS):
                self._queue = queue[place:]
                return queue[:place]
        self._queue = []
        return queue

    def _answer(self, runtime: Runtime, jobs: Sequence[Job], rows: int) -> list[Outcome]:
        start = perf_counter()
        outcomes = self._endpoint.answer_together(runtime, jobs)
        runtime.pace.learn(rows, perf_counter() - start)
        return outcomes

    def _hand_over(self, loop: asyncio.AbstractEventLoop, taken: list[Waiting]) -> None:
        self._is_busy = True
        jobs = [job for job, _ in taken]
        late = loop.call_later(self._timeout, self._give_up, taken)
        work = loop.run_in_executor(
            self._worker, self._answer, jobs[0].runtime, jobs, sum(len(job.rows) for job in jobs)
        )

        def done(finished: asyncio.Future[list[Outcome]]) -> None:
            late.cancel()
            self._is_busy = False
            error = finished.exception()
            _settle(taken, [Outcome(error=error)] * len(taken) if error is not None else finished.result())
            if self._queue and not self._has_turn:
                self._has_turn = True
                loop.call_soon(self._turn, loop)

        work.add_done_callback(done)

    def _give_up(self, taken: list[Waiting]) -> None:
        error = TimedOut(f"The model did not answer within {self._timeout:g} s.", hint="Send fewer rows.")
        _settle(taken, [Outcome(error=error)] * len(taken))
        # Who queued behind it has waited as long.
        waited, self._queue = self._queue, []
        _settle(waited, [Outcome(error=error)] * len(waited))


def _settle(taken: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
    for (_, future), outcome in zip(taken, outcomes, strict=True):
        if not future.done():
            future.set_result(outcome)
