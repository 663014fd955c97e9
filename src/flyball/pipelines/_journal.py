"""Writes down what happens in a run, behind the steps' backs.

A durable write costs milliseconds; steps do not wait for it. While one write is under way the next ones gather, and what
steps gave goes first, in one transaction: after a kill it is what counts. Steps that began and ended meanwhile are written
as a whole, all of them in one transaction.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from flyball.errors import FlyballError
from flyball.pipelines.cache import CachedStep
from flyball.pipelines.materials import Artifact
from flyball.refs import new_id
from flyball.tracking.runs import Artifact as RunArtifact
from flyball.tracking.runs import MetricPoint, Run, RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A step has begun."""

    run: str
    name: str
    params: dict[str, Any]
    tags: dict[str, str]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A step has ended."""

    run: str
    state: Any
    error: str = ""
    result: CachedStep | None = None
    artifacts: tuple[Artifact, ...] = ()
    points: list[MetricPoint] = field(default_factory=list)
    last: dict[str, float] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    printed: str = ""
    left: tuple[tuple[str, str, int, str], ...] = ()
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A step that still runs has logged something."""

    run: str
    points: list[MetricPoint]


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A step that still runs has printed something; this is the end of it all so far."""

    run: str
    text: str


Entry = Started | Logged | Printed | Ended
_INT64 = 1 << 63
_MOST_POINTS = 10_000
_MOST_RUNS = 500


class Journal:
    """Writes the steps of one run down, on a thread of its own."""

    def __init__(self, run: Run, services: Any) -> None:
        self._run = run
        self._services = services
        self._entries: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write_all, name="flyball-journal", daemon=True)
        self._thread.start()

    def started(self, name: str, *, params: dict[str, Any], tags: dict[str, str]) -> str:
        """Notes that a step has begun; gives the id of its run."""
        run = new_id()
        self._entries.put(Started(run=run, name=name, params=params, tags=tags, at=self._services.clock.now()))
        return run

    def logged(self, run: str, points: list[MetricPoint]) -> None:
        """Notes what a step has logged so far."""
        self._entries.put(Logged(run=run, points=points))

    def printed(self, run: str, text: str) -> None:
        """Notes the end of what a step has printed so far."""
        self._entries.put(Printed(run=run, text=text))

    def ended(self, entry: Ended) -> None:
        """Notes that a step has ended."""
        self._entries.put(replace(entry, at=self._services.clock.now()))

    def close(self) -> None:
        """Waits until all is written; raises what went wrong with it."""
        self._entries.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _write_all(self) -> None:
        going = True
        while going:
            batch = [self._entries.get()]
            while not self._entries.empty():
                batch.append(self._entries.get())
            going = None not in batch
            if self._error is None:
                try:
                    self._write([entry for entry in batch if entry is not None])
                except BaseException as error:  # noqa: BLE001  # it is raised where the run ends
                    self._error = error

    def _write(self, batch: list[Entry]) -> None:
        ends = [entry for entry in batch if isinstance(entry, Ended)]
        results = [entry.result for entry in ends if entry.result is not None]
        if results:
            self._services.step_cache.record(results)
        whole = self._write_whole(batch)
        for entry in batch:
            if entry.run in whole:
                continue
            if isinstance(entry, Started):
                self._write_start(entry)
            elif isinstance(entry, Printed):
                self._keep_log(entry.run, entry.text)
            elif isinstance(entry, Logged):
                self._services.tracking.log(entry.run, metrics=entry.points[:_MOST_POINTS])
            else:
                self._write_end(entry)
        last = {key: value for entry in ends for key, value in entry.last.items()}
        if last:
            at = self._services.clock.now()
            points = [MetricPoint(key=key, value=value, at=at) for key, value in last.items()]
            self._services.tracking.log(self._run.id, metrics=points)

    def _write_whole(self, batch: list[Entry]) -> set[str]:
        """Writes the steps that began and ended in the batch; gives their runs."""
        starts = {entry.run: entry for entry in batch if isinstance(entry, Started)}
        points: dict[str, list[MetricPoint]] = {}
        for entry in batch:
            if not isinstance(entry, Started | Printed):
                points.setdefault(entry.run, []).extend(entry.points)
        records = []
        for entry in batch:
            start = starts.get(entry.run)
            if start is not None and isinstance(entry, Ended) and _can_be_whole(start, entry, points[entry.run]):
                records.append(self._record(start, entry, points[entry.run]))
        try:
            for place in range(0, len(records), _MOST_RUNS):
                self._services.tracking.record_runs(records[place : place + _MOST_RUNS])
        except FlyballError:  # one by one it shows which of them it is, and the others are kept
            return set()
        return {record.id for record in records}

    def _record(self, start: Started, end: Ended, points: list[MetricPoint]) -> RunRecord:
        ended = end.at or start.at
        return RunRecord(
            id=start.run,
            experiment=self._run.experiment,
            name=start.name,
            kind="step",
            parent=self._run.id,
            code=self._run.code,
            state=end.state,
            error=end.error,
            started=start.at,
            ended=ended,
            params=start.params | end.params,
            tags=start.tags | end.tags,
            metrics=points,
            artifacts=[
                RunArtifact(run=start.run, name=name, digest=digest, size=size, kind=kind, created=ended)
                for name, digest, size, kind in self._left_behind(end)
            ],
        )

    def _write_start(self, entry: Started) -> None:
        self._services.tracking.create_run(
            self._run.experiment,
            name=entry.name,
            kind="step",
            parent=self._run.id,
            params=entry.params,
            tags=entry.tags,
            code=self._run.code,
            id=entry.run,
        )

    def _write_end(self, entry: Ended) -> None:
        tracking = self._services.tracking
        if entry.points or entry.params or entry.tags:
            for place in range(0, max(1, len(entry.points)), _MOST_POINTS):
                tracking.log(
                    entry.run,
                    params=entry.params if not place else None,
                    metrics=entry.points[place : place + _MOST_POINTS],
                    tags=entry.tags if not place else None,
                )
        for name, digest, size, kind in self._left_behind(entry):
            tracking.log_artifact(entry.run, name, digest, size, kind)
        tracking.finish_run(entry.run, entry.state, entry.error)

    def _keep_log(self, run: str, text: str) -> None:
        data = text.encode("utf-8", "replace")
        self._services.tracking.log_artifact(run, "log.txt", self._services.blobs.put(data), len(data), "log")

    def _left_behind(self, entry: Ended) -> Iterator[tuple[str, str, int, str]]:
        """Name, digest, size and kind of what a step left behind."""
        for place, artifact in enumerate(entry.artifacts):
            if not artifact.inline and artifact.kind != "live":
                name = "output" if len(entry.artifacts) == 1 else f"output-{place}"
                yield name, artifact.digest, artifact.size, artifact.kind
        yield from entry.left
        if entry.printed:
            data = entry.printed.encode("utf-8", "replace")
            yield "log.txt", self._services.blobs.put(data), len(data), "log"


def _can_be_whole(start: Started, end: Ended, points: list[MetricPoint]) -> bool:
    same = all(end.params[key] == value for key, value in start.params.items() if key in end.params)
    return same and len(points) <= _MOST_POINTS


def loggable(params: Mapping[str, Any]) -> dict[str, Any]:
    """Params as a run keeps them: numbers, texts and truths as they are, others as short text."""
    return {name: value if _is_plain(value) else repr(value)[:500] for name, value in params.items()}


def _is_plain(value: object) -> bool:
    if isinstance(value, int):
        return -_INT64 <= value < _INT64
    return value is None or isinstance(value, float) or (isinstance(value, str) and len(value) <= 6000)
