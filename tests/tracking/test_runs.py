from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from flyball.clock import FixedClock
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.serialization import digest, from_json, to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.limits import MOST_POINTS, ParamValue
from flyball.tracking.runs import MetricPoint, Run, Tracking
from flyball.verbs import verbs_of

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def tracking(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Tracking:
    return Tracking(database, blobs, events, clock)


@pytest.fixture
def run(tracking: Tracking) -> Run:
    return tracking.create_run("churn")


def point(value: float | None, step: int = 0, key: str = "loss", at: datetime = AT) -> MetricPoint:
    return MetricPoint(key=key, value=value, step=step, at=at)


def test_a_new_run_is_running(tracking: Tracking, clock: FixedClock) -> None:
    run = tracking.create_run(
        "churn", name="first", kind="training", params={"depth": 3}, tags={"team": "a"}, environment={"python": "3.11"}
    )
    assert (run.experiment, run.name, run.kind, run.state, run.attempt) == ("churn", "first", "training", "running", 1)
    assert (run.params, run.tags, run.environment) == ({"depth": 3}, {"team": "a"}, {"python": "3.11"})
    assert run.started == clock.now()
    assert run.ended is None


def test_a_run_reads_back_as_it_was_given(tracking: Tracking, run: Run) -> None:
    assert tracking.get_run(run.id) == run


def test_a_run_survives_the_wire(run: Run) -> None:
    assert from_json(to_json(run), Run) == run


def test_verbs_can_be_told_to_the_outside() -> None:
    verbs = verbs_of(Tracking)
    assert {name for name, verb in verbs.items() if verb.effect == "read"} == {
        "chart",
        "get_run",
        "get_runs",
        "list_live",
        "list_runs",
        "metric_histories",
        "metric_history",
        "list_artifacts",
        "list_experiments",
    }


@pytest.mark.parametrize("value", ["text", "", 3, -(2**63), 0.1, True, False, None, "ü\n"])
def test_a_param_keeps_its_type(tracking: Tracking, run: Run, value: ParamValue) -> None:
    tracking.log(run.id, params={"p": value})
    found = tracking.get_run(run.id).params["p"]
    assert (type(found), found) == (type(value), value)


def test_an_infinite_param_is_kept_as_text(tracking: Tracking, run: Run) -> None:
    tracking.log(run.id, params={"p": float("inf")})
    tracking.log(run.id, params={"p": float("inf")})
    assert tracking.get_run(run.id).params == {"p": "inf"}


def test_a_param_logged_again_alike_changes_nothing(tracking: Tracking, run: Run) -> None:
    tracking.log(run.id, params={"depth": 3})
    tracking.log(run.id, params={"depth": 3, "rate": 0.1})
    assert tracking.get_run(run.id).params == {"depth": 3, "rate": 0.1}


@pytest.mark.parametrize("other", [4, True, "1", 1.0, None])
def test_a_param_cannot_change(tracking: Tracking, run: Run, other: ParamValue) -> None:
    tracking.log(run.id, params={"p": 1})
    with pytest.raises(Conflict, match="Param 'p' is 1 already"):
        tracking.log(run.id, params={"p": other})


def test_a_refused_log_leaves_nothing(tracking: Tracking, run: Run) -> None:
    tracking.log(run.id, params={"p": 1})
    with pytest.raises(Conflict):
        tracking.log(run.id, params={"p": 2, "q": 1}, metrics=[point(1.0)], tags={"t": "x"})
    found = tracking.get_run(run.id)
    assert (found.params, found.metrics, found.tags) == ({"p": 1}, {}, {})


def test_a_tag_keeps_its_last_value(tracking: Tracking, run: Run) -> None:
    tracking.log(run.id, tags={"t": "x"})
    tracking.log(run.id, tags={"t": "y"})
    assert tracking.get_run(run.id).tags == {"t": "y"}


def test_history_gives_points_by_step(tracking: Tracking, run: Run) -> None:
    given = [point(0.3, 2), point(0.5, 0), point(0.4, 1)]
    tracking.log(run.id, metrics=given)
    assert tracking.metric_history(run.id, "loss") == sorted(given, key=lambda p: p.step)


def test_history_goes_on_after_a_step(tracking: Tracking, run: Run) -> None:
    tracking.log(run.id, metrics=[point(step / 10, step) for step in range(10)])
    assert [p.step for p in tracking.metric_history(run.id, "loss", limit=3, after_step=4)] == [5, 6, 7]


def test_a_point_sent_twice_is_kept_once(tracking: Tracking, run: Run) -> None:
    for _ in range(2):
        tracking.log(run.id, metrics=[point(0.5, 1), point(0.5, 1), point(None, 2)])
    assert len(tracking.metric_history(run.id, "loss")) == 2


def test_two_values_at_one_moment_are_both_kept(tracking: Tracking, run: Run) -> None:
    tracking.log(run.id, metrics=[point(0.5), point(0.6)])
    assert [p.value for p in tracking.metric_history(run.id, "loss")] == [0.5, 0.6]


@pytest.mark.parametrize("undefined", [None, float("nan"), float("inf"), float("-inf")])
def test_what_is_no_finite_number_is_undefined(tracking: Tracking, run: Run, undefined: float | None) -> None:
    tracking.log(run.id, metrics=[point(undefined)])
    assert tracking.metric_history(run.id, "loss")[0].value is None
    assert tracking.get_run(run.id).metrics == {"loss": None}


def test_the_latest_value_is_that_of_the_last_step(tracking: Tracking, run: Run) -> None:
    tracking.log(run.id, metrics=[point(0.1, 5), point(0.9, 3), point(7.0, key="other")])
    tracking.log(run.id, metrics=[point(0.8, 4)])
    assert tracking.get_run(run.id).metrics == {"loss": 0.1, "other": 7.0}


def test_the_latest_value_does_not_depend_on_the_order_of_batches(tracking: Tracking) -> None:
    batches = [[point(0.5)], [point(0.7)], [point(None)]]
    for order in (batches, batches[::-1]):
        run = tracking.create_run("order")
        for batch in order:
            tracking.log(run.id, metrics=batch)
        assert tracking.get_run(run.id).metrics == {"loss": 0.7}


def test_a_moment_without_zone_is_utc(tracking: Tracking, run: Run) -> None:
    tracking.log(run.id, metrics=[point(1.0, at=AT.replace(tzinfo=None))])
    assert tracking.metric_history(run.id, "loss")[0].at == AT


@pytest.mark.parametrize("key", ["", "x" * 251, "a\0b", "a\nb"])
def test_a_key_that_cannot_be_one_is_refused(tracking: Tracking, run: Run, key: str) -> None:
    for bad in ({"params": {key: 1}}, {"tags": {key: "x"}}, {"metrics": [point(1.0, key=key)]}):
        with pytest.raises(InvalidInput):
            tracking.log(run.id, **bad)


@pytest.mark.parametrize("value", ["x" * 6001, "a\0b", "\ud800", 2**63, [1], {"a": 1}])
def test_a_param_that_cannot_be_kept_is_refused(tracking: Tracking, run: Run, value: object) -> None:
    with pytest.raises(InvalidInput):
        tracking.log(run.id, params={"p": value})  # type: ignore[dict-item]  # what is refused


@pytest.mark.parametrize("step", [2**63, -(2**63) - 1, 1.5, True])
def test_a_step_that_is_none_is_refused(tracking: Tracking, run: Run, step: int) -> None:
    with pytest.raises(InvalidInput):
        tracking.log(run.id, metrics=[point(1.0, step)])


def test_a_metric_that_is_no_number_is_refused(tracking: Tracking, run: Run) -> None:
    with pytest.raises(InvalidInput, match="no number"):
        tracking.log(run.id, metrics=[point("many")])  # type: ignore[arg-type]  # what is refused


def test_too_many_points_at_once_are_refused(tracking: Tracking, run: Run) -> None:
    with pytest.raises(InvalidInput, match="in parts"):
        tracking.log(run.id, metrics=[point(1.0, step) for step in range(MOST_POINTS + 1)])


def test_ten_thousand_points_go_in_at_once(tracking: Tracking, run: Run) -> None:
    tracking.log(run.id, metrics=[point(1.0, step) for step in range(MOST_POINTS)])
    assert len(tracking.metric_history(run.id, "loss", limit=100_000)) == MOST_POINTS


def test_an_artifact_is_noted_by_its_digest(tracking: Tracking, run: Run) -> None:
    made = tracking.log_artifact(run.id, "plots/roc.png", digest(b"png"), 3, "plot")
    assert tracking.list_artifacts(run.id) == [made]


def test_an_artifact_of_the_same_name_is_replaced(tracking: Tracking, run: Run) -> None:
    tracking.log_artifact(run.id, "a", digest(b"1"), 1)
    tracking.log_artifact(run.id, "a", digest(b"22"), 2)
    assert [found.size for found in tracking.list_artifacts(run.id)] == [2]


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a\\b", ".", "a/"])
def test_an_artifact_cannot_climb(tracking: Tracking, run: Run, name: str) -> None:
    with pytest.raises(InvalidInput):
        tracking.log_artifact(run.id, name, digest(b""), 0)


def test_an_artifact_without_a_digest_is_refused(tracking: Tracking, run: Run) -> None:
    with pytest.raises(InvalidInput):
        tracking.log_artifact(run.id, "a", "no digest", 1)


def test_finishing_ends_a_run(tracking: Tracking, run: Run, clock: FixedClock) -> None:
    clock.advance(timedelta(minutes=5))
    ended = tracking.finish_run(run.id)
    assert (ended.state, ended.ended) == ("finished", clock.now())


def test_finishing_twice_alike_changes_nothing(tracking: Tracking, run: Run, clock: FixedClock) -> None:
    first = tracking.finish_run(run.id, "failed", "boom\0\ud800")
    clock.advance(timedelta(minutes=5))
    assert tracking.finish_run(run.id, "failed", "bang") == first
    assert first.error == "boom?"


def test_a_finished_run_cannot_fail(tracking: Tracking, run: Run) -> None:
    tracking.finish_run(run.id)
    with pytest.raises(Conflict, match="as finished"):
        tracking.finish_run(run.id, "failed")


def test_a_run_learns_by_its_heartbeat_that_it_was_cancelled(tracking: Tracking, run: Run) -> None:
    assert tracking.heartbeat(run.id) == "running"
    tracking.finish_run(run.id, "cancelled")
    assert tracking.heartbeat(run.id) == "cancelled"


def test_creating_with_the_same_id_gives_the_same_run(tracking: Tracking) -> None:
    first = tracking.create_run("churn", id="r1", params={"p": 1})
    assert tracking.create_run("churn", id="r1", params={"p": 1}).attempt == first.attempt == 1
    assert len(tracking.list_runs()) == 1


@pytest.mark.parametrize("how", ["failed", "lost"])
def test_a_run_that_failed_or_was_lost_is_taken_up_as_its_next_attempt(tracking: Tracking, how: str) -> None:
    tracking.create_run("churn", id="r1")
    if how == "lost":
        tracking.mark_lost(older_than_seconds=-60)
    else:
        tracking.finish_run("r1", "failed", "boom")
    again = tracking.create_run("churn", id="r1")
    assert (again.state, again.attempt, again.ended, again.error) == ("running", 2, None, "")


def test_a_finished_run_is_not_taken_up_again(tracking: Tracking) -> None:
    tracking.create_run("churn", id="r1")
    ended = tracking.finish_run("r1")
    assert tracking.create_run("churn", id="r1") == ended


def test_a_run_cannot_change_its_experiment(tracking: Tracking) -> None:
    tracking.create_run("churn", id="r1")
    with pytest.raises(Conflict):
        tracking.create_run("other", id="r1")


def test_silent_runs_are_marked_lost(tracking: Tracking, run: Run) -> None:
    ended = tracking.create_run("churn")
    tracking.finish_run(ended.id)
    assert tracking.mark_lost(older_than_seconds=60) == []
    assert tracking.mark_lost(older_than_seconds=-60) == [run.id]
    assert tracking.get_run(run.id).state == "lost"


def test_moving_the_workspaces_clock_loses_no_run(tracking: Tracking, run: Run, clock: FixedClock) -> None:
    clock.advance(timedelta(days=300))
    assert tracking.mark_lost(older_than_seconds=60) == []


def test_a_lost_run_that_is_heard_of_is_running(tracking: Tracking, run: Run) -> None:
    tracking.mark_lost(older_than_seconds=-60)
    assert tracking.heartbeat(run.id) == "running"
    assert tracking.get_run(run.id).ended is None


def test_runs_are_listed_newest_first_page_by_page(tracking: Tracking) -> None:
    ids = [tracking.create_run("churn").id for _ in range(5)]
    first = tracking.list_runs(limit=2)
    rest = tracking.list_runs(before=first[-1].id)
    assert [found.id for found in first + rest] == ids[::-1]


def test_runs_are_listed_by_what_they_are(tracking: Tracking) -> None:
    outer = tracking.create_run("churn", kind="pipeline")
    inner = tracking.create_run("churn", kind="step", parent=outer.id)
    other = tracking.create_run("other")
    tracking.finish_run(other.id)
    assert [r.id for r in tracking.list_runs(experiment="churn")] == [inner.id, outer.id]
    assert [r.id for r in tracking.list_runs(kind="step")] == [inner.id]
    assert [r.id for r in tracking.list_runs(parent=outer.id)] == [inner.id]
    assert [r.id for r in tracking.list_runs(state="finished")] == [other.id]
    assert tracking.list_runs(experiment="none") == []


def test_listed_runs_carry_their_params_and_metrics(tracking: Tracking) -> None:
    for place in range(3):
        run = tracking.create_run("churn", params={"place": place})
        tracking.log(run.id, metrics=[point(float(place))])
    found = tracking.list_runs()
    assert [(r.params["place"], r.metrics["loss"]) for r in found] == [(2, 2.0), (1, 1.0), (0, 0.0)]


def test_experiments_are_listed_with_their_runs(tracking: Tracking, clock: FixedClock) -> None:
    for name in ("b", "a", "b"):
        tracking.create_run(name)
    found = tracking.list_experiments()
    assert [(e.name, e.runs, e.last_started) for e in found] == [("a", 1, clock.now()), ("b", 2, clock.now())]


def test_a_deleted_run_is_not_listed_and_can_be_restored(tracking: Tracking, run: Run) -> None:
    tracking.finish_run(run.id)
    tracking.delete_run(run.id)
    assert tracking.list_runs() == []
    assert tracking.list_experiments()[0].runs == 0
    with pytest.raises(NotFound, match="trash"):
        tracking.log(run.id, tags={"a": "b"})
    assert tracking.restore_run(run.id).deleted is None
    assert len(tracking.list_runs()) == 1


def test_a_running_run_is_not_deleted(tracking: Tracking, run: Run) -> None:
    with pytest.raises(Conflict):
        tracking.delete_run(run.id)


def test_name_and_notes_can_change(tracking: Tracking, run: Run) -> None:
    tracking.update_run(run.id, name="better")
    found = tracking.update_run(run.id, notes="# why")
    assert (found.name, found.notes) == ("better", "# why")


def test_a_run_that_is_not_there_is_not_found(tracking: Tracking) -> None:
    for call in (tracking.get_run, tracking.log, tracking.heartbeat, tracking.finish_run, tracking.list_artifacts):
        with pytest.raises(NotFound):
            call("nope")
    with pytest.raises(NotFound):
        tracking.list_runs(before="nope")
    with pytest.raises(NotFound):
        tracking.create_run("churn", parent="nope")


def test_what_happened_stands_in_the_event_log(tracking: Tracking, events: EventLog, run: Run) -> None:
    tracking.finish_run(run.id, "failed", "boom")
    told = events.list(subject=f"runs:/{run.id}")
    assert [event.kind for event in told] == ["tracking.run_started", "tracking.run_ended"]
    assert told[1].facts == {"state": "failed", "error": "boom"}


def test_many_writers_of_one_run_lose_nothing(tracking: Tracking, run: Run) -> None:
    failures: list[Exception] = []

    def write(writer: int) -> None:
        try:
            for step in range(10):
                tracking.log(run.id, metrics=[point(1.0, step, f"m{writer}"), point(float(writer), step, "shared")])
        except Exception as error:  # noqa: BLE001  # the test looks at whatever it is
            failures.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failures == []
    assert len(tracking.metric_history(run.id, "shared")) == 40
    assert all(len(tracking.metric_history(run.id, f"m{number}")) == 10 for number in range(4))


def test_many_that_create_the_same_run_make_one(tracking: Tracking) -> None:
    made: list[str] = []
    makers = [threading.Thread(target=lambda: made.append(tracking.create_run("e", id="r1").id)) for _ in range(6)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert made == ["r1"] * 6
    assert len(tracking.list_runs()) == 1
