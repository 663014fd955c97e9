"""What a rollout is judged by: failures and slowness as well as wrong answers; and challenges without end."""

from __future__ import annotations

import importlib.util
import sys

import pyarrow as pa
import pytest

from flyball.deployment.rollout import RolloutSpec, canary, challenge, shadow
from flyball.errors import InvalidInput
from flyball.models.package import save_model
from tests.loops.clicks import DAY, Life

FRAGILE = """
def guess(table):
    x = table["x"].to_pylist()
    if max(x) > 3:
        raise ValueError("never seen such a thing")
    return {"prediction": [value > 0 for value in x], "probability": [0.9 if value > 0 else 0.1 for value in x]}
"""
OFTEN = canary([50, 100], hold="2d", min_predictions=20)


def register_by_hand(life: Life, source: str = FRAGILE) -> None:
    """A version that is a function of a file; it is judged by no gate and rolled out."""
    path = life.workspace.root / "fragile.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("fragile", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fragile"] = module
    spec.loader.exec_module(module)
    package = save_model(
        module.guess, life.workspace.blobs, example=pa.table({"x": [0.1, -0.2]}), task="classification",
        classes=[False, True],
    )  # fmt: skip
    first = life.workspace.registry.get_version("clicks/1")
    life.workspace.registry.register(
        model="clicks", package=package, run="", evaluation=first.evaluation, holdout=first.holdout, label=first.label,
        slices=(), reference=first.reference, snapshots=(), code="", params={},
    )  # fmt: skip


def begin(life: Life, rollout: RolloutSpec) -> None:
    life.apply(gates=(), retrain=(), rollout=rollout)
    register_by_hand(life)
    life.settle()
    assert life.workspace.deployments.get("clicks").rollout is not None


@pytest.mark.parametrize("rollout", [OFTEN, shadow(hold="2d", min_predictions=20)], ids=["canary", "shadow"])
def test_a_challenger_that_fails_where_the_champion_does_not_is_rolled_back(served: Life, rollout: RolloutSpec) -> None:
    begin(served, rollout)
    served.live(24, turned=False, moved=3.0)
    served.settle()
    assert served.champion == 1
    ended = served.workspace.deployments.list_rollouts("clicks")[0]
    assert ended.state == "rolled_back"
    assert ended.reason.startswith("it fails in ")
    (alert,) = [alert for alert in served.workspace.alerts.list() if alert.kind == "rollback"]
    assert "the champion in 0.0%" in alert.detail


def test_the_failures_of_a_challenger_stand_in_the_prediction_log(served: Life) -> None:
    from flyball.serving.prediction_log import read_predictions

    begin(served, OFTEN)
    served.live(1, turned=False, moved=3.0)
    log, _ = read_predictions(served.workspace.store, "clicks")
    failed = log.filter(log["error"].is_valid()).to_pylist()
    assert failed
    assert {(row["model_version"], row["answered"], row["error"]) for row in failed} == {
        (2, False, "ValueError: never seen such a thing")
    }
    answered = log.filter(log["answered"])["prediction_id"].to_pylist()
    assert len(answered) == len(set(answered)) == 40


def test_one_that_fails_as_often_as_the_champion_is_not_blamed(served: Life) -> None:
    register_by_hand(served)
    served.apply(gates=(), retrain=(), rollout=canary([50, 100], hold="1d", min_predictions=1))
    served.workspace.deployments.deploy("clicks", "clicks", 2)
    served.workspace.registry.promote("clicks", 2, "by hand")
    register_by_hand(served)
    served.settle()
    rollout = served.workspace.deployments.get("clicks").rollout
    assert rollout is not None
    assert rollout.to_version == 3
    for _ in range(6):
        with pytest.raises(ValueError, match="never seen such a thing"):
            served.live(1, turned=False, moved=3.0)
        served.live(2, turned=False)
    served.settle()
    assert served.workspace.deployments.list_rollouts("clicks")[0].state == "running"


def test_a_challenger_takes_over_as_soon_as_it_is_surely_better(served: Life) -> None:
    served.apply(rollout=challenge(at_most="30d", min_predictions=20))
    served.live(24, turned=True)
    served.settle()
    assert served.champion == 1
    served.live(6, turned=True)
    served.settle()
    assert served.champion == 2
    assert served.decisions()[-1].startswith("promote: version 2 is surely better: it is wrong in ")


def test_a_challenger_that_is_no_better_never_takes_over(served: Life) -> None:
    begin(served, challenge(at_most="2d", min_predictions=20))
    for _ in range(3):
        served.live(24, turned=False)
        served.settle()
    assert served.champion == 1
    assert served.decisions()[-1] == (
        "keep: the challenge of version 2 ended: its time is over and it is not surely better"
    )


def test_the_next_challenger_takes_the_place_of_the_one_before(served: Life) -> None:
    begin(served, challenge(min_predictions=20))
    served.live(1, turned=False)
    register_by_hand(served, FRAGILE.replace("0.9", "0.8"))
    served.settle()
    rollout = served.workspace.deployments.get("clicks").rollout
    assert rollout is not None
    assert rollout.to_version == 3
    assert "keep: the challenge of version 2 ended: version 3 challenges now" in served.decisions()


def test_a_loop_goes_on_training_while_a_challenge_lasts(served: Life) -> None:
    begin(served, challenge(min_predictions=10**6))
    loop = served.apply(gates=(), rollout=challenge(min_predictions=10**6))
    assert loop.retrain
    served.live(24, turned=True)
    served.settle()
    assert served.workspace.loops.list_trainings("clicks")[0].trigger == "decay"


def test_a_challenge_needs_a_chance() -> None:
    with pytest.raises(InvalidInput):
        challenge(alpha=0)


def test_labels_that_come_late_twice_and_contradictory_are_taken_as_they_are(served: Life) -> None:
    """The truth that is known when a window is complete counts; a later one is taken in, an unknown one hurts nobody."""
    served.apply(label_delay_seconds=DAY.total_seconds())
    served.live(24, turned=True, truth=False)
    served.settle()
    (window,) = served.workspace.monitoring.list_windows("clicks")
    assert (window.labelled, window.complete) == (0, False)
    from flyball.serving.prediction_log import read_predictions

    log, _ = read_predictions(served.workspace.store, "clicks")
    ids, said = log["prediction_id"].to_pylist(), log["prediction"].to_pylist()
    wrong = [not value for value in said]
    add = served.workspace.monitoring.add_ground_truth
    add("clicks", ids, said)  # first: all is well
    add("clicks", ids, wrong)  # then: nothing is
    add("clicks", ids, wrong)  # and the same again
    add("clicks", [f"nobody-{place}" for place in range(50)], [True] * 50)
    served.workspace.clock.set((served.now + DAY).isoformat())
    served.settle()
    window = served.workspace.monitoring.list_windows("clicks")[-1]
    assert (window.labelled, window.complete) == (len(ids), True)
    assert next(metric.value for metric in window.performance if metric.name == "roc_auc") == pytest.approx(
        0.0, abs=0.05
    )
    assert [t.trigger for t in served.workspace.loops.list_trainings("clicks")] == ["decay", "first"]
    add("clicks", ids, said)  # after all, too late to undo what was decided
    served.settle()
    served.settle()
    assert [t.trigger for t in served.workspace.loops.list_trainings("clicks")] == ["decay", "first"]
