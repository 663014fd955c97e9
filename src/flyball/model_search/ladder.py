"""Who is tried next: successive halving, without waiting.

A candidate begins on the lowest rung, where it costs little. Of those judged on a rung the best third rises to the next one,
as soon as it is known to be among them (asynchronous successive halving: Li et al., MLSys 2020). New candidates are drawn at
random, or near the best of their family; families that do well are drawn more often.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.model_search.portfolio import Family, Problem
from flyball.model_search.search import Candidate
from flyball.serialization import JsonValue

if TYPE_CHECKING:
    import numpy as np

_KEEP = 3
_SMALLEST_RUNG = 8_000
_GROWTH = 8
_NEAR = 0.65


@dataclass(frozen=True, slots=True)
class Step:
    """A rung of the ladder: how many rows and folds a candidate is judged on."""

    rows: int
    folds: int


@dataclass(frozen=True, slots=True)
class Next:
    """What is tried next.

    Attributes:
        number: Of the candidate; None for a new one.
    """

    rung: int
    family: str
    settings: dict[str, JsonValue]
    number: int | None = None


def rungs_for(rows: int, folds: int) -> list[Step]:
    """The rungs for so many rows, from the lowest up; on the highest, all rows and folds count."""
    found, size = [], _SMALLEST_RUNG
    while size * 2 < rows:
        found.append(Step(size, 1))
        size *= _GROWTH
    found.append(Step(rows, 1))
    if folds > 1:
        found.append(Step(rows, folds))
    return found


class Ladder:
    """Chooses what is tried next from what is known of all candidates; it keeps nothing of its own.

    Args:
        families: What is tried.
        top: Number of the highest rung.
        direction: Of the metric.
    """

    def __init__(self, problem: Problem, families: Sequence[Family], *, top: int, direction: str) -> None:
        self._problem = problem
        self._families = {family.name: family for family in families}
        self._top = top
        self._sign = 1.0 if direction == "maximize" else -1.0

    def beginnings(self) -> list[tuple[str, dict[str, JsonValue]]]:
        """The first candidates: of each family in turn."""
        each = [[(family.name, one) for one in family.beginnings(self._problem)] for family in self._families.values()]
        longest = max(map(len, each), default=0)
        return [those[place] for place in range(longest) for those in each if place < len(those)]

    def next(self, candidates: Sequence[Candidate], *, hurry: bool = False) -> Next | None:
        """What is tried next.

        Args:
            candidates: All there are, also those being tried.
            hurry: Whether the best one rises at once, because the time runs out and none has been judged on the highest rung.
        """
        own = [one for one in candidates if one.family in self._families]
        if hurry and not any(one.rungs and one.rungs[-1].rung == self._top for one in own):
            found = self._best_waiting(own)
            if found is not None:
                return found
        begun = [(one.family, one.params) for one in own]
        for family, settings in self.beginnings():
            if (family, settings) not in begun:
                return Next(0, family, settings)
        return self._rising(own) or self._new(own, len(candidates))

    def _best_waiting(self, own: Sequence[Candidate]) -> Next | None:
        waiting = [one for one in own if one.state == "waiting" and one.score is not None]
        if not waiting:
            return None
        best = max(waiting, key=lambda one: (one.rungs[-1].rung, self._sign * (one.score or 0.0)))
        return Next(best.rungs[-1].rung + 1, best.family, best.params, best.number)

    def _rising(self, own: Sequence[Candidate]) -> Next | None:
        for rung in range(self._top - 1, -1, -1):
            judged = [one for one in own if any(step.rung == rung for step in one.rungs)]
            ranked = sorted(judged, key=lambda one: (-self._sign * _score_at(one, rung), one.number))
            for one in ranked[: math.ceil(len(ranked) / _KEEP) if len(ranked) >= _KEEP else 0]:
                if one.state == "waiting" and one.rungs[-1].rung == rung:
                    return Next(rung + 1, one.family, one.params, one.number)
        return None

    def _new(self, own: Sequence[Candidate], count: int) -> Next | None:
        import numpy as np

        random = np.random.default_rng([self._problem.seed, count])
        known = [(one.family, one.params) for one in own]
        for _ in range(20):
            family = self._families[self._family(own, random)]
            good = self._good_of(own, family.name)
            if good and random.random() < _NEAR:
                settings = family.near(self._problem, good[int(random.integers(len(good)))].params, random)
            else:
                settings = family.draw(self._problem, random)
            if (family.name, settings) not in known:
                return Next(0, family.name, settings)
        return None  # nothing is left that was not tried

    def _family(self, own: Sequence[Candidate], random: np.random.Generator) -> str:
        """A family by chance: each one has half the chance of the one that does better than it."""
        names = sorted(self._families, key=lambda name: self._place_of(own, name), reverse=True)
        weights = [0.5 ** min(place, 4) for place in range(len(names))]
        total = sum(weights)
        return str(random.choice(names, p=[weight / total for weight in weights]))

    def _place_of(self, own: Sequence[Candidate], family: str) -> tuple[int, float]:
        judged = [one for one in own if one.family == family and one.rungs]
        if not judged:
            return (-1, 0.0)
        return max((one.rungs[-1].rung, self._sign * one.rungs[-1].score) for one in judged)

    def _good_of(self, own: Sequence[Candidate], family: str) -> list[Candidate]:
        judged = [one for one in own if one.family == family and one.rungs]
        return sorted(judged, key=lambda one: (-one.rungs[-1].rung, -self._sign * one.rungs[-1].score))[:2]


def _score_at(one: Candidate, rung: int) -> float:
    return next(step.score for step in one.rungs if step.rung == rung)
