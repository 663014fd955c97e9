"""Where trials are done: in processes of this machine that stay, or as jobs of a cluster; each is stopped when its time is up."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Protocol, Self

from flyball.executors.base import Job, JobState, Resources
from flyball.model_search.trial import MARK, TrialSaid, TrialTask
from flyball.refs import new_id
from flyball.serialization import from_json, to_json

MODULE = "flyball.trial_worker"
READY = "flyball-ready"
"""What a process says when it has loaded what each trial needs."""
_READY_SECONDS = 120.0
_LOOK_SECONDS = 0.1
_SHOWN_LOG = 600
_STOPPED = "It was stopped: the time was up."


class Trials(Protocol):
    """Does trials; a `with` block stops at its end what still runs."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def begin(self, task: TrialTask, *, timeout: float) -> str:
        """Begins a trial, which is stopped after so many seconds; gives its name."""
        ...

    def ended(self, *, wait: float) -> list[tuple[str, TrialSaid]]:
        """The trials that have ended, with what they said; waits so many seconds for the first."""
        ...

    def stop(self, name: str) -> None:
        """Stops a trial."""
        ...


def open_trials(services: Any, *, threads: int) -> Trials:
    """Where the trials of a search are done: here, or where the workspace's executor has its machines.

    Args:
        services: Those of a run.
        threads: How many one trial may use.
    """
    return _Jobs(services, threads) if services.runs_elsewhere else _Seats(services, threads)


@dataclass(slots=True)
class _Seat:
    """A process that does one trial after the other, and what it does now."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    trial: str = ""
    deadline: float = 0.0
    said: bytes = b""


class _Seats:
    """Trials in processes of this machine. They stay, for loading libraries takes longer than many a trial."""

    def __init__(self, services: Any, threads: int) -> None:
        self._blobs = services.blobs
        place = services.workplace()
        place.executor.close()  # only its settings are of use here
        self._environment = {
            **os.environ,
            **place.environment,
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)),
            "OMP_WAIT_POLICY": "PASSIVE",
        }
        self._seats: list[_Seat] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        """Starts a process, and waits until it has loaded what each trial needs."""
        seat, until = self._new(), time.monotonic() + _READY_SECONDS
        while READY.encode() not in seat.said and seat.process.poll() is None and time.monotonic() < until:
            for key, _ in self._selector.select(_LOOK_SECONDS):
                self._hear(key.data)
        return self

    def __exit__(self, *_: object) -> None:
        for seat in list(self._seats):
            self._clear(seat)
        self._selector.close()

    def begin(self, task: TrialTask, *, timeout: float) -> str:
        seat = next((each for each in self._seats if not each.trial), None) or self._new()
        seat.trial, seat.deadline, seat.said = f"trial-{new_id()}", time.monotonic() + timeout, b""
        assert seat.process.stdin is not None
        seat.process.stdin.write(self._blobs.put(to_json(task)).encode() + b"\n")
        seat.process.stdin.flush()
        return seat.trial

    def ended(self, *, wait: float) -> list[tuple[str, TrialSaid]]:
        until = time.monotonic() + wait
        while True:
            nearest = min([until, *(seat.deadline for seat in self._seats if seat.trial)])
            for key, _ in self._selector.select(max(0.0, nearest - time.monotonic())):
                self._hear(key.data)
            busy = [(seat.trial, seat) for seat in self._seats if seat.trial]
            found = [(name, said) for name, seat in busy if (said := self._said(seat)) is not None]
            if found or time.monotonic() >= until:
                return found

    def stop(self, name: str) -> None:
        for seat in [each for each in self._seats if each.trial == name]:
            self._clear(seat)

    def _new(self) -> _Seat:
        log = tempfile.TemporaryFile()  # noqa: SIM115  # it is closed with its seat
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            env=self._environment,
        )  # fmt: skip
        seat = _Seat(process, log)
        self._seats.append(seat)
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ, seat)
        return seat

    def _hear(self, seat: _Seat) -> None:
        assert seat.process.stdout is not None
        data = seat.process.stdout.read()
        if data:
            seat.said += data
        elif data == b"":
            self._selector.unregister(seat.process.stdout)
            seat.process.wait()

    def _said(self, seat: _Seat) -> TrialSaid | None:
        if MARK.encode() in seat.said and seat.said.endswith(b"\n"):
            seat.trial = ""
            return from_json(seat.said.partition(MARK.encode())[2], TrialSaid)
        code = seat.process.poll()
        if code is not None:
            error = _died(code, self._clear(seat))
            return TrialSaid(error=error)
        if time.monotonic() > seat.deadline:
            self._clear(seat)
            return TrialSaid(error=_STOPPED)
        return None

    def _clear(self, seat: _Seat) -> str:
        """Ends a process; gives the last that it has said."""
        process = seat.process
        process.kill()
        process.wait()
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(process.stdout)  # type: ignore[arg-type]  # it has one
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]  # it has both
        seat.log.seek(0)
        said = seat.log.read().decode("utf-8", "replace")
        seat.log.close()
        self._seats.remove(seat)
        return said


class _Jobs:
    """Trials as jobs of an executor that has its machines elsewhere."""

    def __init__(self, services: Any, threads: int) -> None:
        self._blobs = services.blobs
        self._place = services.workplace()
        self._threads = threads
        self._deadlines: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._deadlines):
            self.stop(name)
        self._place.executor.close()

    def begin(self, task: TrialTask, *, timeout: float) -> str:
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(self._threads))
        job = Job(
            id=f"trial-{new_id()}",
            command=(sys.executable, "-m", MODULE, self._blobs.put(to_json(task))),
            environment={**self._place.environment, **threads},
            resources=Resources(cores=float(self._threads)),
        )
        self._place.executor.submit(job)
        self._deadlines[job.id] = time.monotonic() + timeout
        return job.id

    def ended(self, *, wait: float) -> list[tuple[str, TrialSaid]]:
        until = time.monotonic() + wait
        while True:
            found = list(self._found())
            if found or time.monotonic() >= until:
                return found
            time.sleep(_LOOK_SECONDS)

    def stop(self, name: str) -> None:
        self._deadlines.pop(name, None)
        self._place.executor.cancel(name)

    def _found(self) -> Iterator[tuple[str, TrialSaid]]:
        for name, deadline in list(self._deadlines.items()):
            state: JobState = self._place.executor.poll(name)
            if state.has_ended:
                self._deadlines.pop(name)
                log = self._place.executor.logs(name)
                _, mark, said = log.rpartition(MARK)
                yield (
                    name,
                    from_json(said.splitlines()[0].encode(), TrialSaid)
                    if mark
                    else TrialSaid(error=_died(state.exit_code or 0, log)),
                )
            elif time.monotonic() > deadline:
                self.stop(name)
                yield name, TrialSaid(error=_STOPPED)


def _died(code: int, log: str) -> str:
    how = f" with signal {-code}" if code < 0 else f" with exit code {code}"
    hint = " Signal 9 is most often the system that was out of memory." if code == -9 else ""
    return f"Its process died{how}.{hint} {log.strip()[-_SHOWN_LOG:]}".strip()
