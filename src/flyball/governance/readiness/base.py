"""A test of readiness: a question, what the facts say, and the command that would change the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from flyball.governance.readiness.facts import LoopFacts

Section = Literal["data", "model", "infrastructure", "monitoring"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the facts say to a test.

    Attributes:
        points: 0 not done, 0.5 done by hand, 1 done by the platform each time anew.
        why: In one sentence.
        source: The thing that says so; empty where nothing does.
    """

    points: float
    why: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTest:
    """One of the 28 tests.

    Attributes:
        id: Section and number, such as `data.3`.
        title: The test as its authors name it.
        look: What the facts say; None for a test of which only a person can say something.
        mend: The command, or the lines of the project, that would change the answer.
    """

    id: str
    title: str
    look: Callable[[LoopFacts], Found] | None
    mend: str

    @property
    def section(self) -> str:
        """Which of the four sections it belongs to."""
        return self.id.partition(".")[0]


def graded(full: object, half: object, why: tuple[str, str, str], source: str) -> Found:
    """Full points, half of them or none, and the sentence for each."""
    points = 1.0 if full else 0.5 if half else 0.0
    said = why[0] if full else why[1] if half else why[2]
    return Found(points=points, why=said, source=source if points else "")
