"""How two ways of doing the same work are timed against each other.

They run in turn, A B A B, so that a machine that speeds up or slows down does so for both. CPU seconds of the process and its
children count, wall time is shown beside. What is compared is the median of the ratios, pair by pair.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What one go took, in seconds."""

    cpu: float
    wall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Ours against the other.

    Attributes:
        ratio: Median of ours / theirs, CPU seconds, pair by pair.
        goal: The largest ratio that is good enough; None where it is only watched.
    """

    name: str
    ours: Timing
    theirs: Timing
    against: str
    ratio: float
    goal: float | None

    @property
    def is_met(self) -> bool:
        """Whether the goal is met."""
        return self.goal is None or self.ratio <= self.goal


def compare(
    name: str,
    ours: Callable[[], None],
    theirs: Callable[[], None],
    *,
    against: str,
    goal: float | None = None,
    rounds: int = 7,
) -> Pair:
    """Times two callables in turn.

    Args:
        against: What the other is.
        goal: The largest ratio that is good enough.
        rounds: How often each is timed, after one go that does not count.
    """
    ours()
    theirs()
    taken = [(timed(ours), timed(theirs)) for _ in range(rounds)]
    return Pair(
        name=name,
        ours=middle([a for a, _ in taken]),
        theirs=middle([b for _, b in taken]),
        against=against,
        ratio=statistics.median(a.cpu / max(b.cpu, 1e-9) for a, b in taken),
        goal=goal,
    )


def python(*arguments: str) -> Callable[[], None]:
    """A callable that runs this Python with these arguments, in a process of its own."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}

    def run() -> None:
        done = subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{arguments} failed: {done.stderr[-2000:]}")

    return run


def report(pairs: Sequence[Pair]) -> str:
    """The pairs as a Markdown table."""
    lines = [
        "| work | ours (CPU / wall) | against | theirs (CPU / wall) | ratio | goal | |",
        "|---|---|---|---|---|---|---|",
    ]
    for pair in pairs:
        goal = "-" if pair.goal is None else f"<= {pair.goal:g}"
        lines.append(
            f"| {pair.name} | {_show(pair.ours)} | {pair.against} | {_show(pair.theirs)} | {pair.ratio:.2f} | {goal} | "
            f"{'met' if pair.is_met else 'MISSED'} |"
        )
    return "\n".join(lines)


def timed(work: Callable[[], object]) -> Timing:
    """What some work took."""
    before, start = cpu_seconds(), time.perf_counter()
    work()
    return Timing(cpu=cpu_seconds() - before, wall=time.perf_counter() - start)


def cpu_seconds() -> float:
    """Of this process and its ended children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def middle(timings: Sequence[Timing]) -> Timing:
    """The medians."""
    return Timing(cpu=statistics.median(t.cpu for t in timings), wall=statistics.median(t.wall for t in timings))


def _show(timing: Timing) -> str:
    return f"{timing.cpu * 1000:,.2f} / {timing.wall * 1000:,.2f} ms"
