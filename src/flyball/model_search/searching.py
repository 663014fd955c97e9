"""Searches: tries candidates in processes of their own until the time is up, puts the best together, writes the winner down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from flyball.errors import Conflict, FlyballError, InvalidInput, WorkFailed
from flyball.model_search.ensembles import Member, blend, stack_score
from flyball.model_search.ladder import Ladder, Next, Step, rungs_for
from flyball.model_search.parts import code_of
from flyball.model_search.portfolio import chosen_families
from flyball.model_search.project_file import project_file
from flyball.model_search.search import Candidate, CandidateState, Result, Rung, Search
from flyball.model_search.setting_up import Setting, set_up
from flyball.model_search.trial import TrialSaid, TrialTask, code_part, read_array
from flyball.model_search.trials import Trials, open_trials
from flyball.refs import new_id
from flyball.serialization import JsonValue
from flyball.tracking.nouns import MetricPoint

_BEAT_SECONDS = 2.0
_MOST_FAILURES = 6
_MOST_MEMBERS = 6
_GRACE = 20.0
"""So many seconds beyond the budget the first candidate may take: without one there is nothing to give."""
_LEAST_RESERVE, _MOST_RESERVE = 0.06, 0.35
_HURRY = 0.35
_LEAST_FOR_A_STACK = 30.0
_WORTH_IT = 0.002
"""By this share of the way from the baseline to the best single model, an ensemble must be better to be worth its weight."""


def search_models(
    name: str,
    *,
    services: Any,
    holder: str = "",
    on_change: Callable[[Candidate], None] | None = None,
    cancel: threading.Event | None = None,
) -> Search:
    """Does the search of that name, or goes on with it, until its budget is spent.

    Args:
        services: A `RunServices`: the workspace, and where processes for trials come from.
        holder: Name of this process, other than that of any other.
        on_change: Told of each candidate as it begins, rises and ends.
        cancel: Set from elsewhere to stop.

    Raises:
        Conflict: another process is at it.
        InvalidInput: the table or the label cannot be learned; the search has failed then, with the same words.
        WorkFailed: no candidate could be learned.
    """
    holder = holder or new_id()
    automl = services.automl
    search = automl.begin(name, holder)
    session = _Session(search, holder, services, on_change, cancel or threading.Event())
    with session.beating():
        try:
            return session.run()
        except Exception as error:
            said = f"{error.message} {error.hint}".strip() if isinstance(error, FlyballError) else repr(error)
            with suppress(FlyballError):
                automl.finish(name, holder, session.spent(), None, said)
            raise


@dataclass(slots=True)
class _Running:
    candidate: Candidate
    rung: int


@dataclass(slots=True)
class _Session:
    """One process's work on a search."""

    search: Search
    holder: str
    services: Any
    on_change: Callable[[Candidate], None] | None
    cancel: threading.Event
    began: float = field(default_factory=time.monotonic)
    known: dict[int, Candidate] = field(default_factory=dict)
    setting: Setting | None = None
    trials: Trials | None = None

    def spent(self) -> float:
        """Seconds of the budget that are used, over all attempts."""
        return self.search.spent + time.monotonic() - self.began

    def left(self) -> float:
        """Seconds of the budget that are left."""
        return self.search.wanted.budget - self.spent()

    def beating(self) -> _Beat:
        """Says that this process is alive for as long as the block lasts."""
        return _Beat(self)

    def run(self) -> Search:
        """Searches to the end."""
        setting = self.setting = set_up(self.search, self.services)
        automl, name = self.services.automl, self.search.name
        automl.describe(
            name, self.holder, setting.problem.task, setting.judge.metric, setting.judge.direction, setting.snapshot,
            setting.count, setting.held_count, len(setting.problem.columns.names), list(setting.notes),
        )  # fmt: skip
        steps = rungs_for(setting.count - setting.held_count, setting.plan.count)
        for one in automl.leaderboard(name, limit=100_000):
            # What was being tried when an earlier process died is tried again.
            state = ("waiting" if one.rungs else "failed") if one.state == "running" else one.state
            self.known[one.number] = replace(one, state=state)
        with open_trials(self.services, threads=1) as trials:
            self.trials = trials
            self.began = time.monotonic()  # what it takes to load libraries is not searched
            stopped = self._climb(steps)
            if self.cancel.is_set():
                result = None
            else:
                self._put_together(steps)
                result = self._finish(stopped)
        for one in [each for each in self.known.values() if each.state == "waiting"]:
            self._keep(replace(one, state="stopped"))
        return automl.finish(name, self.holder, self.spent(), result)  # type: ignore[no-any-return]  # services are any workspace

    # --- up the ladder

    def _climb(self, steps: Sequence[Step]) -> str:
        """Tries candidates until the time is up; gives why it stopped."""
        assert self.setting is not None
        assert self.trials is not None
        top = len(steps) - 1
        families = chosen_families(self.search.wanted.families)
        ladder = Ladder(self.setting.problem, families, top=top, direction=self.setting.judge.direction)
        running: dict[str, _Running] = {}
        if 0 not in self.known or not self.known[0].rungs:
            self._begin(Next(top, "baseline", {}, 0), steps, running)
        stopped = ""
        while True:
            stopped = stopped or self._why_stop()
            while not stopped and len(running) < self.search.wanted.jobs:
                chosen = ladder.next(list(self.known.values()), hurry=self.left() < _HURRY * self.search.wanted.budget)
                if chosen is None:
                    stopped = stopped if running else "nothing is left to try"
                    break
                if self._is_too_dear(chosen, steps):
                    stopped = "the time left is too short for another"
                    break
                self._begin(chosen, steps, running)
            if not running:
                return stopped
            for job, said in self.trials.ended(wait=0.5):
                self._take(running.pop(job), said, steps)
            if stopped and (self.cancel.is_set() or self.left() <= 0):
                self._stop(running)
                return stopped

    def _why_stop(self) -> str:
        if self.cancel.is_set():
            return "it was asked to stop"
        if self.left() <= self._reserve() and (self._ranked() or self.left() < -_GRACE):
            return "the time was up"
        failed = [one for one in self.known.values() if one.state == "failed"]
        good = [one for one in self.known.values() if one.rungs and one.family != "baseline"]
        if len(failed) >= _MOST_FAILURES and not good:
            raise WorkFailed(f"The first {len(failed)} candidates all failed. The last: {failed[-1].error}")
        return ""

    def _reserve(self) -> float:
        """Seconds that are kept for learning the winner from all rows, and for judging it."""
        budget = self.search.wanted.budget
        best = self._ranked()[:1]
        fit = (best[0].fit_seconds or 0.0) if best else 0.0
        return min(_MOST_RESERVE * budget, max(_LEAST_RESERVE * budget, 3.0 * fit))

    def _is_too_dear(self, chosen: Next, steps: Sequence[Step]) -> bool:
        """Whether a candidate that rises would surely not come to its end in time."""
        if chosen.number is None or chosen.rung == 0:
            return False
        below = next((step for step in self.known[chosen.number].rungs if step.rung == chosen.rung - 1), None)
        if below is None:
            return False
        growth = steps[chosen.rung].rows * steps[chosen.rung].folds / max(1, below.rows * below.folds)
        return self._has_top(len(steps) - 1) and 0.8 * below.seconds * growth > self.left() - self._reserve()

    def _has_top(self, top: int) -> bool:
        return any(one.rungs and one.rungs[-1].rung == top for one in self.known.values() if one.family != "baseline")

    def _begin(self, chosen: Next, steps: Sequence[Step], running: dict[str, _Running]) -> None:
        assert self.trials is not None
        number = chosen.number if chosen.number is not None else max(self.known, default=-1) + 1
        known = self.known.get(number)
        base = known or Candidate(
            search=self.search.name, number=number, family=chosen.family, state="running", params=chosen.settings
        )
        step = steps[chosen.rung]
        task = self._task(chosen.family, chosen.settings, rows=step.rows, folds=step.folds)
        task = replace(task, measures=chosen.rung == len(steps) - 1)
        code = base.code or code_of(code_part(task))
        candidate = self._keep(replace(base, state="running", code=code))
        # A candidate that is slower than all that is left of the time is of no use.
        job = self.trials.begin(task, timeout=max(1.0, self.left()) if self._ranked() else max(_GRACE, self.left()))
        running[job] = _Running(candidate, chosen.rung)

    def _take(self, ended: _Running, said: TrialSaid, steps: Sequence[Step]) -> None:
        """Writes down what came of a trial."""
        one = ended.candidate
        if said.error:
            self._keep(
                replace(one, state="waiting" if one.rungs and self.cancel.is_set() else "failed", error=said.error)
            )
            return
        score, spread = _mean(said.scores)
        rung = Rung(
            rung=ended.rung, rows=said.rows, folds=len(said.scores), score=score, spread=spread, seconds=said.seconds
        )
        is_top = ended.rung == len(steps) - 1
        told = replace(
            one, rungs=(*one.rungs, rung), score=score, state="finished" if is_top else "waiting",
            fit_seconds=said.fit_seconds, predict_ms=said.predict_ms, size=said.size, predictions=said.predictions,
        )  # fmt: skip
        self._keep(replace(told, run=self._write_run(told)) if is_top else told)

    def _stop(self, running: dict[str, _Running]) -> None:
        assert self.trials is not None
        for job, each in running.items():
            self.trials.stop(job)
            state: CandidateState = "waiting" if each.candidate.rungs else "stopped"
            self._keep(replace(each.candidate, state=state, error="The time was up."))

    # --- together, and to the end

    def _put_together(self, steps: Sequence[Step]) -> None:
        """Makes a blend and a stack of the best candidates, if they promise to be better than any of these."""
        assert self.setting is not None
        setting, top = self.setting, len(steps) - 1
        best = _one_of_each(self._ranked(), _MOST_MEMBERS)
        said = {one.number: read_array(one.predictions, self.services.blobs) for one in best if one.predictions}
        if len(said) < 2:
            return
        found = blend(setting.judge, setting.truth, said)
        if found is not None and len(found[0]) > 1:
            self._add("blend", found[0], found[1], top)
        divides = not setting.plan.time and not setting.plan.groups
        if divides and self.left() > 0 and self.search.wanted.budget >= _LEAST_FOR_A_STACK:
            score = stack_score(setting.judge, setting.truth, said, setting.problem.seed)
            if score is not None:
                self._add("stack", dict.fromkeys(said, 1.0), score, top)

    def _add(self, family: str, weights: dict[int, float], score: float, top: int) -> None:
        assert self.setting is not None
        before = [one for one in self.known.values() if one.family == family]
        number = before[0].number if before else max(self.known) + 1
        members = {str(member): round(weight, 4) for member, weight in weights.items()}
        each = [self.known[member] for member in weights]
        made = Candidate(
            search=self.search.name, number=number, family=family, state="finished", members=members, score=score,
            rungs=(Rung(rung=top, rows=self.setting.count - self.setting.held_count, folds=self.setting.plan.count, score=score),),
            fit_seconds=sum(one.fit_seconds or 0.0 for one in each),
            predict_ms=sum(one.predict_ms or 0.0 for one in each), size=sum(one.size or 0 for one in each),
        )  # fmt: skip
        task = self._task(family, {}, rows=1, folds=0, members=self._members(made))
        self._keep(replace(made, code=code_of(code_part(task))))

    def _members(self, one: Candidate) -> tuple[Member, ...]:
        return tuple(
            Member(
                name=f"{self.known[int(number)].family}_{number}", family=self.known[int(number)].family,
                settings=self.known[int(number)].params, weight=weight,
            )
            for number, weight in one.members.items()
        )  # fmt: skip

    def _finish(self, stopped: str) -> Result:
        """Learns the best from all rows but those held out, has these judge, and writes the project file."""
        assert self.setting is not None
        ranked = self._ranked(ensembles=True)
        if not ranked:
            failed = [one.error for one in self.known.values() if one.error]
            raise WorkFailed(
                "No candidate was learned in the time.",
                hint=failed[-1] if failed else "Give a larger budget, or fewer rows.",
            )
        winner, said = self._learn_winner(ranked)
        score = said.scores[0]
        told = self._keep(replace(winner, holdout=score, predict_ms=said.predict_ms, size=said.size))
        base = self._holdout(self.known[0]) if 0 in self.known else None
        for other in [one for one in ranked if one.number != winner.number][:2]:
            if self.left() > 1.5 * (other.fit_seconds or 0.0) + 1:
                self._holdout(other)
        task = self._task(told.family, told.params, rows=0, folds=0, members=self._members(told))
        return Result(
            winner=told.number,
            family=told.family,
            score=told.score or 0.0,
            holdout=score,
            baseline=base,
            stopped=stopped,
            package=said.package,
            importance=said.importance,
            file=project_file(self.search, self.setting, told, task, base, len(self.known)),
        )

    def _learn_winner(self, ranked: list[Candidate]) -> tuple[Candidate, TrialSaid]:
        """The best candidate that can be learned from all rows: an ensemble is passed over if it fails or takes too long."""
        last = ""
        for one in ranked[:4]:
            patience = max(self.left(), 20.0, 6 * (one.fit_seconds or 0.0))
            said = self._learn(one, explains=True, timeout=patience)
            if not said.error:
                return one, said
            last = said.error
            self._keep(replace(one, state="failed", error=said.error))
        raise WorkFailed("None of the best candidates could be learned from all rows.", hint=last)

    def _holdout(self, one: Candidate) -> float | None:
        said = self._learn(one, explains=False, timeout=max(self.left(), 10.0))
        if said.error:
            return None
        self._keep(replace(one, holdout=said.scores[0]))
        return said.scores[0]

    def _learn(self, one: Candidate, *, explains: bool, timeout: float) -> TrialSaid:
        assert self.trials is not None
        task = self._task(one.family, one.params, rows=0, folds=0, members=self._members(one))
        job = self.trials.begin(replace(task, explains=explains), timeout=timeout)
        while True:
            for ended, said in self.trials.ended(wait=0.5):
                if ended == job:
                    return said

    def _ranked(self, *, ensembles: bool = False) -> list[Candidate]:
        """The candidates that were judged on the highest rung reached by any, the best first."""
        assert self.setting is not None
        made = {"baseline", "blend", "stack"}
        own = [one for one in self.known.values() if one.rungs and one.state != "failed" and one.family not in made]
        if not own:
            return []
        sign = 1.0 if self.setting.judge.direction == "maximize" else -1.0
        top = max(one.rungs[-1].rung for one in own)
        ranked = sorted((one for one in own if one.rungs[-1].rung == top), key=lambda one: -sign * (one.score or 0.0))
        if not ensembles:
            return ranked
        base = self.known[0].score if 0 in self.known else None
        bar = sign * (ranked[0].score or 0.0)
        bar += _WORTH_IT * abs(bar - sign * base) if base is not None else 0.0
        better = [
            one for one in self.known.values()
            if one.family in ("blend", "stack") and one.state == "finished" and sign * (one.score or 0.0) > bar
        ]  # fmt: skip
        return [*sorted(better, key=lambda one: -sign * (one.score or 0.0)), *ranked]

    def _task(
        self,
        family: str,
        settings: dict[str, JsonValue],
        *,
        rows: int,
        folds: int,
        members: tuple[Member, ...] = (),
    ) -> TrialTask:
        assert self.setting is not None
        setting = self.setting
        return TrialTask(
            rows=setting.rows,
            held=setting.held,
            label=self.search.wanted.label,
            metric=setting.judge.metric,
            problem=setting.problem,
            plan=setting.plan,
            family=family,
            settings=settings,
            members=members,
            most=rows,
            folds=folds,
        )

    def _keep(self, one: Candidate) -> Candidate:
        self.known[one.number] = one
        self.services.automl.put_candidate(one, self.holder)
        if self.on_change is not None:
            self.on_change(one)
        return one

    def _write_run(self, one: Candidate) -> str:
        """A run of the candidate, so that it is found and compared as any other."""
        assert self.setting is not None
        tracking = self.services.tracking
        settings = {key: value for key, value in one.params.items() if value is not None}
        run = tracking.create_run(
            self.search.name,
            name=f"{one.number} {one.family}",
            params={"family": one.family, **settings},
            tags={"automl": self.search.name, "candidate": str(one.number)},
        )
        measured = {"fit_seconds": one.fit_seconds, "predict_ms": one.predict_ms, "size_bytes": one.size}
        points = [
            MetricPoint(key=name, value=float(value), at=self.services.clock.now())
            for name, value in {self.setting.judge.metric: one.score, **measured}.items()
            if value is not None
        ]
        tracking.log(run.id, metrics=points)
        tracking.finish_run(run.id)
        return str(run.id)


class _Beat:
    """Says every two seconds that a session is alive, and hears whether it shall stop."""

    def __init__(self, session: _Session) -> None:
        self._session = session
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flyball-search", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(_BEAT_SECONDS)

    def _run(self) -> None:
        session = self._session
        while not self._over.wait(_BEAT_SECONDS):
            try:
                if session.services.automl.beat(session.search.name, session.holder, session.spent()):
                    session.cancel.set()
            except Conflict:  # another process has taken over
                if not self._over.is_set():
                    session.cancel.set()
            except FlyballError:
                continue  # the database is away for a moment; the next try comes soon


def _one_of_each(ranked: list[Candidate], most: int) -> list[Candidate]:
    """The best of each family first, then the next best: who errs alike helps little."""
    families: set[str] = set()
    firsts = [one for one in ranked if one.family not in families and not families.add(one.family)]  # type: ignore[func-returns-value]  # adding is the point
    others = [one for one in ranked if one not in firsts]
    return [*firsts, *others][:most]


def _mean(scores: Sequence[float]) -> tuple[float, float | None]:
    import statistics

    if not scores:
        raise InvalidInput("A trial without a fold has no score.")
    return statistics.fmean(scores), statistics.stdev(scores) if len(scores) > 1 else None
