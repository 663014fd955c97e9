"""What `benchmarks/pipelines.py` runs in processes of their own: fifty small steps, and steps that want a process each."""

from __future__ import annotations

import flyball as fb


@fb.step
def grow(number: int) -> int:
    """One more."""
    return number + 1


@fb.step(isolated=True)
def grow_apart(number: int) -> int:
    """One more, in a process of its own."""
    return number + 1


@fb.pipeline
def chain(start: int = 0, steps: int = 50) -> int:
    """Steps one after the other."""
    for _ in range(steps):
        start = grow(start)
    return start


@fb.pipeline
def chain_apart(start: int = 0, steps: int = 10) -> int:
    """Steps one after the other, each in a process of its own."""
    for _ in range(steps):
        start = grow_apart(start)
    return start
