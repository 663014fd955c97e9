"""The nouns of tuning: study, objective, trial."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from flyball.serialization import JsonValue
from flyball.tuning.space import Dimension

Direction = Literal["maximize", "minimize"]
TrialState = Literal["running", "finished", "pruned", "failed"]
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A metric that is made as large or as small as can be."""

    metric: str
    direction: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A search for the best params of one pipeline.

    Attributes:
        target: Name of the pipeline or step.
        space: The values that are tried, by param.
        objectives: What is wanted; with several, the best trials are those that no other beats in all of them.
        fixed: Params that keep a value.
        sampler: How the next params are chosen, with the library and version that chose: `tpe (optuna 5.0.0)`.
        pruner: How trials without a chance are found.
        seed: Of the sampler.
    """

    name: str
    target: str
    space: dict[str, Dimension]
    objectives: tuple[Objective, ...]
    fixed: dict[str, JsonValue]
    sampler: str
    pruner: str
    seed: int = 0
    created: datetime = _NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a trial stood on its way: the first objective's value at a step."""

    step: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One try of some params.

    Attributes:
        number: Counted from 0.
        values: Of the objectives, in their order; empty until it has finished.
        run: Id of the pipeline's run.
        reports: How it stood on its way.
        error: Why it failed.
    """

    study: str
    number: int
    state: TrialState
    params: dict[str, JsonValue]
    started: datetime
    ended: datetime | None = None
    values: tuple[float, ...] = ()
    run: str = ""
    reports: tuple[Report, ...] = ()
    error: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs."""
        return None if self.ended is None else (self.ended - self.started).total_seconds()


def best_of(trials: list[Trial], objectives: tuple[Objective, ...]) -> list[Trial]:
    """The trials that no other beats in all objectives; with one objective the best one, the earliest of equals."""
    ended = [trial for trial in trials if trial.state == "finished"]
    signs = [1.0 if objective.direction == "maximize" else -1.0 for objective in objectives]
    scores = {trial.number: [sign * value for sign, value in zip(signs, trial.values, strict=True)] for trial in ended}
    if len(objectives) == 1:
        return [max(ended, key=lambda trial: (scores[trial.number], -trial.number))] if ended else []
    front = [trial for trial in ended if not any(_beats(scores[other.number], scores[trial.number]) for other in ended)]
    return sorted(front, key=lambda trial: (scores[trial.number], -trial.number), reverse=True)


def _beats(one: list[float], other: list[float]) -> bool:
    return one != other and all(mine >= theirs for mine, theirs in zip(one, other, strict=True))
