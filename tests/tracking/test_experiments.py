from __future__ import annotations

from datetime import timedelta

import pytest

from flyball.clock import FixedClock
from flyball.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from flyball.serialization import from_json, to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.experiments import Experiment, Experiments
from flyball.tracking.runs import Tracking


@pytest.fixture
def tracking(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Tracking:
    return Tracking(database, blobs, events, clock)


@pytest.fixture
def experiments(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Experiments:
    return Experiments(database, blobs, events, clock)


def test_an_experiment_reads_back_as_it_was_made(experiments: Experiments) -> None:
    made = experiments.create("churn", {"team": "a"}, "s3://bucket/there")
    assert (made.name, made.tags, made.location, made.runs, made.deleted) == (
        "churn",
        {"team": "a"},
        "s3://bucket/there",
        0,
        None,
    )
    assert experiments.get(made.id) == experiments.get("churn") == from_json(to_json(made), Experiment)


def test_default_is_always_there_with_the_id_0(experiments: Experiments) -> None:
    assert experiments.get("0").name == "Default"
    assert experiments.get("Default").id == "0"
    assert [found.id for found in experiments.list()] == ["0"]


def test_a_run_in_default_belongs_to_experiment_0(tracking: Tracking, experiments: Experiments) -> None:
    assert tracking.create_run("Default").experiment_id == "0"
    assert int(experiments.create("other").id) > 0


def test_making_default_twice_is_refused(experiments: Experiments) -> None:
    assert experiments.create("Default").id == "0"
    with pytest.raises(AlreadyExists):
        experiments.create("Default")


def test_a_name_is_taken_even_in_the_trash(experiments: Experiments) -> None:
    experiments.create("churn")
    experiments.delete("churn")
    with pytest.raises(AlreadyExists, match="churn"):
        experiments.create("churn")


@pytest.mark.parametrize("name", ["", "x" * 501, "a\nb", "a\0b"])
def test_a_name_that_cannot_be_one_is_refused(experiments: Experiments, name: str) -> None:
    with pytest.raises(InvalidInput):
        experiments.create(name)


def test_an_id_comes_before_a_name_that_looks_like_it(experiments: Experiments) -> None:
    first = experiments.create("first")
    odd = experiments.create(first.id)
    assert experiments.get(first.id) == first
    assert experiments.find(first.id) == odd


def test_what_is_not_there_is_not_found(experiments: Experiments) -> None:
    for call in (experiments.get, experiments.find, experiments.delete, experiments.restore):
        for name in ("nope", "77", "9" * 30):
            with pytest.raises(NotFound):
                call(name)


def test_a_renamed_experiment_keeps_its_runs(tracking: Tracking, experiments: Experiments) -> None:
    run = tracking.create_run("churn")
    renamed = experiments.rename("churn", "leaving")
    assert (renamed.id, renamed.runs) == (run.experiment_id, 1)
    assert tracking.get_run(run.id).experiment == "leaving"


def test_a_name_that_is_taken_is_not_given_again(experiments: Experiments) -> None:
    experiments.create("a")
    experiments.create("b")
    with pytest.raises(AlreadyExists):
        experiments.rename("a", "b")
    assert experiments.rename("a", "a").name == "a"


def test_default_keeps_its_name(experiments: Experiments) -> None:
    experiments.create("a")
    for old, new in (("0", "b"), ("a", "Default")):
        experiments.get("0")
        with pytest.raises(Conflict):
            experiments.rename(old, new)


def test_tags_change_and_go(experiments: Experiments, clock: FixedClock) -> None:
    made = experiments.create("churn", {"a": "1", "b": "1"})
    clock.advance(timedelta(seconds=1))
    experiments.set_tags(made.id, {"a": "2"})
    assert experiments.delete_tag(made.id, "b")
    assert not experiments.delete_tag(made.id, "b")
    found = experiments.get(made.id)
    assert (found.tags, found.updated) == ({"a": "2"}, clock.now())


def test_deleting_an_experiment_takes_its_runs_along(tracking: Tracking, experiments: Experiments) -> None:
    run = tracking.create_run("churn")
    other = tracking.create_run("other")
    experiments.delete("churn")
    assert tracking.get_run(run.id).deleted is not None
    assert tracking.get_run(other.id).deleted is None
    assert [found.name for found in experiments.list()] == ["Default", "other"]
    assert [found.name for found in experiments.list(deleted="deleted")] == ["churn"]
    assert [found.name for found in experiments.list(deleted="all")] == ["Default", "churn", "other"]
    restored = experiments.restore("churn")
    assert (restored.deleted, restored.runs) == (None, 1)
    assert tracking.get_run(run.id).deleted is None


def test_an_experiment_in_the_trash_stays_as_it_is(tracking: Tracking, experiments: Experiments) -> None:
    experiments.create("churn")
    experiments.delete("churn")
    for call in (
        lambda: experiments.delete("churn"),
        lambda: experiments.rename("churn", "x"),
        lambda: experiments.set_tags("churn", {"a": "b"}),
        lambda: experiments.delete_tag("churn", "a"),
        lambda: tracking.create_run("churn"),
    ):
        with pytest.raises(Conflict, match="must be in the 'active' state"):
            call()


def test_only_what_lies_in_the_trash_is_restored(experiments: Experiments) -> None:
    experiments.create("churn")
    with pytest.raises(Conflict):
        experiments.restore("churn")


def test_experiments_are_listed_page_by_page(experiments: Experiments) -> None:
    for name in "abc":
        experiments.create(name)
    first = experiments.list(limit=2)
    assert [e.name for e in first + experiments.list(after=first[-1].name)] == ["Default", "a", "b", "c"]


def test_what_happens_to_an_experiment_is_told(experiments: Experiments, events: EventLog) -> None:
    made = experiments.create("churn")
    experiments.rename(made.id, "leaving")
    experiments.delete(made.id)
    experiments.restore(made.id)
    assert [event.kind for event in events.list(subject=f"experiments:/{made.id}")] == [
        "tracking.experiment_created",
        "tracking.experiment_renamed",
        "tracking.experiment_deleted",
        "tracking.experiment_restored",
    ]
