"""Candidates put together: a blend is the weighted mean of what several say, a stack learns how to weigh them.

Weights of a blend are found by adding, again and again, the candidate that helps most on rows that none of them has learned
from (Caruana, Niculescu-Mizil, Crew and Ksikes, ICML 2004). So no member is learned twice to find them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flyball.model_search.judging import Judge
from flyball.model_search.parts import Part
from flyball.model_search.portfolio import FAMILIES, Problem, baseline
from flyball.serialization import JsonValue

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_ROUNDS = 20
_ENSEMBLE = "sklearn.ensemble:"
_FOLDS_OF_A_STACK = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A candidate that is part of another."""

    name: str
    family: str
    settings: dict[str, JsonValue] = field(default_factory=dict)
    weight: float = 1.0


def whole_of(problem: Problem, family: str, settings: Mapping[str, JsonValue], members: Sequence[Member] = ()) -> Part:
    """What a candidate is made of."""
    if family == "baseline":
        return baseline(problem)
    if not members:
        return FAMILIES[family].whole(problem, settings)
    inner = [(member.name, FAMILIES[member.family].whole(problem, member.settings)) for member in members]
    kind = "Classifier" if problem.classes else "Regressor"
    if family == "blend":
        named: dict[str, Any] = {"weights": [member.weight for member in members]}
        if problem.classes:
            named["voting"] = "soft"
        return Part(f"{_ENSEMBLE}Voting{kind}", (inner,), named)
    final = Part("sklearn.linear_model:LogisticRegression" if problem.classes else "sklearn.linear_model:RidgeCV")
    folds = "StratifiedKFold" if problem.classes else "KFold"
    way = Part(
        f"sklearn.model_selection:{folds}", (_FOLDS_OF_A_STACK,), {"shuffle": True, "random_state": problem.seed}
    )
    return Part(f"{_ENSEMBLE}Stacking{kind}", (inner, final), {"cv": way})


def blend(
    judge: Judge, truth: npt.NDArray[Any], said: Mapping[int, npt.NDArray[np.float64]]
) -> tuple[dict[int, float], float] | None:
    """The weights of the best blend, and its score; None where no row was judged by all.

    Args:
        truth: Of each row, as the judge takes it.
        said: What each candidate said of rows it had not learned from, shape (rows, classes); NaN where it was not asked.
    """
    import numpy as np

    there = np.all([np.isfinite(each).all(axis=1) for each in said.values()], axis=0) if said else np.zeros(0, bool)
    if len(said) < 2 or not there.any():
        return None
    known = truth[there]
    each = {number: values[there] for number, values in said.items()}
    sign = 1.0 if judge.direction == "maximize" else -1.0
    total = np.zeros_like(next(iter(each.values())))
    picked: list[int] = []
    best: tuple[float, list[int]] = (-np.inf, [])
    for size in range(1, _ROUNDS + 1):
        tried = {number: sign * judge.score(known, _shaped((total + values) / size)) for number, values in each.items()}
        number = max(tried, key=lambda one: (tried[one], -one))
        picked = [*picked, number]
        total = total + each[number]
        if tried[number] > best[0]:
            best = (tried[number], picked)
    counts = Counter(best[1])
    return {number: count / len(best[1]) for number, count in sorted(counts.items())}, sign * best[0]


def stack_score(
    judge: Judge, truth: npt.NDArray[Any], said: Mapping[int, npt.NDArray[np.float64]], seed: int
) -> float | None:
    """How good a stack of these candidates is, each fold of rows judged by what learned from the others."""
    import numpy as np
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.model_selection import KFold, StratifiedKFold

    matrix = np.column_stack([values[:, 1:] if values.shape[1] == 2 else values for values in said.values()])
    if not np.isfinite(matrix).all():
        return None
    way = (StratifiedKFold if judge.classes else KFold)(_FOLDS_OF_A_STACK, shuffle=True, random_state=seed)
    model = LogisticRegression() if judge.classes else RidgeCV()
    found = np.empty((len(truth), max(1, len(judge.classes))))
    for learned, judged in way.split(matrix, truth if judge.classes else None):
        fitted = clone(model).fit(matrix[learned], truth[learned])
        answer = fitted.predict_proba(matrix[judged]) if judge.classes else fitted.predict(matrix[judged])
        found[judged] = answer.reshape(len(judged), -1)
    return judge.score(truth, _shaped(found))


def _shaped(said: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return said[:, 0] if said.shape[1] == 1 else said
