"""Tunes a pipeline: tries params, each a run of its own, and keeps what came of them."""

from __future__ import annotations

import functools
import math
import threading
import time
import typing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from flyball.clock import parse_duration
from flyball.errors import Cancelled, FlyballError, InvalidInput, WorkFailed
from flyball.evaluation.scores import METRICS
from flyball.pipelines.engine import run_pipeline
from flyball.pipelines.pipeline import Pipeline
from flyball.pipelines.result import PipelineResult
from flyball.pipelines.step import Step
from flyball.refs import new_id
from flyball.serialization import JsonValue
from flyball.tuning.optimizer import Optimizer, describe_sampler
from flyball.tuning.space import space_of
from flyball.tuning.studies import Studies
from flyball.tuning.study import Direction, Objective, Report, Study, Trial, best_of

_MOST_FAILURES = 5
_REPORT_SECONDS = 1.0
_SILENT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResult:
    """What a search has found.

    Attributes:
        study: The study.
        best: The best trial; with several objectives those that no other beats in all of them. Empty if none finished.
        trials: All trials, those of earlier sessions too.
        stopped: Why it ended, in words.
    """

    study: Study
    best: tuple[Trial, ...]
    trials: tuple[Trial, ...]
    stopped: str

    @property
    def params(self) -> dict[str, JsonValue]:
        """The best params, with those that were fixed.

        Raises:
            WorkFailed: no trial has finished.
        """
        if not self.best:
            raise WorkFailed(f"No trial of study '{self.study.name}' has finished.")
        return {**self.study.fixed, **self.best[0].params}


class Pruned(Cancelled):
    """A trial that was ended because it had no chance."""


def tune(
    target: Pipeline[..., Any] | Step[..., Any] | Callable[..., Any],
    metric: str | Sequence[str] | Mapping[str, Direction],
    *,
    services: Any,
    name: str = "",
    space: Mapping[str, object] | None = None,
    params: Mapping[str, Any] | None = None,
    direction: Direction | Literal[""] = "",
    trials: int = 20,
    budget: str | timedelta | None = None,
    patience: int = 0,
    jobs: int = 1,
    sampler: str = "tpe",
    pruner: str = "none",
    seed: int = 0,
    learn_from: Sequence[str] = (),
    on_trial: Callable[[Trial], None] | None = None,
    cancel: threading.Event | None = None,
) -> StudyResult:
    """Searches the params with which a pipeline, a step or a function does best.

    Each trial is a run of the pipeline; steps that do not depend on the searched params are taken from the cache. The trials are
    kept in the database as they come: called again with the same name, a search that was killed goes on, and one that has
    ended goes further. Equal seeds and one job give equal trials.

    Args:
        target: What is tried. A function's or step's result is the metric, or a dict of metrics.
        metric: Name of the metric, several names, or their directions by name. A pipeline's run has it logged.
        services: What runs work with: see `pipelines.context.PipelineServices`; and `studies`.
        name: Name of the study; that of the target by default.
        space: What is searched, beside what the type hints of the target say: see `space.space_of`.
        params: Parameters that keep a value.
        direction: `maximize` or `minimize`; known for Flyball's own metrics.
        trials: How many trials the study shall have in all.
        budget: How long may be searched, such as `10m`; trials that run then are finished.
        patience: Ends when so many trials in a row were no better; 0 never.
        jobs: How many trials run at once.
        sampler: `tpe`, `random`, `gp`, `cmaes`, `nsga2`, `qmc` or `grid`.
        pruner: `none`, `median`, `hyperband` or `halving`: ends trials without a chance, by what they log of the metric with
            `fb.log(..., step=n)`.
        seed: Of the sampler.
        learn_from: Other studies of the same space, whose trials are known from the beginning.
        on_trial: Told of each trial as it begins and ends.
        cancel: Set from elsewhere to stop; trials that run are cancelled.

    Raises:
        InvalidInput: a name, a bound or a parameter cannot be used.
        WorkFailed: the first trials all failed; the message says why.
        Conflict: there is a study of that name that searches something else.
    """
    if trials < 1 or jobs < 1:
        raise InvalidInput(f"A search of {trials} trials, {jobs} at once, cannot be.", hint="Give 1 or more of both.")
    pipeline = as_pipeline(target)
    fixed = dict(params or {})
    plain = {key: value for key, value in fixed.items() if value is None or isinstance(value, bool | int | float | str)}
    wanted = Study(
        name=name or pipeline.name,
        target=pipeline.name,
        space=space_of(_hints(pipeline), space, fixed),
        objectives=_objectives(metric, direction),
        fixed=plain,
        sampler=describe_sampler(sampler),
        pruner=pruner,
        seed=seed,
    )
    pipeline.bind({**fixed, **dict.fromkeys(wanted.space)})  # names a parameter that nobody gives a value
    Optimizer(wanted)  # what cannot be used is refused before anything is written
    studies: Studies = services.studies
    study = studies.declare(wanted)
    search = _Search(pipeline, study, fixed, services, on_trial, cancel or threading.Event())
    search.take_up(learn_from)
    limits = _Limits(trials, None if budget is None else parse_duration(budget).total_seconds(), patience)
    stopped = search.go(limits, jobs)
    known = all_trials(studies, study.name)
    return StudyResult(study=study, best=tuple(best_of(known, study.objectives)), trials=tuple(known), stopped=stopped)


def as_pipeline(target: Any) -> Pipeline[..., Any]:
    """A pipeline that is the target, or that consists of it."""
    if isinstance(target, Pipeline):
        return target
    step = target if isinstance(target, Step) else Step(target)

    def only(**given: Any) -> Any:
        return step(**given)

    functools.update_wrapper(only, step.function)
    only.__signature__ = step.signature  # type: ignore[attr-defined]  # inspect reads it
    made: Pipeline[..., Any] = Pipeline(only, name=step.name)
    return made


def all_trials(studies: Studies, name: str) -> list[Trial]:
    """All trials of a study."""
    found, page = [], studies.trials(name)
    while page:
        found += page
        page = studies.trials(name, after=page[-1].number)
    return found


@dataclass(frozen=True, slots=True)
class _Limits:
    trials: int
    seconds: float | None
    patience: int


class _Search:
    """One session of a study."""

    def __init__(
        self,
        pipeline: Pipeline[..., Any],
        study: Study,
        fixed: dict[str, Any],
        services: Any,
        on_trial: Callable[[Trial], None] | None,
        cancel: threading.Event,
    ) -> None:
        self._pipeline = pipeline
        self._study = study
        self._fixed = fixed
        self._services = services
        self._studies: Studies = services.studies
        self._on_trial = on_trial
        self._cancel = cancel
        self._lock = threading.Lock()  # the optimizer is not made for several threads
        self._optimizer = Optimizer(study)
        self._seen: dict[int, Trial] = {}
        self._settled = -1  # up to this number all trials have ended, and are not read again

    def take_up(self, learn_from: Sequence[str]) -> None:
        """Learns from earlier trials, and ends those whose process has died."""
        for other in learn_from:
            known = self._studies.get(other)
            if known.space != self._study.space or known.objectives != self._study.objectives:
                raise InvalidInput(
                    f"Study '{other}' has another space or other objectives than '{self._study.name}'.",
                    hint="Trials can be learned from where both are the same.",
                )
            self._optimizer.learn(all_trials(self._studies, other))
        begun = [trial for trial in self._known() if trial.state == "running"]
        if begun:
            self._services.tracking.mark_lost(_SILENT_SECONDS)
        for trial in begun:
            if self._is_dead(trial):
                self._studies.end_trial(trial.study, trial.number, "failed", error="Its process died.")

    def go(self, limits: _Limits, jobs: int) -> str:
        """Tries until a limit is reached; gives why it ended."""
        until = None if limits.seconds is None else time.monotonic() + limits.seconds
        running: set[Future[Trial]] = set()
        failures = 0
        with ThreadPoolExecutor(jobs, thread_name_prefix="trial") as pool:
            while True:
                stopped = self._why_stop(limits, until, len(running))
                if not stopped and len(running) < jobs:
                    begun = self._begin()
                    if begun is None:
                        stopped = "every combination was tried"
                    else:
                        running.add(pool.submit(self._attend, *begun))
                        continue
                if not running:
                    return stopped
                ended, running = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in ended:
                    trial = future.result()
                    failures = failures + 1 if trial.state == "failed" else 0
                    if failures >= _MOST_FAILURES and not self._has_finished():
                        self._cancel.set()
                        raise WorkFailed(
                            f"The first {failures} trials of study '{self._study.name}' failed. The last: {trial.error}"
                        )

    def _why_stop(self, limits: _Limits, until: float | None, running: int) -> str:
        if self._cancel.is_set():
            return "it was asked to stop"
        if until is not None and time.monotonic() >= until:
            return "the time was up"
        known = self._known()
        # What others run at this moment does not count: their process may be dead.
        counted = running + sum(trial.state in ("finished", "pruned") for trial in known)
        if counted >= limits.trials:
            return f"{limits.trials} trials were done"
        if limits.patience and not running and self._is_stale(known, limits.patience):
            return f"{limits.patience} trials in a row were no better"
        if sum(trial.state == "failed" for trial in known) > 3 * limits.trials:
            return "too many trials failed"
        return ""

    def _is_stale(self, known: list[Trial], patience: int) -> bool:
        ended = [trial for trial in known if trial.state in ("finished", "pruned")]
        best = best_of(ended, self._study.objectives)
        last = max((trial.number for trial in best), default=-1)
        return bool(best) and sum(trial.number > last for trial in ended) >= patience

    def _has_finished(self) -> bool:
        return any(trial.state == "finished" for trial in self._known())

    def _known(self) -> list[Trial]:
        """All trials of the study by number, as they stand now."""
        after = self._settled
        while page := self._studies.trials(self._study.name, after=after):
            self._seen |= {trial.number: trial for trial in page}
            after = page[-1].number
        while self._settled + 1 in self._seen and self._seen[self._settled + 1].state != "running":
            self._settled += 1
        return list(self._seen.values())

    def _is_dead(self, trial: Trial) -> bool:
        try:
            run = self._services.tracking.get_run(trial.run)
        except FlyballError:
            return True
        return bool(run.state != "running")

    def _begin(self) -> tuple[int, Trial] | None:
        with self._lock:
            self._optimizer.learn(self._known())
            asked = self._optimizer.ask()
            if asked is None:
                return None
            ticket, params = asked
            run = new_id()
            trial = self._studies.begin_trial(self._study.name, params, run)
            self._optimizer.started(ticket, trial)
        self._say(trial)
        return ticket, trial

    def _attend(self, ticket: int, trial: Trial) -> Trial:
        """Runs a trial to its end, on a thread of its own."""
        reports = _Reports(self, ticket, trial)
        state, values, error = "failed", [], ""
        try:
            result = run_pipeline(
                self._pipeline,
                {**self._fixed, **trial.params},
                services=self._services,
                experiment=self._study.name,
                run_id=trial.run,
                tags={"study": self._study.name, "trial": str(trial.number)},
                on_metric=reports.take if self._study.pruner != "none" else None,
                max_workers=1,
                cancel=self._cancel,
            )
            values = _values(result, self._study.objectives)
            state = "finished"
        except Exception as failure:  # noqa: BLE001  # whatever a trial meets ends that trial alone
            state = "pruned" if reports.is_pruned else "failed"
            error = "" if reports.is_pruned else str(failure)
        reports.flush()
        with self._lock:
            self._optimizer.tell(ticket, state, values)
        ended = self._studies.end_trial(trial.study, trial.number, state, values, error)  # type: ignore[arg-type]  # one of the three above
        self._say(ended)
        return ended

    def should_prune(self, ticket: int, step: int, value: float) -> bool:
        """Whether a trial that stands so has no chance any more."""
        with self._lock:
            return self._optimizer.should_prune(ticket, step, value)

    def write_reports(self, trial: Trial, reports: list[Report]) -> None:
        """Keeps how a trial stood."""
        self._studies.report(trial.study, trial.number, reports)

    @property
    def objective(self) -> str:
        """The metric that pruning looks at."""
        return self._study.objectives[0].metric

    def _say(self, trial: Trial) -> None:
        if self._on_trial is not None:
            self._on_trial(trial)


class _Reports:
    """What one trial logs of the metric on its way; ends it where it has no chance."""

    def __init__(self, search: _Search, ticket: int, trial: Trial) -> None:
        self._search = search
        self._ticket = ticket
        self._trial = trial
        self._waiting: list[Report] = []
        self._written = time.monotonic()
        self.is_pruned = False

    def take(self, metric: str, value: float, step: int) -> None:
        """Takes a point that was logged.

        Raises:
            Pruned: the trial has no chance any more.
        """
        if metric != self._search.objective or not math.isfinite(value):
            return
        self._waiting.append(Report(step=step, value=value))
        if time.monotonic() - self._written > _REPORT_SECONDS:
            self.flush()
        if self._search.should_prune(self._ticket, step, value):
            self.is_pruned = True
            raise Pruned(f"Trial {self._trial.number} had no chance at step {step}.")

    def flush(self) -> None:
        """Writes down what was not written yet."""
        if self._waiting:
            self._search.write_reports(self._trial, self._waiting)
            self._waiting, self._written = [], time.monotonic()


def _values(result: PipelineResult, objectives: Sequence[Objective]) -> list[float]:
    given = result.value()
    measured: dict[str, Any] = dict(result.run.metrics)
    if isinstance(given, int | float) and not isinstance(given, bool) and len(objectives) == 1:
        measured[objectives[0].metric] = given
    elif isinstance(given, Mapping):
        measured |= given
    values = []
    for objective in objectives:
        value = measured.get(objective.metric)
        if not isinstance(value, int | float) or not math.isfinite(value):
            there = ", ".join(sorted(measured)) or "no metric"
            raise WorkFailed(
                f"The run has {'no' if value is None else 'an undefined'} '{objective.metric}'; there is {there}.",
                hint="Log it with fb.log, evaluate with fb.evaluate, or return it.",
            )
        values.append(float(value))
    return values


def _objectives(metric: str | Sequence[str] | Mapping[str, Direction], direction: str) -> tuple[Objective, ...]:
    if isinstance(metric, Mapping):
        wanted = dict(metric)
    else:
        names = [metric] if isinstance(metric, str) else list(metric)
        wanted = {name: direction or _usual_direction(name) for name in names}  # type: ignore[misc]  # checked below
    if not wanted:
        raise InvalidInput("No metric is named that shall be made better.")
    for name, way in wanted.items():
        if way not in ("maximize", "minimize"):
            raise InvalidInput(f"'{name}' cannot be made to {way!r}.", hint="Say 'maximize' or 'minimize'.")
    return tuple(Objective(metric=name, direction=way) for name, way in wanted.items())


def _usual_direction(metric: str) -> Direction:
    if metric not in METRICS.names():
        raise InvalidInput(
            f"It is not known whether more of '{metric}' is better.",
            hint="Say direction='maximize' or 'minimize'; on the command line --metric NAME:maximize.",
        )
    return "maximize" if METRICS.get(metric).greater_is_better else "minimize"


def _hints(pipeline: Pipeline[..., Any]) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(pipeline.function, include_extras=True)
    except (NameError, TypeError, AttributeError):  # names that stand under TYPE_CHECKING only
        hints = {}
    return {name: hints.get(name) for name in pipeline.params}
