"""The runs that this process is in: what they log goes to a spool on the disk, and from there to where it is kept."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import shutil
import sys
import time
import weakref
from collections.abc import Callable, Mapping
from operator import index
from pathlib import Path
from typing import Any

from flyball.errors import InvalidInput
from flyball.refs import check_name, new_id
from flyball.tracking import limits, records
from flyball.tracking.delivery import Services, remove_files
from flyball.tracking.media import Media
from flyball.tracking.runs import EndState, Run
from flyball.tracking.sender import Sender
from flyball.tracking.spool import Spool, new_header, sync_folder
from flyball.tracking.system_metrics import Sampler

logger = logging.getLogger(__name__)

_INT64 = 1 << 63
_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


class Recorder:
    """Keeps what this process logs, for one destination.

    Args:
        folder: Folder of the spool.
        open_services: Gives where the runs are kept; called on another thread.
        url: Server that they are kept on; empty for the local workspace.
        offline: Sends nothing; `flyball sync` does.
        now: Microseconds since 1970 UTC, by the clock that rules there.
    """

    def __init__(
        self,
        folder: Path,
        open_services: Callable[[], Services],
        *,
        url: str = "",
        offline: bool = False,
        now: Callable[[], int] | None = None,
    ) -> None:
        self.folder = folder
        self.offline = offline
        self.now = now or _micros
        self.open_services = open_services
        self.runs: dict[str, LiveRun] = {}
        self._url = url
        self._files = 0
        self._begin()
        _recorders.add(self)
        atexit.register(_close_at_exit, weakref.ref(self))

    def _begin(self) -> None:
        header = new_header(self._url, offline=self.offline)
        self.spool = Spool(self.folder, header, opening=self._opening)
        self.sender = Sender(self.spool, self.open_services)
        self.is_started = False
        self._has_told = False

    def _opening(self) -> bytes:
        return records.still_open([run.id for run in self.runs.values() if run.is_owner and run.pid == os.getpid()])

    def start(self) -> None:
        """Begins to send, or wakes the sender."""
        if not self.is_started:
            self.is_started = True
            _close_with_child(self)
        if not self.offline:
            self.sender.start()

    def append(self, payload: bytes, *, durable: bool = False) -> None:
        """Keeps a record."""
        self.spool.append(payload)
        if durable:
            self.spool.sync()
        if not self.is_started or not self.runs:
            self.start()

    def keep(self, source: Path | bytes, *, durable: bool = False) -> tuple[str, int]:
        """Keeps a copy of a file, or bytes as a file, as they are now; gives its name in the spool and its size.

        A copy and not a hard link: who writes into the file later writes into all of its links.
        """
        folder = self.folder / "files"
        folder.mkdir(parents=True, exist_ok=True)
        with self.spool.lock:
            self._files += 1
            name = f"{self.spool.header.process}-{self._files}"
        target = folder / name
        if isinstance(source, bytes):
            target.write_bytes(source)
        else:
            shutil.copyfile(source, target)
        if durable:
            with target.open("rb") as file:
                os.fsync(file.fileno())
            sync_folder(folder)
        return name, target.stat().st_size

    def flush(self, timeout: float) -> bool:
        """Waits until all is taken, at most so long; whether it is."""
        if self.offline or not self.is_started:
            return not self.offline
        return self.sender.flush(timeout)

    def ended(self, run: LiveRun) -> None:
        """Forgets a run; the files go with the last one, if all was taken."""
        self.runs.pop(run.id, None)
        self.sender.alive.discard(run.id)
        if not self.runs and not self.offline and self.spool.clear():
            remove_files(self.folder, self.spool.header.process)

    def close(self, timeout: float = 30.0) -> bool:
        """Ends the runs that are left, sends what can be sent in time, and leaves the rest to others."""
        for run in list(self.runs.values()):
            if run.pid == os.getpid():
                run.finish_at_exit()
        # Whoever has been waited for at the end of a run is not waited for again.
        timeout = min(timeout, 1.0) if self._has_told else timeout
        is_taken = self.offline or not self.is_started or self.sender.close(timeout)
        if is_taken and not self.offline and self.spool.clear():
            remove_files(self.folder, self.spool.header.process)
        elif not self.offline and (self.spool.unsent or not is_taken):
            self.tell_left()
        self.spool.close()
        return is_taken

    def tell_left(self) -> None:
        """Says, once, that something is left to send."""
        if not self._has_told:
            self._has_told = True
            logger.warning(
                "Not all that was logged could be sent; it is kept in %s, and `flyball sync` sends it.", self.folder
            )

    def after_fork(self) -> None:
        """Begins files of its own in the child of a fork."""
        self.spool.forget()
        self._begin()


class LiveRun(Media):
    """A run that this process is in.

    Attributes:
        id: Id of the run.
        experiment: Name of its experiment.
        parent: Id of the run that it is part of; empty for none.
        is_owner: Whether this process ends it; one that joined it does not.
    """

    def __init__(
        self,
        recorder: Recorder,
        experiment: str,
        *,
        name: str = "",
        tags: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        id: str = "",
        parent: str = "",
        environment: Mapping[str, str] | None = None,
        code: str = "",
        user: str = "",
        join: bool = False,
        durable: bool = False,
        flush: float = 30.0,
        kind: str = "run",
    ) -> None:
        self.id = check_name(id, "run") if id else new_id()
        self.experiment = limits.check_key(experiment, "experiment")
        self.name = limits.check_text(name, "name", limits.KEY_LENGTH)
        self.parent = parent
        self.root: str = self.id
        self.around: object = None
        self.pid = os.getpid()
        self.is_owner = not join
        self.is_ended = False
        self.durable = durable
        self._recorder = recorder
        self._flush = flush
        self._steps: dict[str, int] = {}
        self._is_resumed = bool(id)
        self._sampler: Sampler | None = None
        recorder.runs[self.id] = self
        recorder.sender.alive.add(self.id)
        if join:
            self.log(params=dict(params or {}), tags=dict(tags or {}))
            return
        fields = {
            "experiment": self.experiment,
            "name": self.name,
            "kind": kind,
            "parent": parent,
            "params": limits.check_params(dict(params or {})),
            "tags": limits.check_tags(dict(tags or {})),
            "environment": dict(environment or {}),
            "code": code,
            "user": user,
            "started": recorder.now(),
        }
        recorder.append(records.create(self.id, fields, again=bool(id)), durable=durable)

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody has cancelled the run from elsewhere."""
        return self.id in self._recorder.sender.cancelled

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which another process logs to this run."""
        return {"FLYBALL_RUN": self.id}

    def log(
        self,
        /,
        *,
        step: int | None = None,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        **metrics: float,
    ) -> None:
        """Logs metrics, params and tags.

        Raises:
            InvalidInput: a name or value cannot be used.
        """
        if params or tags:
            given = limits.check_params(dict(params or {}))
            named = limits.check_tags(dict(tags or {}))
            if metrics:
                metrics = numbers_of(metrics)
            self._recorder.append(records.log(self.id, given, named), durable=self.durable)
        if metrics:
            self.log_metrics(metrics, step)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Logs named numbers; the step counts up by itself where it is not given.

        Raises:
            InvalidInput: a name cannot be used, or a value is no number.
        """
        for value in metrics.values():
            if type(value) is not float:
                metrics = numbers_of(metrics)
                break
        recorder, counted = self._recorder, self._steps
        with recorder.spool.lock:
            steps: int | list[int]
            if step is None:
                steps = []
                for key in metrics:
                    last = counted.get(key)
                    if last is None:
                        last = self._last_step(key)
                    counted[key] = last + 1
                    steps.append(last + 1)
                if len(steps) == 1:
                    steps = steps[0]
            else:
                steps = step if type(step) is int else _whole(step)
                if not -_INT64 <= steps < _INT64:
                    raise InvalidInput(f"The step {step} does not fit into 64 bits.")
                for key in metrics:
                    if key not in counted:
                        limits.check_key(key, "metric")
                    counted[key] = steps
            recorder.spool.append(records.points(self.id, recorder.now(), steps, metrics))
        if self.durable:
            recorder.spool.sync()
        if not recorder.is_started or self.is_ended:  # of a run that has ended, the sender expects nothing more
            recorder.start()

    def log_notes(self, text: str) -> None:
        """Sets the notes of the run, in Markdown."""
        limits.check_text(text, "notes", 100_000)
        self._recorder.append(records.update(self.id, {"notes": text}), durable=self.durable)

    def keep_artifact(self, source: Path | bytes, name: str, kind: str) -> None:
        """Keeps a file as it is now, or bytes, under a name."""
        limits.check_artifact_name(name)
        check_name(kind, "kind of artifact")
        file, size = self._recorder.keep(source, durable=self.durable)
        self._recorder.append(records.artifact(self.id, name, kind, file, size), durable=self.durable)

    def keep_blob(self, source: Path | bytes) -> None:
        """Keeps bytes that `call` names by their digest."""
        file, _ = self._recorder.keep(source, durable=self.durable)
        self._recorder.append(records.blob(file), durable=self.durable)

    def call(self, service: str, verb: str, arguments: Mapping[str, Any]) -> None:
        """Calls a verb of another room, in order with all that is logged; it must be safe to repeat."""
        self._recorder.append(records.call(self.id, service, verb, arguments), durable=self.durable)

    def sample_system(self, seconds: float) -> None:
        """Logs the machine's load every so many seconds."""
        self._sampler = Sampler(self.log_metrics, seconds)
        self._sampler.start()

    def wait_until_begun(self, timeout: float) -> None:
        """Waits until the run is begun where it is kept, as long as that place answers.

        Raises:
            FlyballError: it was refused.
        """
        sender = self._recorder.sender
        if self._recorder.offline:
            return
        sender.wait_for(self.id, timeout)
        found = sender.seen.begun.get(self.id)
        if isinstance(found, Run):
            self.is_owner = self.id not in sender.seen.joined
            self.experiment, self.name, self.parent = found.experiment, found.name, found.parent
        elif found is not None:
            self.is_ended = True
            self._recorder.ended(self)
            raise found

    def flush(self, timeout: float = 30.0) -> bool:
        """Waits until all that was logged is kept, at most so many seconds; whether it is."""
        return self._recorder.flush(timeout)

    def finish(self, state: EndState = "finished", error: str = "") -> None:
        """Ends the run, and waits a while until all of it is kept; what is left is sent later."""
        if self.is_ended:
            return
        self._end(state, error)
        is_taken = self._recorder.flush(self._flush)
        self._recorder.ended(self)
        if not is_taken and not self._recorder.offline:
            self._recorder.tell_left()

    def _end(self, state: EndState, error: str) -> None:
        self.is_ended = True
        if self._sampler is not None:
            self._sampler.stop()
        if self.is_owner and self.pid == os.getpid():
            self._recorder.append(
                records.finish(self.id, state, error[:20_000], self._recorder.now()), durable=self.durable
            )
        # The run is no longer among those that a new part begins with; it is still said to be alive until it is over.
        self._recorder.runs.pop(self.id, None)

    def finish_at_exit(self) -> None:
        """Ends a run whose block the process never left, by how the process ends."""
        # Where Python itself has told of an error that nobody caught.
        error = getattr(sys, "last_value", None)
        self._end("failed" if error else "finished", f"{type(error).__name__}: {error}" if error else "")

    def _last_step(self, key: str) -> int:
        limits.check_key(key, "metric")
        if not self._is_resumed or self._recorder.offline or self._recorder.sender.is_failing:
            return -1
        with contextlib.suppress(Exception):  # counting on is a courtesy; work goes on without
            curves = self._recorder.open_services().tracking.chart([self.id], key, buckets=1)
            return max((max(curve.steps) for curve in curves if curve.steps), default=-1)
        return -1


def numbers_of(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics as plain numbers.

    Raises:
        InvalidInput: one is no number.
    """
    found = {}
    for key, value in metrics.items():
        try:
            found[key] = float(value)
        except (TypeError, ValueError, OverflowError):
            raise InvalidInput(f"Metric '{key}' is {str(value)[:40]!r}, which is no number.") from None
    return found


def _whole(step: object) -> int:
    try:
        return index(step)  # type: ignore[arg-type]  # what it is made to find out
    except TypeError:
        raise InvalidInput(f"The step is {str(step)[:40]!r}.", hint="Use a whole number.") from None


def _micros() -> int:
    return time.time_ns() // 1000


def _close_at_exit(recorder: weakref.ref[Recorder]) -> None:
    found = recorder()
    if found is not None:
        found.close()


def _close_with_child(recorder: Recorder) -> None:
    """A child of `multiprocessing` ends without the usual farewell, so what it has logged is sent by its own."""
    processes = sys.modules.get("multiprocessing.process")
    if processes is None or processes.parent_process() is None:
        return
    from multiprocessing.util import Finalize

    Finalize(recorder, recorder.close, exitpriority=100)


def _after_fork() -> None:
    for recorder in list(_recorders):
        recorder.after_fork()


os.register_at_fork(after_in_child=_after_fork)
