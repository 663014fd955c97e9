"""The nouns of AutoML: what is searched, its candidates, what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from flyball.evaluation.importance import Importance
from flyball.models.package import ModelPackage
from flyball.serialization import JsonValue

Task = Literal["classification", "regression", "forecasting"]
SearchState = Literal["queued", "running", "finished", "cancelled", "failed"]
CandidateState = Literal["running", "waiting", "finished", "failed", "stopped"]
Place = Literal["here", "worker"]
Direction = Literal["maximize", "minimize"]
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked of a search.

    Attributes:
        dataset: Name of the dataset; its latest snapshot at the beginning is what is searched on.
        label: Column that shall be predicted.
        budget: Seconds that the search may take, all in all.
        metric: Name of the metric that counts; empty for the usual one of the task.
        task: Empty where it is told from the label.
        time: Column that says when a row's thing happened: candidates are then judged on what came later.
        groups: Columns of which equal values belong together: a group is either learned from or judged on. In forecasting they
            name a series.
        horizon: How many steps ahead shall be forecast; 0 for a tenth of the steps there are.
        jobs: How many candidates are tried at once.
        families: Which kinds of models are tried; all that are installed by default.
        seed: Of all that is drawn.
    """

    dataset: str
    label: str
    budget: float = 120.0
    metric: str = ""
    task: Task | Literal[""] = ""
    time: str = ""
    groups: tuple[str, ...] = ()
    horizon: int = 0
    jobs: int = 1
    families: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """How a candidate did on one rung of the ladder.

    Attributes:
        rung: Number of the rung; each higher one costs more and tells more.
        rows: How many rows it learned from and was judged on. `folds`: in how many folds.
        score: Mean of the metric over the folds.
        spread: Standard deviation over the folds; None of a single one.
        seconds: That fitting and judging took.
    """

    rung: int
    rows: int
    folds: int
    score: float
    spread: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One kind of model with its settings, and how it does: a line of the leaderboard.

    Attributes:
        number: Counted from 0, which is the baseline.
        family: Kind of model, such as `linear` or `lightgbm`; `baseline`, `blend` and `stack` are made by the search itself.
        params: Its settings.
        members: Of a blend or a stack: the numbers of the candidates it is made of, with their weights.
        state: `waiting` has been judged on a lower rung and may rise.
        rungs: How it did, from the lowest rung up.
        score: On its highest rung, as mean over the folds; None before the first.
        holdout: The metric on rows that the search itself never saw; None of all but the finalists.
        fit_seconds: To learn from one fold of the highest rung.
        predict_ms: Median time of a prediction of one row, in milliseconds.
        size: Bytes of the fitted model.
        code: How it is written in Python.
        run: Id of the run that keeps its params and metrics.
        predictions: Digest of its predictions of rows that it had not learned from, on the highest rung.
        error: Why it failed.
    """

    search: str
    number: int
    family: str
    state: CandidateState
    params: dict[str, JsonValue] = field(default_factory=dict)
    members: dict[str, float] = field(default_factory=dict)
    rungs: tuple[Rung, ...] = ()
    score: float | None = None
    holdout: float | None = None
    fit_seconds: float | None = None
    predict_ms: float | None = None
    size: int | None = None
    code: str = ""
    run: str = ""
    predictions: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a search came to.

    Attributes:
        winner: Number of the best candidate.
        score: Of the winner, over the folds. `holdout`: on rows that the search never saw.
        baseline: The metric of the baseline on those same rows.
        stopped: Why it ended.
        package: The winner, learned from all rows but the held-out ones: what running the file gives.
        importance: What each column is worth to the winner; None where it cannot be measured.
        file: Text of the project file.
    """

    winner: int
    family: str
    score: float
    holdout: float | None
    baseline: float | None
    stopped: str
    package: ModelPackage | None = None
    importance: Importance | None = None
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search for the best model of a column.

    Attributes:
        task: What it turned out to be; empty before it was begun.
        metric: What counts.
        direction: Whether more of it is better.
        snapshot: Reference of the rows that are searched on.
        state: `queued` waits for a worker.
        place: `worker` is run by the controller's workers, `here` by the process that asked for it.
        rows: How many rows there are, of which `held` are kept back until the end. `columns`: how many a model may look at.
        notes: What was found in the table, and what was done about it, in sentences.
        spent: Seconds that were searched so far, over all attempts.
        attempt: How often it was begun.
        beat: When its process last said that it is alive.
        job: Job of the executor.
        candidates: How many there are.
        best: Score of the best candidate so far.
        error: Why it failed.
    """

    name: str
    wanted: Wanted
    state: SearchState
    place: Place = "here"
    created: datetime = _NEVER
    task: Task | Literal[""] = ""
    metric: str = ""
    direction: Direction | Literal[""] = ""
    snapshot: str = ""
    rows: int = 0
    held: int = 0
    columns: int = 0
    notes: tuple[str, ...] = ()
    spent: float = 0.0
    attempt: int = 0
    beat: datetime = _NEVER
    ended: datetime | None = None
    job: str = ""
    is_cancelled: bool = False
    candidates: int = 0
    best: float | None = None
    error: str = ""
    result: Result | None = None


def in_order(candidates: list[Candidate], direction: str) -> list[Candidate]:
    """The candidates as a leaderboard: those judged on higher rungs first, the better ones first within one."""
    sign = -1.0 if direction == "maximize" else 1.0

    def place(one: Candidate) -> tuple[int, float, int]:
        rung = one.rungs[-1].rung if one.rungs else -1
        return -rung, sign * one.score if one.score is not None else float("inf"), one.number

    return sorted(candidates, key=place)
