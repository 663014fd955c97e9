"""What an executor is: it takes jobs, says how they stand, stops them and keeps what they printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from flyball.executors import _keeper
from flyball.plugins import PluginGroup

State = Literal["queued", "running", "finished", "failed", "cancelled", "timed_out", "lost"]
ENDED: tuple[State, ...] = ("finished", "failed", "cancelled", "timed_out", "lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What work takes while it runs.

    Attributes:
        cores: Processor cores, also parts of one.
        memory: Bytes.
        gpus: Whole accelerators.
        limits: Names of things outside that bear only so many users at once, such as `{"warehouse": 2}`.
    """

    cores: float = 0.0
    memory: int = 0
    gpus: int = 0
    limits: Mapping[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.cores or self.memory or self.gpus or self.limits)


NOTHING = Resources()
"""What work takes that has said nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One command to run.

    Attributes:
        id: Name of the job; a job that has ended may be submitted again under the same one.
        command: The program and its arguments; never a shell line.
        cwd: Folder it runs in; that of this process by default.
        environment: Variables added to those of this process.
        timeout_seconds: After so long it is stopped; None lets it run.
        preload: Modules that the job will load, most of all the slow ones. An executor may start a job `(sys.executable, "-m",
            module, ...)` from a process that has loaded them already.
        resources: What it takes, for an executor that places it on one of several machines.
        packages: What must be installed where it runs, for such an executor.
    """

    id: str
    command: tuple[str, ...]
    cwd: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float | None = None
    preload: tuple[str, ...] = ()
    resources: Resources = NOTHING
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """How a job stands.

    Attributes:
        state: `lost` means that the process, or the one that looked after it, died without a word.
        exit_code: What the command answered; negative is the number of the signal that ended it.
        pid: Process of the command while it runs.
    """

    state: State
    exit_code: int | None = None
    started: datetime | None = None
    ended: datetime | None = None
    pid: int | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state in ENDED


class Executor(Protocol):
    """Something that runs jobs."""

    def submit(self, job: Job) -> str:
        """Takes a job; gives its id. One of the same id that has not ended is left as it is."""
        ...

    def poll(self, job_id: str) -> JobState:
        """How the job stands; never waits. One that was never submitted is lost."""
        ...

    def cancel(self, job_id: str) -> None:
        """Asks the job to stop, then makes it; nothing happens if it has ended or never was."""
        ...

    def logs(self, job_id: str) -> str:
        """What the job has printed so far; empty if it never was."""
        ...

    def read_log(self, job_id: str, start: int = 0) -> bytes:
        """The bytes that the job has printed so far, from a place on; empty if there are none."""
        ...

    def close(self) -> None:
        """Stops what still runs and waits for it."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """An executor that can make a job's start quicker beforehand."""

    def prepare(self, job: Job) -> None:
        """Begins to make ready for a job like this one; never waits."""
        ...


@runtime_checkable
class TellsEnds(Protocol):
    """An executor that tells when a job has ended, so that nobody has to look again and again."""

    def tell_ends(self, listener: Callable[[], None]) -> None:
        """Has the listener called, from any thread, each time that a job of this process has ended."""
        ...


class ExecutorKind(Protocol):
    """One kind of executor: what a plug-in of this room is."""

    def open(self, folder: Path, *, slots: int) -> Executor:
        """An executor that keeps its state in the folder and runs at most `slots` jobs at once."""
        ...


EXECUTORS: PluginGroup[ExecutorKind] = PluginGroup("executor", "flyball.executors")


def start_of_process(pid: int) -> str:
    """When a process started, as text that tells it from a later one of the same number; empty if it is not alive."""
    return _keeper.start_time(pid)
