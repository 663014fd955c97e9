"""What is done about a cause: the policies, their defaults, and what they are told of."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.errors import InvalidInput
from flyball.loops import on, policy
from flyball.loops.loop import loop
from flyball.loops.policies.base import DEFAULTS, KINDS, POLICIES, Situation, choose
from flyball.loops.restraints import Past
from flyball.loops.triggers.base import Fire, LoopFacts
from flyball.monitoring import monitor
from flyball.monitoring.windows import GroupRates, Window
from flyball.registry.versions import ModelVersion
from tests.loops.clicks import DAY, START, Life

DRIFTING: dict[str, Any] = {
    "retrain": (on.drift(),),
    "monitors": (monitor.drift(), monitor.quality(), monitor.performance("roc_auc")),
}


def trainings(life: Life) -> list[str]:
    return [training.cause.partition(":")[0] for training in life.workspace.loops.list_trainings("clicks")]


def decided(life: Life) -> list[str]:
    return [said.partition(":")[0] for said in life.decisions()]


def test_every_policy_can_be_declared() -> None:
    declared = [
        policy.wait(), policy.gather_labels(), policy.retrain(), policy.retune(), policy.roll_back(), policy.fall_back(1),
        policy.incident(),
    ]  # fmt: skip
    assert {spec.policy for spec in declared} == set(POLICIES.names())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: policy.wait("weather"),
        lambda: policy.wait(windows=-1),
        lambda: policy.retrain("slowly"),  # type: ignore[arg-type]  # what a user may write
        lambda: policy.retrain("window"),
        lambda: policy.gather_labels(below=0),
        lambda: policy.retune(metric="beauty"),
        lambda: policy.fall_back(0),
    ],
    ids=["kind", "windows", "way", "no params", "below", "metric", "version"],
)
def test_a_policy_that_cannot_be_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput):
        wrong()


def test_every_kind_of_cause_has_a_default() -> None:
    assert {kind for spec in DEFAULTS for kind in spec.on} == set(KINDS)


def test_a_param_that_the_pipeline_does_not_take_is_refused_when_the_loop_is_declared() -> None:
    from flyball.pipelines.pipeline import pipeline

    @pipeline
    def plain(depth: int = 3) -> None: ...

    with pytest.raises(InvalidInput, match="has no parameter 'widow'"):
        loop("plain", plain, policies=[policy.retrain("window", params={"widow": "30d"})])
    assert loop("plain", plain, policies=[policy.retrain("window", params={"depth": 4})]).policies


def situation(kind: Any = "decay", *, windows: int = 1, past: tuple[Past, ...] = ()) -> Situation:
    champion = ModelVersion.__new__(ModelVersion)
    object.__setattr__(champion, "version", 3)
    seen = tuple(Window(deployment="d", start=START, end=START + DAY, predictions=1) for _ in range(windows))
    facts = LoopFacts(now=START, champion=champion, windows=seen, last_training=None, applied=START)
    return Situation(
        kind=kind, trigger=str(kind), fire=Fire(cause="c", reason="r"), facts=facts, past=past, champions=(2, 1)
    )


def test_declared_policies_are_asked_before_the_defaults_and_in_their_order() -> None:
    assert choose([], situation("decay")).what == "retrain"
    assert choose([policy.wait("drift"), policy.roll_back("decay")], situation("decay")).what == "roll back"
    assert choose([policy.wait(), policy.roll_back("decay")], situation("decay")).what == "wait"


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("source", "ask"),
        ("failing", "ask"),
        ("bias", "ask"),
        ("labels", "gather labels"),
        ("fruitless", "wait"),
        ("schedule", "retrain"),
    ],
)
def test_what_a_training_cannot_help_is_not_trained_by_default(kind: str, what: str) -> None:
    assert choose([], situation(kind)).what == what


def test_a_retrain_for_everything_leaves_what_it_cannot_help_to_the_next() -> None:
    assert choose([policy.retrain()], situation("source")).what == "ask"


def test_only_a_new_champion_is_rolled_back() -> None:
    back = policy.roll_back("decay", within=2)
    assert choose([back], situation(windows=2)).params == {"version": 2}
    assert choose([back], situation(windows=3)).what == "retrain"


def test_parameters_are_searched_once_trainings_have_brought_nothing() -> None:
    vain = Past(created=START, trigger="decay", version=4)
    search = policy.retune(after=2)
    assert choose([search], situation(past=(vain,))).what == "retrain"
    found = choose([search], situation(past=(vain, vain)))
    assert (found.what, found.params["trials"]) == ("retune", 20)


def test_parameters_are_searched_on_decay_and_the_version_has_the_best(served: Life) -> None:
    pytest.importorskip("optuna")
    served.apply(pipeline="tuned_clicks", policies=(policy.retune("decay", trials=2),))
    served.live(24, turned=True)
    served.settle()
    training = served.workspace.loops.list_trainings("clicks")[0]
    assert training.state == "succeeded", training.error
    study = served.workspace.studies.get(f"clicks-{training.id}")
    best = served.workspace.studies.best(study.name)[0]
    assert len(served.workspace.studies.trials(study.name)) == 2
    assert served.workspace.tracking.get_run(training.id).params["window"] == best.params["window"]
    made = [
        one
        for one in served.workspace.registry.list_versions("clicks")
        if one.run in {t.run for t in served.workspace.studies.trials(study.name)}
    ]
    assert {one.stage for one in made} == {"archived"}


def test_a_schedule_searches_parameters_where_a_policy_says_so() -> None:
    assert choose([policy.retune("schedule")], situation("schedule")).what == "retune"
    assert choose([policy.retune("decay")], situation("schedule")).what == "retrain"


def test_a_retrain_hands_its_params_to_the_pipeline(served: Life) -> None:
    served.apply(policies=(policy.retrain("window", params={"window": "12h"}),))
    served.live(24, turned=True)
    served.settle()
    training = served.workspace.loops.list_trainings("clicks")[0]
    assert training.plan == {"how": "window", "params": {"window": "12h"}}
    run = served.workspace.tracking.get_run(training.id)
    assert run.params["window"] == "12h"


def test_a_champion_that_does_badly_soon_is_rolled_back_to_the_one_before(served: Life) -> None:
    served.live(24, turned=True)
    served.settle()
    for _ in range(2):
        served.live(6, turned=True)
        served.settle()
    assert served.champion == 2
    served.apply(policies=(policy.roll_back("decay", within=3),))
    served.live(12, turned=False)
    served.live(24, turned=False)
    served.settle()
    assert served.champion == 1
    assert decided(served)[-1] == "roll back"
    served.settle()
    assert decided(served).count("roll back") == 1
    (alert,) = [alert for alert in served.workspace.alerts.list(state="active") if alert.kind == "rollback"]
    assert alert.facts["decide"]


def test_a_baseline_answers_and_the_loop_is_paused(served: Life) -> None:
    served.live(24, turned=True)
    served.settle()
    for _ in range(2):
        served.live(6, turned=True)
        served.settle()
    served.apply(policies=(policy.fall_back(1, on="decay"),))
    served.live(12, turned=False)
    served.live(24, turned=False)
    served.settle()
    assert served.champion == 1
    assert served.workspace.loops.get("clicks").loop.paused.startswith("fallen back to the baseline")
    assert "fall back" in decided(served)


def test_a_person_is_asked_once_what_is_to_be_decided(served: Life) -> None:
    served.apply(policies=(policy.incident("decay", decide="Is the new world here to stay?"),))
    served.live(24, turned=True)
    served.settle()
    served.settle()
    (alert,) = [alert for alert in served.workspace.alerts.list() if alert.kind == "incident"]
    assert (alert.severity, alert.count) == ("critical", 1)
    assert alert.facts["decide"] == "Is the new world here to stay?"
    assert trainings(served) == ["first"]
    assert decided(served).count("ask") == 1


def test_drift_whose_labels_are_missing_gathers_labels_and_trains_once_they_come(served: Life) -> None:
    served.apply(**DRIFTING)
    served.live(24, turned=False)
    served.live(24, turned=False, moved=4.0, truth=False)
    served.settle()
    assert trainings(served) == ["first"]
    (asked,) = [each for each in served.workspace.loops.history("clicks") if each.decision == "gather labels"]
    assert "no label has come in for what has drifted" in asked.reason
    assert all(each["confidence"] < 0.75 for each in asked.evidence["predictions"])
    served.live(24, turned=False, moved=4.0)
    served.settle()
    assert trainings(served) == ["drift", "first"]


def test_a_broken_source_is_told_to_a_person_and_starts_nothing(served: Life) -> None:
    served.apply(**DRIFTING)
    served.live(24, turned=False)
    served.live(24, turned=False, stuck=True)
    served.settle()
    assert trainings(served) == ["first"]
    (alert,) = [alert for alert in served.workspace.alerts.list() if alert.kind == "incident"]
    assert alert.title == "The inputs are broken, and learning from them cannot help"
    assert "Mend the source" in str(alert.facts["decide"])


def test_trainings_that_bring_nothing_are_tried_ever_more_seldom(served: Life) -> None:
    served.apply(max_trainings_per_week=100, retrain=(on.drift(),), monitors=DRIFTING["monitors"])
    started = []
    for _ in range(9):
        # The inputs moved, but what follows from them is the same: the new version is no better.
        served.live(24, turned=False, moved=0.7)
        served.settle()
        started.append(len(served.workspace.loops.list_trainings("clicks")))
    assert started[0] == 2
    gaps = [day for day in range(1, 9) if started[day] > started[day - 1]]
    assert gaps[:2] == [1, 3]
    assert any("brought nothing better" in said for said in served.decisions())


def test_processor_time_is_a_budget(served: Life) -> None:
    first = served.workspace.loops.list_trainings("clicks")[0]
    served.workspace.loops.record_cost(first.id, 80.0)
    served.workspace.loops.record_cost(first.id, 40.0)
    served.apply(max_core_seconds_per_week=100.0)
    served.live(24, turned=True)
    served.settle()
    assert served.decisions()[-1].endswith("but the budget of 100 core-seconds a week is spent (120)")


def rates(*, apart: bool) -> GroupRates:
    return GroupRates(
        column="sex", group="f", n=500, labelled=500, positive_rate=0.2, accuracy=0.9, true_positive_rate=0.5,
        false_positive_rate=0.1, metric="positive_rate", ratio=0.6 if apart else 0.95, is_apart=apart,
    )  # fmt: skip


def window(place: int, *, apart: bool) -> Window:
    start = START + place * DAY
    return Window(
        deployment="d", start=start, end=start + DAY, predictions=1000, complete=True, bias=(rates(apart=apart),)
    )


def test_bias_fires_where_a_group_stays_apart() -> None:
    from flyball.loops.keeper import TRIGGERS

    facts = {"now": START, "champion": None, "last_training": None, "applied": START}
    trigger, spec = TRIGGERS.get("bias"), on.bias(windows=2)
    both = LoopFacts(windows=(window(1, apart=True), window(0, apart=True)), **facts)  # type: ignore[arg-type]  # plain facts
    fire = trigger.fires(both, spec.params)
    assert fire is not None
    assert fire.reason == "positive_rate of sex 'f' is 0.60 of the best group's"
    one = LoopFacts(windows=(window(1, apart=True), window(0, apart=False)), **facts)  # type: ignore[arg-type]  # plain facts
    assert trigger.fires(one, spec.params) is None


def test_a_judging_that_fails_is_tried_again_after_a_pause(served: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    from flyball.errors import WorkFailed
    from tests.loops import clicks

    first = served.workspace.registry.get_version("clicks/1")
    served.workspace.registry.register(
        model="clicks", package=first.package, run="", evaluation=first.evaluation, holdout=first.holdout, label=first.label,
        slices=(), reference=first.reference, snapshots=(), code="", params={},
    )  # fmt: skip

    def fail(*_: object) -> None:
        raise WorkFailed("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(clicks, "work", fail)
        served.settle()
    assert trainings(served) == ["judge", "first"]
    served.settle()
    assert trainings(served) == ["judge", "first"]
    served.workspace.clock.set((served.now + DAY / 24).isoformat())
    served.settle()
    assert trainings(served) == ["judge", "judge", "first"]
    assert served.decisions()[-1].startswith("refuse: version 2")
