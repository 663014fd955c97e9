"""Levels of maturity and the ML Test Score of loops, computed from facts.

The score is that of Breck, Cai, Nielsen, Salib and Sculley, "The ML Test Score: A Rubric for ML Production Readiness and
Technical Debt Reduction" (IEEE Big Data 2017): 28 tests in four sections; half a point for what is done by hand and written
down, a full one for what runs by itself each time; the score is the smallest of the four sums.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from flyball.errors import InvalidInput, did_you_mean
from flyball.governance import _store
from flyball.governance.readiness import data, infrastructure, model, monitoring
from flyball.governance.readiness.base import Found, ScoreTest
from flyball.governance.readiness.facts import LoopFacts
from flyball.governance.readiness.levels import CRITERIA
from flyball.principals import acting
from flyball.refs import Ref
from flyball.verbs import change, read

if TYPE_CHECKING:
    from flyball.workspace import Workspace

TESTS: tuple[ScoreTest, ...] = (*data.TESTS, *model.TESTS, *infrastructure.TESTS, *monitoring.TESTS)
FRESH = timedelta(days=180)
"""A check by hand counts for so long."""

_MEANINGS = (
    (0.0, "more of a research project than a system in production"),
    (1.0, "not untested, but there may be serious holes in its reliability"),
    (2.0, "a first pass at production; more is needed"),
    (3.0, "reasonably tested; more of it could run by itself"),
    (5.0, "strongly tested and watched by itself; fit for what matters much"),
    (7.0, "exceptional"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualCheck:
    """A test that somebody, or a program of theirs, has made outside of the platform.

    Attributes:
        kind: `user` for a person; of a `service`, such as a CI, it counts as made by itself.
        evidence: What shows it: a reference, an address, a sentence.
    """

    id: int
    loop: str
    test: str
    at: datetime
    by: str
    kind: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TestScore:
    """What one of the 28 tests came to.

    Attributes:
        points: 0, 0.5 (by hand) or 1 (by itself).
        source: What says so; empty where nothing does.
        mend: What would bring more; empty where nothing is missing.
    """

    __test__ = False

    test: str
    title: str
    points: float
    why: str
    source: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionScore:
    """The sum of a section's tests, 0 to 7."""

    section: str
    points: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionState:
    """Whether something that a level asks for is so."""

    level: int
    title: str
    is_met: bool
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MaturityReport:
    """How ready a loop is.

    Attributes:
        level: 0 by hand, 1 trained by itself, 2 delivered by itself too.
        criteria: What the levels ask for.
        score: The smallest of the sections' sums, 0 to 7.
        meaning: What the authors of the score say of such a one.
        next_step: What is missing first for the next level, or for the weakest section.
        command: What to do for it.
    """

    loop: str
    level: int
    criteria: tuple[CriterionState, ...]
    score: float
    meaning: str
    sections: tuple[SectionScore, ...]
    tests: tuple[TestScore, ...]
    next_step: str
    command: str


class Maturity:
    """Computes how ready loops are, and keeps checks that people made by hand."""

    def __init__(self, here: Workspace) -> None:
        self._here = here

    @read
    def get(self, loop: str) -> MaturityReport:
        """Level, score and next step of a loop.

        Raises:
            NotFound: there is no such loop.
        """
        facts = LoopFacts(self._here, loop)
        checks = self._fresh(loop)
        scores = tuple(_score(test, facts, checks.get(test.id)) for test in TESTS)
        sections = tuple(
            SectionScore(section=name, points=sum(s.points for s in scores if s.test.partition(".")[0] == name))
            for name in dict.fromkeys(test.section for test in TESTS)
        )
        criteria = tuple(
            CriterionState(level=c.level, title=c.title, is_met=c.is_met(facts), mend=c.mend.replace("LOOP", loop))
            for c in CRITERIA
        )
        step, command = _next(criteria, scores, sections)
        score = min(section.points for section in sections)
        return MaturityReport(
            loop=loop, level=_level(criteria), criteria=criteria, score=score, meaning=_meaning(score), sections=sections,
            tests=scores, next_step=step, command=command,
        )  # fmt: skip

    @read
    def list(self, limit: int = 100, after: str = "") -> builtins.list[MaturityReport]:
        """All loops by name.

        Args:
            limit: At most this many, up to 100.
            after: Only those whose name comes after it.
        """
        loops = self._here.loops.list(limit=max(1, min(limit, 100)), after=after)
        return [self.get(state.loop.name) for state in loops]

    @change
    def record_check(self, loop: str, test: str, evidence: str) -> ManualCheck:
        """Keeps that who acts has made a test by hand; it counts half a point for half a year.

        A program with an account of its own, such as a CI that makes the test with each change, counts as a full one.

        Args:
            test: Such as `model.5`.
            evidence: What shows it: a reference, an address, a sentence.

        Raises:
            NotFound: there is no such loop.
            InvalidInput: there is no such test, or no evidence.
        """
        known = [each.id for each in TESTS]
        if test not in known:
            raise InvalidInput(f"There is no test '{test[:40]}'.", hint=did_you_mean(test, known))
        if not evidence.strip() or len(evidence) > 10_000:
            raise InvalidInput("A check needs evidence of 1 to 10,000 characters.", hint="Say where it can be seen.")
        self._here.loops.get(loop)
        who, now = acting(), self._here.time.now()
        row: dict[str, Any] = {"loop": loop, "test": test, "at": now, "by": who.name, "kind": who.kind}
        row["evidence"] = evidence.strip()
        with self._here.database.transaction() as connection:
            insert = sa.insert(_store.manual_checks).values(**row).returning(_store.manual_checks.c.id)
            number = connection.execute(insert).scalar_one()
            self._here.events.append(
                connection, "maturity.checked", Ref(kind="loops", name=loop), test=test, by=who.name
            )
        return ManualCheck(id=number, **row)

    @read
    def list_checks(self, loop: str, limit: int = 100, before: int = 0) -> builtins.list[ManualCheck]:
        """Checks by hand, the latest first.

        Args:
            limit: At most this many, up to 1,000.
            before: Only those whose id is smaller.
        """
        table = _store.manual_checks
        query = sa.select(table).where(table.c.loop == loop)
        if before:
            query = query.where(table.c.id < before)
        rows = self._here.database.rows(query.order_by(table.c.id.desc()).limit(max(1, min(limit, 1000))))
        return [ManualCheck(**row._mapping) for row in rows]

    def _fresh(self, loop: str) -> dict[str, ManualCheck]:
        since = self._here.time.now() - FRESH
        checks = [check for check in self.list_checks(loop, limit=1000) if check.at >= since]
        # Of several the one that counts more; the latest of those.
        return {c.test: c for c in sorted(checks, key=lambda c: (c.kind != "user", c.id))}


def _score(test: ScoreTest, facts: LoopFacts, check: ManualCheck | None) -> TestScore:
    found = (
        test.look(facts) if test.look else Found(points=0.0, why="Only a person, or a program of yours, can say so.")
    )
    if check is not None:
        points = 0.5 if check.kind == "user" else 1.0
        if points > found.points:
            said = f"{check.by} checked it on {check.at:%Y-%m-%d}: {check.evidence}"
            found = Found(points=points, why=said, source=f"maturity check {check.id}")
    mend = "" if found.points >= 1 else test.mend.replace("LOOP", facts.name).replace("DEPLOYMENT", facts.name)
    return TestScore(test=test.id, title=test.title, points=found.points, why=found.why, source=found.source, mend=mend)


def _level(criteria: Iterable[CriterionState]) -> int:
    missing = {each.level for each in criteria if not each.is_met}
    return 0 if 1 in missing else 1 if 2 in missing else 2


def _meaning(score: float) -> str:
    return next(said for most, said in _MEANINGS if score <= most)


def _next(
    criteria: tuple[CriterionState, ...], scores: tuple[TestScore, ...], sections: tuple[SectionScore, ...]
) -> tuple[str, str]:
    for each in criteria:
        if not each.is_met:
            return f"For level {each.level}: {each.title[0].lower()}{each.title[1:]}.", each.mend
    weakest = min(sections, key=lambda section: section.points)
    for score in sorted(scores, key=lambda score: score.points):
        if score.points < 1 and score.test.startswith(weakest.section):
            return f"For a higher score: {score.title[0].lower()}{score.title[1:]}.", score.mend
    return "Nothing is missing.", ""
