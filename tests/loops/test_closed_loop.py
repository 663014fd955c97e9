"""The loop closes: trained, judged, deployed, watched, trained again, rolled out or back, all by itself."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from flyball.errors import LeaseLost
from flyball.loops.controller import Controller
from flyball.loops.freeze import freeze_between
from flyball.loops.lease import LEASE
from tests.loops.clicks import Life, life


def _trainings(life: Life) -> list[str]:
    return [training.cause.partition(":")[0] for training in life.workspace.loops.list_trainings("clicks")]


def _stages(life: Life) -> dict[int, str]:
    return {version.version: version.stage for version in life.workspace.registry.list_versions("clicks")}


def test_a_loop_without_a_version_trains_judges_and_deploys_the_first(fresh: Life) -> None:
    fresh.settle()
    version = fresh.workspace.registry.get_version("models:/clicks@champion")
    assert version.version == fresh.champion == 1
    assert version.verdict is not None
    assert version.verdict.passed
    assert fresh.decisions() == [
        "retrain: the model has no version yet",
        "deploy: version 1 is the first to pass",
    ]


def test_the_first_version_follows_from_the_snapshot_of_its_data(served: Life) -> None:
    version = served.workspace.registry.get_version("clicks/1")
    snapshot = served.workspace.data.get_snapshot("clicks")
    assert version.snapshots == (f"snapshots:/clicks/{snapshot.id}",)
    assert version.run == served.workspace.loops.list_trainings("clicks")[0].id


def test_a_controller_that_has_nothing_to_do_says_so(served: Life) -> None:
    assert not served.controller.step(served.lease())
    assert served.workspace.clock.state() == (served.now, True)


def test_a_good_day_calls_for_nothing(served: Life) -> None:
    served.live(24, turned=False)
    served.settle()
    assert _trainings(served) == ["first"]
    (window,) = served.workspace.monitoring.list_windows("clicks")
    assert window.predictions == window.labelled == 960


def test_decay_calls_for_one_training_however_often_the_controller_comes_by(decayed: Life) -> None:
    lease = decayed.lease()
    for _ in range(30):
        decayed.controller.step(lease)
    assert _trainings(decayed) == ["decay", "first"]
    assert sum(decision.startswith("retrain: roc_auc fell") for decision in decayed.decisions()) == 1


def test_two_controllers_start_one_training_for_one_cause(decayed: Life) -> None:
    stop = threading.Event()
    both = [
        threading.Thread(
            target=Controller(decayed.workspace, decayed.executor, holder, pause=0.01).run, args=(stop,), daemon=True
        )
        for holder in ("one", "other")
    ]
    for thread in both:
        thread.start()
    deadline = time.monotonic() + 30
    while not decayed.workspace.clock.state()[1] and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    for thread in both:
        thread.join()
    assert decayed.workspace.clock.state()[1]
    assert _trainings(decayed) == ["decay", "first"]


def test_a_candidate_that_passes_is_brought_in_step_by_step_and_promoted(decayed: Life) -> None:
    deployments = decayed.workspace.deployments
    decayed.settle()
    rollout = deployments.get("clicks").rollout
    assert rollout is not None
    assert (rollout.to_version, rollout.percent, decayed.champion) == (2, 25, 1)
    assert _stages(decayed) == {1: "champion", 2: "challenger"}
    decayed.live(6, turned=True)
    decayed.settle()
    rollout = deployments.get("clicks").rollout
    assert rollout is not None
    assert rollout.percent == 50
    decayed.live(6, turned=True)
    decayed.settle()
    assert decayed.champion == 2
    assert deployments.get("clicks").rollout is None
    assert decayed.decisions()[-1] == "promote: version 2 passed every step of its canary"


def test_the_registrys_champion_follows_the_deployment(decayed: Life) -> None:
    decayed.settle()
    for _ in range(2):
        decayed.live(6, turned=True)
        decayed.settle()
    assert decayed.workspace.registry.get_version("models:/clicks@champion").version == 2
    assert _stages(decayed) == {1: "archived", 2: "champion"}


def test_a_rollout_goes_no_further_before_its_time(decayed: Life) -> None:
    decayed.settle()
    decayed.live(5, turned=True)
    decayed.settle()
    rollout = decayed.workspace.deployments.get("clicks").rollout
    assert rollout is not None
    assert rollout.percent == 25


def test_a_challenger_that_is_worse_is_rolled_back_and_told(decayed: Life) -> None:
    decayed.settle()
    decayed.live(6, turned=False)  # the world turns back: what the challenger learned no longer holds
    decayed.settle()
    assert decayed.champion == 1
    assert decayed.workspace.deployments.list_rollouts("clicks")[0].state == "rolled_back"
    assert _stages(decayed) == {1: "champion", 2: "archived"}
    (alert,) = [alert for alert in decayed.workspace.alerts.list() if alert.kind == "rollback"]
    assert alert.title == "Version 2 was rolled back"
    assert "is wrong in" in alert.detail


def test_a_candidate_that_is_no_better_is_refused_and_never_rolled_out(served: Life) -> None:
    served.workspace.loops.trigger("clicks")
    served.settle()
    assert _stages(served) == {1: "champion", 2: "archived"}
    assert served.decisions()[-1].startswith("refuse: version 2 was held back by beats_champion(roc_auc): ")
    assert served.workspace.deployments.list_rollouts("clicks") == []


def test_a_version_that_was_registered_by_hand_is_judged(served: Life) -> None:
    first = served.workspace.registry.get_version("clicks/1")
    served.workspace.registry.register(
        model="clicks", package=first.package, run="", evaluation=first.evaluation, holdout=first.holdout, label=first.label,
        slices=(), reference=first.reference, snapshots=(), code="", params={},
    )  # fmt: skip
    served.settle()
    assert _trainings(served) == ["judge", "first"]
    assert served.decisions()[-1].startswith("refuse: version 2 was held back by beats_champion(roc_auc): ")


def test_a_paused_loop_watches_but_starts_nothing_until_it_is_resumed(served: Life) -> None:
    served.workspace.loops.pause("clicks", "stock-taking")
    served.live(24, turned=True)
    served.settle()
    assert len(served.workspace.monitoring.list_windows("clicks")) == 1
    assert _trainings(served) == ["first"]
    assert served.decisions()[-1].endswith("but the loop is paused (stock-taking)")
    served.workspace.loops.resume("clicks")
    served.settle()
    assert _trainings(served) == ["decay", "first"]


def test_a_cool_down_lets_a_cause_wait_and_says_so_once(served: Life) -> None:
    served.apply(cooldown_seconds=timedelta(days=3).total_seconds())
    served.live(24, turned=True)
    for _ in range(3):
        served.settle()
    assert _trainings(served) == ["first"]
    waits = [decision for decision in served.decisions() if decision.startswith("wait: ")]
    assert len(waits) == 1
    assert waits[0].endswith("but the last training was 2013-06-03 and the cool-down is not over")


def test_a_budget_that_is_spent_lets_a_cause_wait(served: Life) -> None:
    served.apply(max_trainings_per_week=1)
    served.live(24, turned=True)
    served.settle()
    assert _trainings(served) == ["first"]
    assert served.decisions()[-1].endswith("but the budget of 1 trainings a week is spent")


def test_a_freeze_lets_a_cause_wait_until_it_is_over(served: Life) -> None:
    served.apply(freeze=(freeze_between("2013-06-03", "2013-06-05", reason="stock-taking"),))
    served.live(24, turned=True)
    served.settle()
    assert _trainings(served) == ["first"]
    assert served.decisions()[-1].endswith("but nothing is started until 2013-06-05 00:00 (stock-taking)")
    served.live(24, turned=True)
    served.settle()
    assert _trainings(served) == ["decay", "first"]


def test_a_dry_run_only_says_what_it_would_have_done(served: Life) -> None:
    served.apply(dry_run=True)
    served.live(24, turned=True)
    for _ in range(2):
        served.settle()
    assert _trainings(served) == ["first"]
    (would,) = [said for said in served.decisions() if said.startswith("would retrain")]
    assert "roc_auc fell" in would
    served.apply(dry_run=False)
    served.settle()
    assert _trainings(served) == ["decay", "first"]


def test_a_dry_run_begins_no_first_training(tmp_path: Path) -> None:
    with life(tmp_path) as made:
        made.apply(dry_run=True)
        made.settle()
        assert made.decisions() == ["would retrain: the model has no version yet"]
        assert made.workspace.loops.list_trainings("clicks") == []


def test_a_dry_run_rolls_nothing_out(served: Life) -> None:
    served.live(24, turned=True)
    served.settle()
    served.workspace.deployments.abort("clicks", "to see it again")
    served.workspace.registry.set_stage("clicks", 2, "candidate", "to see it again")
    served.apply(dry_run=True)
    served.settle()
    assert "would roll out: version 2 passed its gates" in served.decisions()
    assert served.workspace.deployments.get("clicks").rollout is None


def test_a_loop_that_keeps_failing_stops_and_asks_for_help(served: Life) -> None:
    served.apply(pipeline="broken", max_trainings_per_week=20)
    for _ in range(5):
        served.live(24, turned=True)
        served.settle()
    assert _trainings(served) == ["decay", "decay", "decay", "first"]
    asked = [alert for alert in served.workspace.alerts.list() if alert.cause.startswith("loop:failing")]
    assert len(asked) == 1
    assert asked[0].severity == "critical"


def test_a_training_that_fails_opens_an_alert_with_its_last_words(fresh: Life) -> None:
    fresh.apply(pipeline="broken")
    fresh.settle()
    (training,) = fresh.workspace.loops.list_trainings("clicks")
    assert training.state == "failed"
    (alert,) = fresh.workspace.alerts.list()
    assert (alert.kind, alert.severity, alert.subject) == ("training", "critical", "loops:/clicks")
    assert "no model today" in alert.detail


def test_a_pipeline_that_registers_nothing_for_its_loop_is_told(fresh: Life) -> None:
    fresh.apply(name="sales")
    fresh.settle()
    (training,) = fresh.workspace.loops.list_trainings("sales")
    assert training.error.startswith("The pipeline 'train_clicks' registered no version of 'sales'.")


class Killed(Exception):
    """Stands for a kill -9 of the controller."""


def _killed_at(life: Life, monkeypatch: pytest.MonkeyPatch, service: object, verb: str) -> None:
    """The controller acts until it is about to call the verb, and is killed there."""

    def die(*_given: object, **_named: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(service, verb, die)
        with pytest.raises(Killed):
            life.settle()
    life.controller = Controller(life.workspace, life.executor, "first")


def test_a_controller_killed_while_it_deploys_the_first_version_is_followed_by_one_that_goes_on(
    fresh: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    _killed_at(fresh, monkeypatch, fresh.workspace.registry, "promote")
    fresh.settle()
    assert (fresh.champion, _stages(fresh)) == (1, {1: "champion"})


def test_a_controller_killed_while_it_begins_a_rollout_is_followed_by_one_that_goes_on(
    decayed: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    _killed_at(decayed, monkeypatch, decayed.workspace.registry, "set_stage")
    decayed.settle()
    assert decayed.workspace.deployments.get("clicks").rollout is not None
    assert _stages(decayed) == {1: "champion", 2: "challenger"}
    assert sum(decision.startswith("roll out") for decision in decayed.decisions()) == 1


@pytest.mark.parametrize("verb", ["abort", "advance"])
def test_a_controller_killed_while_it_ends_a_rollout_is_followed_by_one_that_tells_it_once(
    decayed: Life, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    decayed.settle()
    decayed.live(6, turned=verb == "advance")
    if verb == "advance":
        decayed.settle()
        decayed.live(6, turned=True)
    _killed_at(decayed, monkeypatch, decayed.workspace.deployments, verb)
    decayed.settle()
    told = [decision.partition(":")[0] for decision in decayed.decisions()]
    assert told.count("promote" if verb == "advance" else "roll back") == 1
    assert decayed.champion == (2 if verb == "advance" else 1)


def test_a_controller_killed_before_the_job_was_submitted_is_followed_by_one_that_starts_it(
    fresh: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    _killed_at(fresh, monkeypatch, fresh.executor, "submit")
    fresh.settle()
    (training,) = fresh.workspace.loops.list_trainings("clicks")
    assert (training.state, training.attempt) == ("succeeded", 2)
    assert fresh.champion == 1


def test_a_controller_whose_lease_another_took_starts_nothing(fresh: Life) -> None:
    late = fresh.workspace.database.lease(LEASE, "first", timedelta(milliseconds=1))
    assert late is not None
    time.sleep(0.05)
    fresh.lease("second")
    with pytest.raises(LeaseLost):
        fresh.controller.step(late)
    assert fresh.workspace.loops.list_trainings("clicks") == []


def test_one_loop_that_cannot_go_on_does_not_stop_the_others(fresh: Life) -> None:
    fresh.apply(name="absent", pipeline="broken")
    fresh.workspace.deployments.deploy("absent", "absent", 7)
    fresh.settle()
    assert fresh.champion == 1
    found = {alert.kind: alert.subject for alert in fresh.workspace.alerts.list()}
    assert (found["loop"], found["deployment"]) == ("loops:/absent", "deployments:/absent")
