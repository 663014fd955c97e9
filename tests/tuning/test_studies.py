"""Studies and trials in the database."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from flyball.errors import Conflict, FlyballError, InvalidInput, NotFound
from flyball.tuning.space import number
from flyball.tuning.studies import Studies
from flyball.tuning.study import Objective, Report, Study, best_of

STUDY = Study(
    name="depth",
    target="main",
    space={"x": number(0, 1)},
    objectives=(Objective(metric="auc", direction="maximize"),),
    fixed={},
    sampler="tpe (optuna 5.0.0)",
    pruner="none",
)


def finish(studies: Studies, *values: float, name: str = "depth") -> None:
    for value in values:
        trial = studies.begin_trial(name, {"x": value}, "run")
        studies.end_trial(name, trial.number, "finished", [value])


def test_a_study_is_gone_on_with(studies: Studies) -> None:
    first = studies.declare(STUDY)
    assert studies.declare(STUDY) == first == studies.get("depth")


def test_another_search_of_the_same_name_is_refused(studies: Studies) -> None:
    studies.declare(STUDY)
    with pytest.raises(Conflict, match="has another space"):
        studies.declare(replace(STUDY, space={"x": number(0, 2)}))


def test_trials_are_numbered_and_listed(studies: Studies) -> None:
    studies.declare(STUDY)
    finish(studies, 0.1, 0.2, 0.3)
    assert [trial.number for trial in studies.trials("depth")] == [0, 1, 2]
    assert [trial.number for trial in studies.trials("depth", limit=1, after=1)] == [2]


def test_the_best_is_the_earliest_of_equals(studies: Studies) -> None:
    studies.declare(STUDY)
    finish(studies, 0.5, 0.9, 0.9)
    assert [trial.number for trial in studies.best("depth")] == [1]


def test_with_two_objectives_the_front_is_the_best(studies: Studies) -> None:
    both = (*STUDY.objectives, Objective(metric="seconds", direction="minimize"))
    studies.declare(replace(STUDY, objectives=both))
    for auc, seconds in [(0.9, 5.0), (0.8, 1.0), (0.7, 2.0), (0.95, 9.0)]:
        trial = studies.begin_trial("depth", {"x": auc}, "run")
        studies.end_trial("depth", trial.number, "finished", [auc, seconds])
    assert [trial.number for trial in studies.best("depth")] == [3, 0, 1]


def test_a_trial_ends_once(studies: Studies) -> None:
    studies.declare(STUDY)
    finish(studies, 0.5)
    assert studies.end_trial("depth", 0, "failed", error="late").state == "finished"


def test_a_step_is_told_once(studies: Studies) -> None:
    studies.declare(STUDY)
    studies.begin_trial("depth", {"x": 0.5}, "run")
    for _ in range(2):
        studies.report("depth", 0, [Report(step=1, value=0.5)])
    assert studies.trials("depth")[0].reports == (Report(step=1, value=0.5),)


def test_a_deleted_study_is_gone_with_its_trials(studies: Studies) -> None:
    studies.declare(STUDY)
    finish(studies, 0.5)
    studies.delete("depth")
    assert studies.list() == []
    studies.declare(STUDY)
    assert studies.trials("depth") == []


@pytest.mark.parametrize(
    ("act", "error", "found"),
    [
        (lambda s: s.get("dpth"), NotFound, "no study 'dpth'"),
        (lambda s: s.begin_trial("depth", {"x": 2.0}), InvalidInput, "cannot be 2.0"),
        (lambda s: s.begin_trial("depth", {}), InvalidInput, "has the params x"),
        (lambda s: s.end_trial("depth", 7, "failed"), NotFound, "no trial 7"),
        (lambda s: s.end_trial("depth", 0, "finished", [math.nan]), InvalidInput, "finite numbers"),
        (lambda s: s.end_trial("depth", 0, "finished", []), InvalidInput, "finite numbers"),
        (lambda s: s.report("depth", 0, [Report(step=0, value=math.inf)]), InvalidInput, "no finite number"),
        (lambda s: s.declare(replace(STUDY, name="a/b")), InvalidInput, "a/b"),
    ],
    ids=["unknown", "outside", "missing", "no-trial", "nan", "no-values", "inf", "name"],
)
def test_what_does_not_fit_is_refused(studies: Studies, act: Any, error: type[FlyballError], found: str) -> None:
    studies.declare(STUDY)
    with pytest.raises(error, match=found):
        act(studies)


def test_nothing_is_best_of_nothing() -> None:
    assert best_of([], STUDY.objectives) == []
