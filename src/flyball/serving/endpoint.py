"""One deployment in a model server: its runtime, its log, its counters."""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from flyball.errors import FlyballError
from flyball.serving.batches import Batch
from flyball.serving.manifest import Arm
from flyball.serving.prediction_log import Entry, PredictionLog
from flyball.serving.runtime import Answer, Failure, Part, Runtime
from flyball.telemetry import NO_TRACE, Trace

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

logger = logging.getLogger(__name__)

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram, in seconds."""
_SHADOWS_WAITING = 64
_FEW_ROWS = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


ANSWER_COLUMNS = ("prediction", "probability", "probabilities")
"""What a model may answer for a row."""


class Job(NamedTuple):
    """A request on a matrix.

    Attributes:
        runtime: The generation that it came to, and that answers it.
        only: The arm that is asked, whatever the keys.
    """

    # No dataclass: a frozen one takes five times as long to make, and each request makes one.
    runtime: Runtime
    rows: np.ndarray[Any, Any]
    ids: Sequence[str]
    at: datetime
    only: Arm | None = None
    request_id: str = ""
    trace: Trace = NO_TRACE


class Outcome(NamedTuple):
    """What came of a request: columns of values and versions of models, or an error.

    Attributes:
        columns: Lists, or arrays where one model answered all rows on a matrix.
    """

    columns: Mapping[str, list[Any] | np.ndarray[Any, Any]] = {}
    versions: Sequence[int] = ()
    error: BaseException | None = None

    @classmethod
    def of(cls, answer: Answer) -> Outcome:
        """What a request gets that was answered alone."""
        arrays = answer.arrays()
        found = {name: answer.column(name) for name in ANSWER_COLUMNS} if arrays is None else arrays
        columns = {name: values for name, values in found.items() if values is not None}
        return cls(columns=columns, versions=answer.versions())

    def column(self, name: str) -> list[Any]:
        """The values of a column."""
        values = self.columns[name]
        return values if isinstance(values, list) else list(values.tolist())


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

    def note_text(
        self,
        runtime: Runtime,
        arm: Arm,
        table: pa.Table,
        id: str,
        text: str,
        error: str,
        *,
        at: datetime,
        seconds: float,
    ) -> None:
        """Hands a text that went out piece by piece to the log, with why it broke off if it did."""
        import pyarrow as pa

        spent = int(seconds * 1e6)
        if error:
            self._note(Failure(arm=arm, rows=None, error=error, latency_us=spent), [id], at, "", "")
            return
        answer = pa.table({"prediction": [text]})
        part = Part(arm=arm, rows=None, inputs=table, answer=answer, latency_us=spent)
        keys = runtime.keys(table, [id]) if runtime.manifest.key else None
        self.log.append(_entry(runtime, part, [id], keys, at, "", ""))

    def answer_together(self, runtime: Runtime, jobs: Sequence[Job]) -> list[Outcome]:
        """Answers several requests of one generation in one go; where that fails, each for itself."""
        try:
            return self._together(runtime, jobs)
        except Exception as error:  # a model may raise anything, and only the request that it is about may fail
            if len(jobs) > 1:
                return [outcome for job in jobs for outcome in self.answer_together(runtime, [job])]
            (job,) = jobs
            if not isinstance(error, FlyballError):
                logger.exception("prediction failed", extra={"deployment": self.name})
                arm = job.only or runtime.champion
                words = f"{type(error).__name__}: {error}"[:500]
                self.log.append(_batch(runtime, jobs, arm, None, job.ids, error=words))
            return [Outcome(error=error)]

    def _together(self, runtime: Runtime, jobs: Sequence[Job]) -> list[Outcome]:
        import numpy as np

        only = jobs[0].only
        if any(job.only is not only for job in jobs):
            # The path names versions, which hardly anybody does beside others that do not.
            return [outcome for job in jobs for outcome in self._together(runtime, [job])]
        rows = jobs[0].rows if len(jobs) == 1 else np.concatenate([job.rows for job in jobs])
        ids = jobs[0].ids if len(jobs) == 1 else [name for job in jobs for name in job.ids]
        keys = runtime.keys(rows, ids) if runtime.manifest.key else ids
        answer = runtime.predict(rows, keys, only=only)
        own_keys = keys if runtime.manifest.key else None
        for failure in answer.failures:
            self.last_failure = f"{failure.arm.revision}: {failure.error}"
            self.counters.count_failure()
            self.log.append(
                _batch(
                    runtime,
                    jobs,
                    failure.arm,
                    None,
                    ids,
                    error=failure.error,
                    rows=failure.rows,
                    spent=failure.latency_us,
                )
            )
        for part in answer.parts:
            self.log.append(_batch(runtime, jobs, part.arm, part, ids, own_keys, rows=part.rows))
        for arm in runtime.shadows if only is None else ():
            self._let_score_matrix(runtime, arm, jobs, rows, ids, own_keys)
        return _outcomes(answer, jobs)

    def _let_score_matrix(
        self,
        runtime: Runtime,
        arm: Arm,
        jobs: Sequence[Job],
        rows: np.ndarray[Any, Any],
        ids: Sequence[str],
        keys: Sequence[str] | None,
    ) -> None:
        def score() -> None:
            with jobs[0].trace.span("shadow", rows=len(ids), revision=arm.revision):
                part = runtime.shadow(arm, rows)
            self.log.append(_batch(runtime, jobs, arm, part, ids, keys))

        def failed(words: str) -> None:
            self.last_failure = f"{arm.revision}: {words}"
            self.counters.count_failure()
            self.log.append(_batch(runtime, jobs, arm, None, ids, error=words))

        self._in_shadow(arm, len(ids), score, failed)

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
        def score() -> None:
            with trace.span("shadow", rows=len(ids), revision=arm.revision):
                part = runtime.shadow(arm, table)
            self.log.append(_entry(runtime, part, ids, keys, at, request_id, trace.id))

        def failed(words: str) -> None:
            self._note(Failure(arm=arm, rows=None, error=words, latency_us=0), ids, at, request_id, trace.id)

        self._in_shadow(arm, len(ids), score, failed)

    def _in_shadow(self, arm: Arm, rows: int, score: Callable[[], None], failed: Callable[[str], None]) -> None:
        if not self._waiting.acquire(blocking=False):
            self.log.dropped += rows  # a shadow that cannot keep up must not make a queue that grows
            return

        def run() -> None:
            try:
                score()
            except Exception as error:
                logger.exception("shadow failed", extra={"revision": arm.revision})
                failed(f"{type(error).__name__}: {error}"[:500])
            finally:
                self._waiting.release()

        self._shadows.submit(run)


def _outcomes(answer: Answer, jobs: Sequence[Job]) -> list[Outcome]:
    """What each request gets of the answer to all."""
    whole = Outcome.of(answer)
    if len(jobs) == 1:
        return [whole]
    outcomes, start, columns = [], 0, whole.columns
    if sum(len(job.rows) for job in jobs) < _FEW_ROWS * len(jobs):
        # Lists are sliced far cheaper than arrays, and few rows go out as lists anyway.
        columns = {name: whole.column(name) for name in columns}
    for job in jobs:
        end = start + len(job.rows)
        own = {name: values[start:end] for name, values in columns.items()}
        outcomes.append(Outcome(columns=own, versions=whole.versions[start:end]))
        start = end
    return outcomes


def _batch(
    runtime: Runtime,
    jobs: Sequence[Job],
    arm: Arm,
    part: Part | None,
    ids: Sequence[str],
    keys: Sequence[str] | None = None,
    *,
    error: str = "",
    rows: Sequence[int] | None = None,
    spent: int = 0,
) -> Batch:
    counts = [len(job.rows) for job in jobs]
    if rows is not None:
        own = [place for place, count in enumerate(counts) for _ in range(count)]
        jobs, counts = [jobs[own[row]] for row in rows], [1] * len(rows)
        ids = [ids[row] for row in rows]
        keys = keys and [keys[row] for row in rows]
    inputs: Any = part.inputs if part is not None and runtime.manifest.log_inputs else None
    scores: Any = None if part is None else part.answer
    return Batch(
        ids=ids, counts=counts, times=[microseconds(job.at) for job in jobs], request_ids=[job.request_id for job in jobs],
        trace_ids=[job.trace.id for job in jobs], revision=arm.revision, model_version=arm.version,
        role=arm.role, answered=part is not None and arm.role != "shadow", schema=runtime.signature_of(arm), scores=scores,
        inputs=inputs, keys=keys, latency_us=spent if part is None else part.latency_us, error=error,
    )  # fmt: skip


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


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
