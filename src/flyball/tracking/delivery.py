"""Brings the records of a spool to where they are meant to go, in their order, each kept once however often it is sent."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from flyball.errors import AlreadyExists, ChecksFailed, Conflict, FlyballError, GateRefused, InvalidInput, NotFound
from flyball.serialization import convert
from flyball.storage.objects import Blobs
from flyball.tracking import records
from flyball.tracking.records import Entry
from flyball.tracking.runs import NewArtifact, Run, Series, Tracking
from flyball.tracking.spool import Header, Leftover, Part, Position, Record
from flyball.verbs import verbs_of

logger = logging.getLogger(__name__)

BATCH = 1000
_SMALL = 1 << 20
_TOGETHER = 16 << 20
_REFUSALS = (InvalidInput, NotFound, Conflict, AlreadyExists, ChecksFailed, GateRefused)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Services(Protocol):
    """Where runs go: a workspace, local or on a server."""

    @property
    def tracking(self) -> Tracking:
        """Keeps the runs."""
        ...

    @property
    def blobs(self) -> Blobs:
        """Keeps the bytes."""
        ...


@dataclass(slots=True)
class Seen:
    """What became of the runs of one process.

    Attributes:
        begun: The runs as they were when they began, or why they could not.
        joined: Those that were running already.
        open: Begun and not ended.
    """

    begun: dict[str, Run | FlyballError] = field(default_factory=dict)
    joined: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)


class Delivery:
    """Sends records by the verbs of `Tracking`. An error that is no refusal is raised: the rest waits.

    Args:
        services: Where they go.
        folder: Folder of the spool, for the files that records name and for what is refused.
        process: Name of the process whose records they are.
        patience: Seconds for which a run that is not there yet is waited for: another process may be about to begin it.
    """

    def __init__(
        self, services: Services, folder: Path, process: str, *, seen: Seen | None = None, patience: float = 60.0
    ) -> None:
        self._services = services
        self._folder = folder
        self._process = process
        self._patience = patience
        self._missed: dict[str, float] = {}
        self._refused: Part | None = None
        self.seen = seen or Seen()
        self.refusals = 0

    def deliver(self, found: Iterable[Record]) -> Iterator[Position]:
        """Sends records in batches; gives, after each, the place up to which all has been taken."""
        waiting, files = _Points(), _SmallFiles(self._folder)
        end: Position | None = None
        for record in found:
            kind, entry = self._read(record, waiting)
            if waiting.count and end is not None and kind != records.POINTS:
                yield self._send_points(waiting, end)
                waiting = _Points()
            if kind == records.ARTIFACT and files.take(entry, record):
                end = record.end
                continue
            if files.found:
                yield from self._send_files(files)
                files = _SmallFiles(self._folder)
            if kind == records.ARTIFACT and files.take(entry, record):  # another run's, or more than go at once
                end = record.end
                continue
            if kind != records.POINTS:
                is_taken = self._perform(kind, entry, record.payload)
                yield record.end
                if is_taken:
                    self._clean_up(kind, entry)
            elif waiting.count >= BATCH:
                yield self._send_points(waiting, record.end)
                waiting = _Points()
            end = record.end
        if files.found:
            yield from self._send_files(files)
        elif waiting.count and end is not None:
            yield self._send_points(waiting, end)

    def _read(self, record: Record, waiting: _Points) -> tuple[int, Entry]:
        """What a record says; points are put to those that wait."""
        try:
            entry = records.decode(record.payload)
            kind: int = entry[0]
            if kind == records.POINTS:
                waiting.add(entry)
        except (ValueError, IndexError, TypeError) as error:
            self._refuse(InvalidInput(f"The record cannot be read: {error}."), record.payload)
            return 0, []
        return kind, entry

    def _send_files(self, files: _SmallFiles) -> Iterator[Position]:
        """Sends small files of one run together; one by one where they are refused."""
        try:
            digests = self._services.blobs.put_many(files.data)
            made = [
                NewArtifact(name=entry[2], digest=digest, size=entry[5], kind=entry[3])
                for (entry, _), digest in zip(files.found, digests, strict=True)
            ]
            self._services.tracking.log_artifacts(files.run, made)
            taken = [True] * len(made)
        except (*_REFUSALS, TypeError):
            taken = [self._perform(records.ARTIFACT, entry, record.payload) for entry, record in files.found]
        yield files.found[-1][1].end
        # Only now: what is not acknowledged is sent again.
        for (entry, _), is_taken in zip(files.found, taken, strict=True):
            if is_taken:
                self._clean_up(records.ARTIFACT, entry)

    def close(self) -> None:
        """Closes the file of what was refused."""
        if self._refused is not None:
            self._refused.close()
            self._refused = None

    def _send_points(self, waiting: _Points, end: Position) -> Position:
        for run, series in waiting.runs.items():
            try:
                self._services.tracking.append(run, series=_as_series(series))
            except _REFUSALS as error:
                self._check_patience(run, error)
                self._send_singly(run, waiting.entries, error)
        return end

    def _send_singly(self, run: str, entries: list[Entry], error: FlyballError) -> None:
        """Finds the records of a run that are refused, so that the others are kept."""
        mine = [entry for entry in entries if entry[1] == run]
        for entry in mine:
            if not isinstance(error, NotFound) and len(mine) > 1:
                one = _Points()
                one.add(entry)
                try:
                    self._services.tracking.append(run, series=_as_series(one.runs[run]))
                    continue
                except _REFUSALS as found:
                    self._refuse(found, records.encode(entry))
                    continue
            self._refuse(error, records.encode(entry))

    def _perform(self, kind: int, entry: Entry, payload: bytes) -> bool:
        """Does what a record says; False if that is refused."""
        act = self._ACTS.get(kind)
        if act is None:
            if kind:
                self._refuse(InvalidInput(f"There is no record of kind {kind}."), payload)
            return False
        try:
            act(self, *entry[1:])
        except _REFUSALS as error:
            if kind != records.CREATE:
                self._check_patience(entry[1] if kind not in (records.BLOB, records.OPEN) else "", error)
            else:
                self.seen.begun[entry[1]] = error
            self._refuse(error, self._set_aside(kind, entry, payload))
        except (TypeError, ValueError) as error:
            self._refuse(InvalidInput(f"The record cannot be read: {error}."), payload)
        else:
            return True
        return False

    def _create(self, run: str, fields: dict[str, Any], again: bool) -> None:
        tracking = self._services.tracking
        given = dict(fields)
        given["started"] = _moment(given["started"])
        known: Run | None = None
        if again:
            with contextlib.suppress(NotFound):
                known = tracking.get_run(run)
        if known is not None:
            given |= {"experiment": known.experiment, "parent": known.parent, "started": known.started}
            if known.state == "running":
                self.seen.joined.add(run)
        begun: Run = tracking.create_run(**given, id=run)
        if known is not None and begun.state != "running":
            begun = tracking.update_run(run, state="running")
        self.seen.begun[run] = begun
        self.seen.open.add(run)

    def _log(self, run: str, params: dict[str, Any], tags: dict[str, str]) -> None:
        self._services.tracking.log(run, params=params or None, tags=tags or None)

    def _finish(self, run: str, state: Any, error: str, micros: int) -> None:
        self.seen.open.discard(run)
        try:
            self._services.tracking.finish_run(run, state=state, error=error, ended=_moment(micros))
        except Conflict as conflict:  # it was cancelled from elsewhere, and that is what stays
            logger.warning("%s", conflict)

    def _artifact(self, run: str, name: str, kind: str, file: str, size: int) -> None:
        self._services.tracking.log_artifact(run, name, self._blob(file), size, kind)

    def _update(self, run: str, fields: dict[str, str]) -> None:
        self._services.tracking.update_run(run, **fields)  # type: ignore[arg-type]  # name and notes are texts

    def _open(self, runs: list[str]) -> None:
        self.seen.open.update(runs)

    def _blob(self, file: str) -> str:
        path = self._folder / "files" / file
        if Path(file).name != file or not path.is_file():
            raise NotFound(f"The file '{file}' of the spool is gone.")
        return self._services.blobs.put_file(path)

    def _call(self, run: str, service: str, verb: str, arguments: dict[str, Any]) -> None:
        offered = getattr(self._services, service)
        if hasattr(type(offered), verb):  # a local service wants nouns, a remote one sends plain values
            kinds = {parameter.name: parameter.kind for parameter in verbs_of(type(offered))[verb].parameters}
            arguments = {name: convert(value, kinds[name]) for name, value in arguments.items()}
        getattr(offered, verb)(**arguments)

    _ACTS: dict[int, Callable[..., None]] = {  # noqa: RUF012  # never changed
        records.LOG: _log,
        records.CREATE: _create,
        records.FINISH: _finish,
        records.ARTIFACT: _artifact,
        records.UPDATE: _update,
        records.OPEN: _open,
        records.BLOB: _blob,  # type: ignore[dict-item]  # its digest is not needed here
        records.CALL: _call,
    }

    def _clean_up(self, kind: int, entry: Entry) -> None:
        """Removes the copy of a file once the record that named it is acknowledged."""
        name = entry[4] if kind == records.ARTIFACT else entry[1] if kind == records.BLOB else ""
        if name and Path(name).name == name:
            (self._folder / "files" / name).unlink(missing_ok=True)

    def _set_aside(self, kind: int, entry: Entry, payload: bytes) -> bytes:
        """Keeps the file of a record that is refused from going with its process; gives the record that names it then."""
        place = {records.ARTIFACT: 4, records.BLOB: 1}.get(kind)
        files = self._folder / "files"
        if place is None or entry[place].startswith("refused-") or not (files / entry[place]).is_file():
            return payload
        name = f"refused-{entry[place]}"
        (files / entry[place]).rename(files / name)
        return records.encode([*entry[:place], name, *entry[place + 1 :]])

    def _check_patience(self, run: str, error: FlyballError) -> None:
        """Raises the error while the run may still be begun by someone else."""
        if not isinstance(error, NotFound) or isinstance(self.seen.begun.get(run), Run | FlyballError) or not run:
            return
        since = self._missed.setdefault(run, time.monotonic())
        if time.monotonic() - since < self._patience:
            raise Missing(run) from error

    def _refuse(self, error: FlyballError, payload: bytes) -> None:
        """Keeps a record that was refused, and says so."""
        self.refusals += 1
        place = self._folder / "refused"
        if self.refusals <= 3:
            logger.warning("Something that was logged is refused: %s It is kept in %s.", error, place)
        if self._refused is None:
            header = Header(process=self._process, started=time.time_ns() // 1000)
            there = [int(path.stem.rpartition("-")[2]) for path in place.glob(f"{self._process}-*")]
            self._refused = Part.create(place, header, max(there, default=-1) + 1)
        self._refused.append_record(records.refused(error.code, str(error)[:2000], payload))


class Missing(NotFound):
    """A run is not there yet; another process may be about to begin it."""

    def __init__(self, run: str) -> None:
        super().__init__(f"There is no run '{run}' yet.")


def deliver_leftover(
    leftover: Leftover,
    services: Services,
    folder: Path,
    *,
    patience: float = 0.0,
    beat: Callable[[], None] | None = None,
) -> int:
    """Sends what a dead process left, marks the runs as lost that it did not end, and removes its files.

    Args:
        beat: Called between batches.

    Returns:
        How many records were refused.
    """
    delivery = Delivery(services, folder, leftover.header.process, patience=patience)
    last = leftover.header.started
    for record in leftover.records(acknowledged=True):
        with contextlib.suppress(ValueError, IndexError, TypeError):
            last = max(last, _note(delivery.seen, records.decode(record.payload)))
    try:
        for place in delivery.deliver(leftover.records()):
            leftover.acknowledge(place)
            if beat is not None:
                beat()
        for run in sorted(delivery.seen.open - delivery.seen.joined):
            _mark_lost(services, run, last)
    except BaseException:
        leftover.close()
        raise
    finally:
        delivery.close()
    leftover.close(remove=True)
    remove_files(folder, leftover.header.process)
    return delivery.refusals


def remove_files(folder: Path, process: str) -> None:
    """Removes the copies of files that a process made and that nothing needs any more."""
    for path in (folder / "files").glob(f"{process}-*"):
        path.unlink(missing_ok=True)


def _note(seen: Seen, entry: Entry) -> int:
    """Notes which runs were begun and ended; gives the time of the record, 0 if it has none."""
    kind = entry[0]
    if kind == records.CREATE:
        seen.open.add(entry[1])
    elif kind == records.OPEN:
        seen.open.update(entry[1])
    elif kind == records.FINISH:
        seen.open.discard(entry[1])
        return int(entry[4])
    elif kind == records.POINTS:
        return int(entry[2])
    return 0


def _mark_lost(services: Services, run: str, micros: int) -> None:
    """Marks a run as lost whose process is known to be dead. Should another process be in it, its next sign undoes that."""
    with contextlib.suppress(*_REFUSALS):
        if services.tracking.get_run(run).state == "running":
            services.tracking.update_run(run, state="lost", ended=_moment(micros))


class _Points:
    """Metric points on their way, gathered by run and key."""

    __slots__ = ("count", "entries", "runs")

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, tuple[list[int], list[int], list[float | None]]]] = {}
        self.entries: list[Entry] = []
        self.count = 0

    def add(self, entry: Entry) -> None:
        _, run, micros, step, metrics = entry
        series = self.runs.setdefault(run, {})
        self.entries.append(entry)
        self.count += len(metrics)
        for place, (key, value) in enumerate(metrics.items()):
            columns = series.get(key)
            if columns is None:
                columns = series[key] = ([], [], [])
            columns[0].append(step if type(step) is int else step[place])
            columns[1].append(micros)
            columns[2].append(value)


class _SmallFiles:
    """Small files of one run, in the order in which they were logged, that go together."""

    __slots__ = ("_folder", "_size", "data", "found", "run")

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "files"
        self._size = 0
        self.run = ""
        self.data: list[bytes] = []
        self.found: list[tuple[Entry, Record]] = []

    def take(self, entry: Entry, record: Record) -> bool:
        """Takes a file along, if it is a small one of the same run and there is room."""
        if len(entry) != 6 or not isinstance(entry[4], str) or Path(entry[4]).name != entry[4]:
            return False
        path = self._folder / entry[4]
        with contextlib.suppress(OSError):
            size = path.stat().st_size
            is_much = size > _SMALL or self._size + size > _TOGETHER or len(self.found) >= BATCH
            if is_much or self.run not in ("", entry[1]):
                return False
            self.data.append(path.read_bytes())
            self.found.append((entry, record))
            self.run = entry[1]
            self._size += size
            return True
        return False


def _as_series(found: dict[str, tuple[list[int], list[int], list[float | None]]]) -> list[Series]:
    finite = math.isfinite
    return [
        Series(
            key=key,
            steps=steps,
            times=times,
            values=[value if value is not None and finite(value) else None for value in values],
        )
        for key, (steps, times, values) in found.items()
    ]


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
