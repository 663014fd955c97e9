"""What steps take of a machine: processor time, memory, accelerators.

The system cannot tell steps of one process apart. So the processor time that the process used between two moments at which a step
begins or ends is divided equally among the steps that ran between them: exact where they run one after the other, and in sum
always. Memory is what the process held when a step ended or another began, divided in the same way. A step in a process of its own
says itself what that process used.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUsage:
    """What a step, or what a pipeline's run did beside its steps, took.

    Attributes:
        run: Id of the step's run; of the pipeline's run where `step` is empty.
        step: Name of the step; empty for what was done beside the steps.
        wall_seconds: How long it took.
        core_seconds: Processor time of all its threads and processes.
        memory_byte_seconds: Bytes held, times seconds.
        accelerator_seconds: Accelerators held, times seconds.
    """

    run: str
    step: str = ""
    wall_seconds: float = 0.0
    core_seconds: float = 0.0
    memory_byte_seconds: float = 0.0
    accelerator_seconds: float = 0.0


@dataclass(slots=True)
class _Running:
    step: str
    accelerators: int
    began: float
    cores: float = 0.0
    memory: float = 0.0
    is_apart: bool = False


class UsageMeter:
    """Measures the steps of one run of a pipeline.

    Args:
        run: Id of the pipeline's run.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._running: dict[str, _Running] = {}
        self._done: list[StepUsage] = []
        self._beside = _Running(step="", accelerators=0, began=time.monotonic())
        self._last = time.monotonic(), _processor_time()

    @contextmanager
    def step(self, run: str, name: str, accelerators: int = 0) -> Iterator[None]:
        """Measures a step that runs in the block."""
        with self._lock:
            self._divide()
            self._running[run] = _Running(step=name, accelerators=accelerators, began=time.monotonic())
        try:
            yield
        finally:
            with self._lock:
                self._divide()
                self._done.append(_ended(run, self._running.pop(run)))

    def apart(self, run: str) -> None:
        """Says that a step runs in a process of its own, which is not this one."""
        with self._lock:
            self._divide()
            if run in self._running:
                self._running[run].is_apart = True

    def add(self, run: str, core_seconds: float, memory_byte_seconds: float) -> None:
        """Adds what the process of a step says that it used."""
        with self._lock:
            if run in self._running:
                self._running[run].cores += core_seconds
                self._running[run].memory += memory_byte_seconds

    def all(self) -> list[StepUsage]:
        """What each step took, and at the end what the run did beside them."""
        with self._lock:
            self._divide()
            return [*self._done, _ended(self._run, self._beside)]

    def _divide(self) -> None:
        now, used = time.monotonic(), _processor_time()
        seconds, spent = now - self._last[0], max(0.0, used - self._last[1])
        self._last = now, used
        sharing = [each for each in self._running.values() if not each.is_apart] or [self._beside]
        held = _resident() * seconds
        for each in sharing:
            each.cores += spent / len(sharing)
            each.memory += held / len(sharing)


def own_usage() -> tuple[float, int]:
    """Processor time in seconds of this process and its ended children, and the most bytes that it ever held."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    spent = os.times()
    total = spent.user + spent.system + spent.children_user + spent.children_system
    return total, peak * 1024


def _ended(run: str, running: _Running) -> StepUsage:
    seconds = time.monotonic() - running.began
    return StepUsage(
        run=run,
        step=running.step,
        wall_seconds=seconds,
        core_seconds=running.cores,
        memory_byte_seconds=running.memory,
        accelerator_seconds=running.accelerators * seconds,
    )


def _processor_time() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _resident() -> int:
    """Bytes that this process holds; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0
