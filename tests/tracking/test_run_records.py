from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flyball.clock import FixedClock
from flyball.errors import InvalidInput, NotFound
from flyball.serialization import digest, from_json, to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import _store
from flyball.tracking.runs import Artifact, MetricPoint, RunRecord, Tracking

AT = datetime(2026, 1, 1, 12, 0, 0, 123_000, tzinfo=UTC)


@pytest.fixture
def tracking(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Tracking:
    return Tracking(database, blobs, events, clock)


def record(id: str = "s1", **others: Any) -> RunRecord:
    given: dict[str, Any] = {"experiment": "churn", "state": "finished", "started": AT, "ended": AT, **others}
    return RunRecord(id=id, **given)


def test_a_recorded_run_is_like_one_that_was_logged(tracking: Tracking) -> None:
    parent = tracking.create_run("churn", kind="pipeline")
    artifact = Artifact(run="", name="log.txt", digest=digest(b"x"), size=1, kind="log", created=AT)
    tracking.record_runs(
        [
            record(
                name="train",
                kind="step",
                parent=parent.id,
                params={"depth": 3, "none": None},
                tags={"cache": "miss"},
                metrics=[MetricPoint(key="loss", value=0.5, step=step, at=AT) for step in range(100)],
                artifacts=[artifact],
                code="abc",
                environment={"python": "3"},
                ended=AT + timedelta(seconds=3),
                user="ann",
            )
        ]
    )
    found = tracking.get_run("s1")
    assert (found.name, found.kind, found.parent, found.state, found.code) == (
        "train", "step", parent.id, "finished", "abc",
    )  # fmt: skip
    assert (found.started, found.ended, found.user) == (AT, AT + timedelta(seconds=3), "ann")
    assert (found.params, found.tags, found.metrics) == (
        {"depth": 3, "none": None}, {"cache": "miss"}, {"loss": 0.5},
    )  # fmt: skip
    assert [(a.run, a.name) for a in tracking.list_artifacts("s1")] == [("s1", "log.txt")]
    assert len(tracking.metric_history("s1", "loss")) == 100


def test_recording_again_changes_nothing(tracking: Tracking, events: EventLog) -> None:
    tracking.record_runs([record(tags={"a": "1"})])
    before = tracking.get_run("s1")
    tracking.record_runs([record(tags={"a": "2"}), record("s2")])
    assert tracking.get_run("s1") == before
    assert len(tracking.list_runs()) == 2
    assert len(events.list(subject="runs:/s1")) == 2


def test_one_that_is_wrong_leaves_nothing(tracking: Tracking) -> None:
    wrong = [
        record("s2", params={"": 1}),
        record("s2", metrics=[MetricPoint(key="loss", value=0.5, step=2**63, at=AT)]),
        record("s2", name="x" * 251),
        record("s2", artifacts=[Artifact(run="", name="../a", digest=digest(b""), size=0, kind="file", created=AT)]),
        record("s/2"),
        record("s1"),
    ]
    for other in wrong:
        with pytest.raises(InvalidInput):
            tracking.record_runs([record("s1"), other])
        assert tracking.list_runs() == []
    with pytest.raises(NotFound):
        tracking.record_runs([record("s1"), record("s2", parent="nope")])
    assert tracking.list_runs() == []


def test_a_parent_may_be_recorded_along(tracking: Tracking) -> None:
    tracking.record_runs([record("inner", parent="outer"), record("outer")])
    assert [run.id for run in tracking.list_runs(parent="outer")] == ["inner"]


def test_too_many_at_once_are_refused(tracking: Tracking) -> None:
    with pytest.raises(InvalidInput, match="in parts"):
        tracking.record_runs([record(f"s{place}") for place in range(1001)])


def test_no_runs_are_nothing(tracking: Tracking) -> None:
    tracking.record_runs([])
    assert tracking.list_runs() == []


def test_what_happened_is_told_in_order(tracking: Tracking, events: EventLog) -> None:
    tracking.record_runs([record("a"), record("b", state="failed", error="boom")])
    assert [(event.kind, event.subject) for event in events.list()] == [
        ("tracking.run_started", "runs:/a"),
        ("tracking.run_ended", "runs:/a"),
        ("tracking.run_started", "runs:/b"),
        ("tracking.run_ended", "runs:/b"),
    ]


def test_given_moments_are_kept_to_the_microsecond(tracking: Tracking) -> None:
    run = tracking.create_run("churn", started=AT)
    ended = tracking.finish_run(run.id, ended=AT + timedelta(milliseconds=1))
    assert (ended.started, ended.ended) == (AT, AT + timedelta(milliseconds=1))


def test_runs_are_read_in_the_order_asked_for(tracking: Tracking) -> None:
    tracking.record_runs([record(name) for name in "abc"])
    assert [run.id for run in tracking.get_runs(["c", "nope", "a", "c"])] == ["c", "a"]
    assert tracking.get_runs([]) == []
    with pytest.raises(InvalidInput):
        tracking.get_runs(["a"] * 1001)


def test_a_run_is_taken_up_by_its_state(tracking: Tracking, clock: FixedClock, events: EventLog) -> None:
    run = tracking.create_run("churn")
    tracking.finish_run(run.id)
    again = tracking.update_run(run.id, state="running", user="ann")
    assert (again.state, again.ended, again.user) == ("running", None, "ann")
    late = tracking.update_run(run.id, state="cancelled", ended=AT)
    assert (late.state, late.ended) == ("cancelled", AT)
    assert tracking.update_run(run.id, state="scheduled").ended is None
    assert tracking.update_run(run.id, state="lost").ended == clock.now()
    assert [event.kind.partition(".")[2] for event in events.list(subject=f"runs:/{run.id}")] == [
        "run_started", "run_ended", "run_resumed", "run_ended", "run_lost",
    ]  # fmt: skip


def test_a_scheduled_run_can_be_finished(tracking: Tracking) -> None:
    run = tracking.create_run("churn")
    tracking.update_run(run.id, state="scheduled")
    tracking.log(run.id, tags={"a": "b"})
    assert tracking.finish_run(run.id).state == "finished"


def test_a_run_without_heartbeats_is_lost_only_after_a_day(tracking: Tracking) -> None:
    quiet = tracking.create_run("churn", heartbeats=False)
    loud = tracking.create_run("churn")
    assert tracking.mark_lost(older_than_seconds=-60) == [loud.id]
    tracking._database.execute(_older(quiet.id, 25 * 3600))
    assert tracking.mark_lost(older_than_seconds=60) == [quiet.id]


def _older(run: str, seconds: float) -> Any:
    table = _store.runs
    return table.update().where(table.c.id == run).values(heartbeat=table.c.heartbeat - seconds)


def test_a_tag_can_be_taken_off(tracking: Tracking) -> None:
    run = tracking.create_run("churn", tags={"a": "b"})
    assert tracking.delete_tag(run.id, "a")
    assert not tracking.delete_tag(run.id, "a")
    assert tracking.get_run(run.id).tags == {}
    with pytest.raises(NotFound):
        tracking.delete_tag("nope", "a")


def test_artifacts_are_listed_and_deleted_by_folder(tracking: Tracking) -> None:
    run = tracking.create_run("churn").id
    for name in ("model/a", "model/b", "models/c", "Model/d", "x" * 1000):
        tracking.log_artifact(run, name, digest(b""), 0)
    assert {a.name for a in tracking.list_artifacts(run, prefix="model")} == {"model/a", "model/b"}
    assert tracking.delete_artifacts(run, "model/a") == 1
    assert tracking.delete_artifacts(run, "model") == 1
    assert {a.name for a in tracking.list_artifacts(run)} == {"models/c", "Model/d", "x" * 1000}
    assert tracking.delete_artifacts(run, "") == 3


def test_long_params_are_kept_whole(tracking: Tracking) -> None:
    text = "".join(chr(0x4E00 + place % 5000) for place in range(6000))
    run = tracking.create_run("churn", params={"p": text})
    assert tracking.get_run(run.id).params == {"p": text}


def test_a_record_survives_the_wire() -> None:
    given = record(metrics=[MetricPoint(key="loss", value=None, at=AT)])
    assert from_json(to_json(given), RunRecord) == given
