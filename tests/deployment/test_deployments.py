"""Deployments: one champion, one rollout at a time, and a way back."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from flyball.clock import FixedClock
from flyball.deployment.comparison import compare_arms
from flyball.deployment.deployments import Deployments
from flyball.deployment.rollout import ab_test, blue_green, canary, immediate, shadow
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs


@pytest.fixture
def deployments(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Deployments:
    return Deployments(database, blobs, events, clock)


def test_deploying_makes_the_deployment(deployments: Deployments) -> None:
    made = deployments.deploy("churn", "churn", 1)
    assert (made.champion, made.generation, made.rollout) == (1, 1, None)


def test_deploying_the_champion_again_changes_nothing(deployments: Deployments) -> None:
    deployments.deploy("churn", "churn", 1)
    assert deployments.deploy("churn", "churn", 1).generation == 1


def test_a_deployment_keeps_to_its_model(deployments: Deployments) -> None:
    deployments.deploy("churn", "churn", 1)
    with pytest.raises(Conflict, match="serves the model 'churn'"):
        deployments.deploy("churn", "other", 1)


def test_a_misspelt_name_is_answered_with_the_near_one(deployments: Deployments) -> None:
    deployments.deploy("churn", "churn", 1)
    with pytest.raises(NotFound, match="Did you mean 'churn'"):
        deployments.get("chrun")


def test_a_canary_goes_step_by_step_to_promotion(deployments: Deployments, clock: FixedClock) -> None:
    deployments.deploy("churn", "churn", 1)
    rollout = deployments.start_rollout("churn", 2, canary([10, 50], hold="1h"))
    assert (rollout.percent, deployments.get("churn").champion) == (10, 1)
    clock.advance(timedelta(hours=1))
    assert deployments.advance("churn", 0).percent == 50
    done = deployments.advance("churn", 1)
    assert (done.state, done.ended) == ("promoted", clock.now())
    assert (deployments.get("churn").champion, deployments.get("churn").rollout) == (2, None)


def test_advancing_a_step_twice_moves_once(deployments: Deployments) -> None:
    deployments.deploy("churn", "churn", 1)
    deployments.start_rollout("churn", 2, canary([5, 25, 50]))
    deployments.advance("churn", 0)
    assert deployments.advance("churn", 0).step == 1


def test_a_second_rollout_is_refused(deployments: Deployments) -> None:
    deployments.deploy("churn", "churn", 1)
    deployments.start_rollout("churn", 2, canary())
    with pytest.raises(Conflict, match="rollout of version 2 is under way"):
        deployments.start_rollout("churn", 3, canary())


def test_the_database_itself_allows_one_rollout_only(deployments: Deployments, database: Database) -> None:
    from flyball.deployment._store import rollouts

    deployments.deploy("churn", "churn", 1)
    deployments.start_rollout("churn", 2, canary())
    row = dict(database.rows(sa.select(rollouts))[0]._mapping)
    with pytest.raises(sa.exc.IntegrityError):
        database.execute(sa.insert(rollouts), [{**row, "id": "another"}])


def test_an_aborted_rollout_leaves_the_champion(deployments: Deployments) -> None:
    deployments.deploy("churn", "churn", 1)
    deployments.start_rollout("churn", 2, canary())
    ended = deployments.abort("churn", "it was slow")
    assert (ended.state, ended.reason, ended.percent) == ("rolled_back", "it was slow", 0)
    assert deployments.get("churn").champion == 1


def test_rolling_back_goes_to_the_champion_before(deployments: Deployments) -> None:
    deployments.deploy("churn", "churn", 1)
    deployments.deploy("churn", "churn", 2)
    assert deployments.roll_back("churn", "bad answers").champion == 1


def test_there_is_nothing_before_the_first_champion(deployments: Deployments) -> None:
    deployments.deploy("churn", "churn", 1)
    with pytest.raises(Conflict, match="no champion but version 1"):
        deployments.roll_back("churn")


def test_a_paused_rollout_does_not_advance(deployments: Deployments) -> None:
    deployments.deploy("churn", "churn", 1)
    deployments.start_rollout("churn", 2, canary([10, 50]))
    deployments.pause("churn", "wait for Monday")
    assert deployments.advance("churn", 0).percent == 10
    deployments.resume("churn")
    assert deployments.advance("churn", 0).percent == 50


def test_an_immediate_rollout_promotes_at_once(deployments: Deployments) -> None:
    deployments.deploy("churn", "churn", 1)
    assert deployments.start_rollout("churn", 2, immediate()).state == "promoted"


def test_a_shadow_takes_no_share_before_it_takes_over(deployments: Deployments) -> None:
    deployments.deploy("churn", "churn", 1)
    assert deployments.start_rollout("churn", 2, shadow()).percent == 0
    assert deployments.advance("churn", 0).state == "promoted"


def test_every_change_is_a_generation_in_the_history(deployments: Deployments) -> None:
    deployments.deploy("churn", "churn", 1)
    deployments.start_rollout("churn", 2, canary([10, 50]))
    deployments.advance("churn", 0)
    deployments.promote("churn", "sure enough")
    told = [(h.generation, h.champion, h.percent) for h in deployments.history("churn")]
    assert told == [(4, 2, 0), (3, 1, 50), (2, 1, 10), (1, 1, 0)]


def test_a_removed_deployment_is_gone_and_can_come_back(deployments: Deployments) -> None:
    deployments.deploy("churn", "churn", 1)
    deployments.remove("churn")
    assert deployments.list() == []
    assert deployments.deploy("churn", "churn", 1).champion == 1


def test_each_change_is_told_as_an_event(deployments: Deployments, events: EventLog) -> None:
    deployments.deploy("churn", "churn", 1)
    deployments.start_rollout("churn", 2, canary())
    deployments.promote("churn")
    kinds = [event.kind for event in events.list()]
    assert kinds == [
        "deployment.changed",
        "deployment.rollout_started",
        "deployment.changed",
        "deployment.changed",
        "deployment.promoted",
    ]


@pytest.mark.parametrize("steps", [[50, 10], [0, 50], [10, 200], [10, 10]])
def test_steps_that_do_not_grow_are_refused(steps: list[int]) -> None:
    with pytest.raises(InvalidInput, match="no canary steps"):
        canary(steps)


def test_what_is_logged_is_said_of_the_deployment(deployments: Deployments) -> None:
    first = deployments.deploy("shop", "model", 1)
    assert first.logging.keeps_all
    changed = deployments.set_logging("shop", sample=0.5, mask={"mail": "hash"})
    assert (changed.generation, changed.logging.sample, changed.logging.mask) == (
        first.generation + 1,
        0.5,
        {"mail": "hash"},
    )
    again = deployments.set_logging("shop", mask={"mail": "hash", "note": "text"})
    assert again.logging.salt == changed.logging.salt != ""
    with pytest.raises(InvalidInput):
        deployments.set_logging("shop", sample=2.0)


def test_blue_green_asks_the_new_version_nothing_until_all_turn_to_it(deployments: Deployments) -> None:
    deployments.deploy("shop", "model", 1)
    rollout = deployments.start_rollout("shop", 2, blue_green(hold="1m"))
    assert (rollout.percent, deployments.get("shop").champion) == (0, 1)
    assert deployments.advance("shop", step=0).state == "promoted"
    assert deployments.get("shop").champion == 2


def test_a_test_keeps_its_share(deployments: Deployments) -> None:
    deployments.deploy("shop", "model", 1)
    rollout = deployments.start_rollout("shop", 2, ab_test(percent=30))
    assert (rollout.percent, rollout.spec.only_if_better, rollout.spec.early) == (30, True, True)


@pytest.mark.parametrize("percent", [0, 100, -5])
def test_a_share_that_is_none_is_refused(percent: int) -> None:
    with pytest.raises(InvalidInput):
        ab_test(percent=percent)


def test_a_rollouts_evidence_is_told_in_words(deployments: Deployments) -> None:
    deployments.deploy("shop", "model", 1)
    deployments.start_rollout("shop", 2, ab_test(min_predictions=10))
    assert "10 are waited for" in compare_arms(deployments.list_rollouts("shop")[0]).says
    evidence = {
        "champion_predictions": 900, "challenger_predictions": 900, "champion_failed": 0.01, "challenger_failed": 0.2,
        "p_value_failed": 0.001, "champion_wrong": 0.1, "challenger_wrong": 0.1, "p_value_wrong": 0.9,
    }  # fmt: skip
    deployments.abort("shop", "it fails too often", evidence)
    found = compare_arms(deployments.list_rollouts("shop")[0])
    assert [(each.question, each.says) for each in found.questions] == [
        ("requests failed", "the new version is worse"), ("answers were wrong", "not worse, as far as can be told"),
    ]  # fmt: skip
    assert found.says == "The champion stayed: it fails too often."
