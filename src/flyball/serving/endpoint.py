"""One deployment in a model server: its runtime, its log, its counters."""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from flyball.errors import FlyballError
from flyball.serving.manifest import Arm
from flyball.serving.prediction_log import Entry, PredictionLog
from flyball.serving.runtime import Answer, Failure, Part, Runtime
from flyball.telemetry import NO_TRACE, Trace

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram, in seconds."""
_SHADOWS_WAITING = 64


class Counters:
    """What an endpoint counts; written by one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests = 0
        self.errors = 0
        self.rows = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(BUCKETS) + 1)

    def count(self, seconds: float, rows: int, *, failed: bool) -> None:
        """Counts one request."""
        with self._lock:
            self.requests += 1
            self.errors += failed
            self.rows += rows
            self.seconds += seconds
            self.buckets[bisect_left(BUCKETS, seconds)] += 1

    def count_failure(self) -> None:
        """Counts a failure that the caller did not see."""
        with self._lock:
            self.errors += 1


class Endpoint:
    """One deployment. `runtime` is replaced by a single assignment; a request works with the one it took."""

    def __init__(self, name: str, log: PredictionLog) -> None:
        self.name = name
        self.log = log
        self.runtime: Runtime | None = None
        self.state: Literal["loading", "ready", "failed"] = "loading"
        self.error = ""
        self.last_failure = ""
        self.counters = Counters()
        self._shadows = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"shadow-{name}")
        self._waiting = threading.Semaphore(_SHADOWS_WAITING)

    def answer(
        self,
        runtime: Runtime,
        table: pa.Table,
        ids: Sequence[str],
        *,
        at: datetime,
        only: Arm | None = None,
        request_id: str = "",
        trace: Trace = NO_TRACE,
    ) -> Answer:
        """Answers the rows, hands them to the log, and lets the shadows score them afterwards."""
        keys = runtime.keys(table, ids)
        if runtime.lookup:
            table = runtime.lookup.timed(table, at)
        try:
            with trace.span("predict", rows=len(ids)):
                answer = runtime.predict(table, keys, only=only)
        except FlyballError:
            raise  # the request is at fault
        except Exception as error:
            # The champion's failures count beside the challenger's, or a challenger would be blamed for what befalls both.
            failed = Failure(
                arm=only or runtime.champion, rows=None, error=f"{type(error).__name__}: {error}"[:500], latency_us=0
            )
            self.log.append(_failed(failed, ids, at, request_id, trace.id))
            raise
        for failure in answer.failures:
            self._note(failure, ids, at, request_id, trace.id)
        own_keys = keys if runtime.manifest.key else None
        with trace.span("log", rows=len(ids)):
            for part in answer.parts:
                self.log.append(_entry(runtime, part, ids, own_keys, at, request_id, trace.id))
        for arm in runtime.shadows if only is None else ():
            self._let_score(runtime, arm, table, ids, own_keys, at, request_id, trace)
        return answer

    def _note(self, failure: Failure, ids: Sequence[str], at: datetime, request_id: str, trace_id: str) -> None:
        self.last_failure = f"{failure.arm.revision}: {failure.error}"
        self.counters.count_failure()
        self.log.append(_failed(failure, ids, at, request_id, trace_id))

    def flush(self, timeout: float = 30.0) -> None:
        """Waits until everything answered before, shadows included, rests in the store."""
        self._shadows.submit(lambda: None).result(timeout)
        self.log.flush(timeout)

    def close(self) -> None:
        """Finishes the shadows and the log."""
        self._shadows.shutdown(wait=True)
        self.log.close()

    def _let_score(
        self,
        runtime: Runtime,
        arm: Arm,
        table: pa.Table,
        ids: Sequence[str],
        keys: Sequence[str] | None,
        at: datetime,
        request_id: str,
        trace: Trace,
    ) -> None:
        if not self._waiting.acquire(blocking=False):
            self.log.dropped += len(ids)  # a shadow that cannot keep up must not make a queue that grows
            return

        def score() -> None:
            try:
                with trace.span("shadow", rows=len(ids), revision=arm.revision):
                    part = runtime.shadow(arm, table)
                self.log.append(_entry(runtime, part, ids, keys, at, request_id, trace.id))
            except Exception as error:
                logger.exception("shadow failed", extra={"revision": arm.revision})
                words = f"{type(error).__name__}: {error}"[:500]
                self._note(Failure(arm=arm, rows=None, error=words, latency_us=0), ids, at, request_id, trace.id)
            finally:
                self._waiting.release()

        self._shadows.submit(score)


def _failed(failure: Failure, ids: Sequence[str], at: datetime, request_id: str, trace_id: str) -> Entry:
    import pyarrow as pa

    own = ids if failure.rows is None else [ids[row] for row in failure.rows]
    return Entry(
        ids=own, at=at, revision=failure.arm.revision, model_version=failure.arm.version, role=failure.arm.role, answered=False,
        answer=pa.table({"prediction": pa.nulls(len(own))}), latency_us=failure.latency_us, request_id=request_id,
        error=failure.error, trace_id=trace_id,
    )  # fmt: skip


def _entry(
    runtime: Runtime, part: Part, ids: Sequence[str], keys: Sequence[str] | None, at: datetime, request_id: str, trace_id: str
) -> Entry:  # fmt: skip
    rows = part.rows
    return Entry(
        ids=ids if rows is None else [ids[row] for row in rows],
        keys=keys if rows is None or keys is None else [keys[row] for row in rows],
        at=at,
        revision=part.arm.revision,
        model_version=part.arm.version,
        role=part.arm.role,
        answered=part.arm.role != "shadow",
        inputs=part.inputs if runtime.manifest.log_inputs else None,
        answer=part.answer,
        latency_us=part.latency_us,
        request_id=request_id,
        trace_id=trace_id,
    )
