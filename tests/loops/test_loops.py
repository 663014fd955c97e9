"""The service that keeps loops, on each database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flyball.clock import FixedClock
from flyball.errors import Conflict, InvalidInput, LeaseLost, NotFound
from flyball.loops.loop import Loop, loop
from flyball.loops.loops import Loops
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs


class _Pipeline:
    name = "train"

    def bind(self, params: dict[str, Any]) -> None: ...


LOOP = loop("churn", _Pipeline(), cooldown="1d")


@pytest.fixture
def loops(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Loops:
    made = Loops(database, blobs, events, clock)
    made.apply(LOOP)
    return made


def test_a_loop_is_given_back_as_it_was_applied(loops: Loops) -> None:
    state = loops.get("churn")
    assert (state.loop, state.state, state.training, state.last_decision) == (LOOP, "watching", None, None)


def test_a_loop_that_is_applied_again_unchanged_tells_nothing(loops: Loops, events: EventLog) -> None:
    loops.apply(LOOP)
    assert [event.kind for event in events.list()] == ["loops.applied"]


def test_a_change_is_taken_over(loops: Loops) -> None:
    loops.apply(replace(LOOP, max_trainings_per_week=1))
    assert loops.get("churn").loop.max_trainings_per_week == 1


def test_a_pause_outlives_the_next_apply(loops: Loops) -> None:
    loops.pause("churn", "stock-taking")
    assert loops.apply(replace(LOOP, code="new")).paused == "stock-taking"
    assert loops.get("churn").state == "paused"
    assert loops.resume("churn").paused == ""


def test_loops_are_listed_by_name(loops: Loops) -> None:
    loops.apply(replace(LOOP, name="acquire"))
    assert [state.loop.name for state in loops.list()] == ["acquire", "churn"]
    assert [state.loop.name for state in loops.list(after="acquire")] == ["churn"]


def test_a_loop_that_is_not_there_is_not_found(loops: Loops) -> None:
    for call in (loops.get, loops.pause, loops.resume, loops.trigger, loops.remove):
        with pytest.raises(NotFound, match="There is no loop 'chrun'") as refused:
            call("chrun")
        assert refused.value.hint == "Did you mean 'churn'?"


def test_a_training_asked_for_by_hand_is_noted_with_its_reason(loops: Loops) -> None:
    training = loops.trigger("churn", "new price list")
    assert (training.trigger, training.state, training.attempt) == ("manual", "pending", 0)
    assert loops.get("churn").training == training == loops.get_training(training.id)
    assert [(found.decision, found.reason) for found in loops.history("churn")] == [("retrain", "new price list")]


def test_one_training_is_under_way_at_a_time(loops: Loops) -> None:
    loops.trigger("churn")
    with pytest.raises(Conflict, match="under way already"):
        loops.trigger("churn")


def _start(loops: Loops, cause: str) -> str:
    return loops.start_training("churn", cause=cause, trigger="drift", reason="drifted", evidence={}).id


def test_one_cause_starts_one_training_even_after_that_one_has_ended(loops: Loops, clock: FixedClock) -> None:
    first = _start(loops, "drift:1")
    loops.save_training(replace(loops.get_training(first), state="failed", error="no", ended=clock.now()))
    assert _start(loops, "drift:1") == first
    assert _start(loops, "drift:2") != first


def test_the_end_of_a_training_is_told(loops: Loops, events: EventLog, clock: FixedClock) -> None:
    training = loops.trigger("churn")
    loops.save_training(replace(training, state="succeeded", version=3, ended=clock.now()))
    (event,) = events.list(kinds=["loops.training_ended"])
    assert (event.subject, event.facts["version"]) == ("loops:/churn", 3)
    assert loops.get("churn").training is None


def test_a_decision_on_one_cause_is_told_once(loops: Loops, events: EventLog) -> None:
    assert loops.decide("churn", "wait", "drift:1", "too early", {})
    assert not loops.decide("churn", "wait", "drift:1", "too early", {})
    assert len(loops.history("churn")) == len(events.list(kinds=["loops.decided"])) == 1


def test_history_is_paged(loops: Loops) -> None:
    for number in range(3):
        loops.decide("churn", "wait", f"drift:{number}", str(number), {})
    first, second = loops.history("churn", limit=2)
    assert (first.reason, second.reason) == ("2", "1")
    assert [decision.reason for decision in loops.history("churn", before=second.id)] == ["0"]
    assert [decision.reason for decision in loops.history("churn", newest_first=False)] == ["0", "1", "2"]


def test_a_lease_that_was_taken_over_writes_nothing(loops: Loops, database: Database) -> None:
    lost = database.lease("controller", "one", timedelta(seconds=60))
    assert lost is not None
    database.release(lost)
    assert database.lease("controller", "other", timedelta(seconds=60)) is not None
    with pytest.raises(LeaseLost):
        loops.start_training("churn", cause="drift:1", trigger="drift", reason="", evidence={}, lease=lost)
    assert loops.list_trainings("churn") == []


def test_a_loop_that_was_removed_is_gone_with_its_trainings(loops: Loops) -> None:
    training = loops.trigger("churn")
    loops.remove("churn")
    assert loops.list() == []
    with pytest.raises(NotFound):
        loops.get_training(training.id)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"name": "no good name!"}, "no good name"),
        ({"window": "0s"}, "window of '0s'"),
        ({"window": "soon"}, "'soon' is not a duration"),
        ({"max_trainings_per_week": 0}, "may train 0 times"),
        ({"pipeline": print}, "as its pipeline"),
    ],
)
def test_a_loop_that_cannot_be_kept_is_refused(given: dict[str, object], found: str) -> None:
    with pytest.raises(InvalidInput, match=found):
        loop(**{"name": "churn", "pipeline": _Pipeline(), **given})  # type: ignore[arg-type]  # a pipeline by its shape alone


def test_a_loop_remembers_its_plan() -> None:
    assert isinstance(LOOP, Loop)
    assert (LOOP.pipeline, LOOP.cooldown_seconds, LOOP.rollout.strategy) == ("train", 86_400.0, "immediate")
