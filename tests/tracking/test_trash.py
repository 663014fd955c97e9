"""Many runs at once, and what is left of those that lay in the trash for long."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from flyball.clock import FixedClock
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs
from flyball.tracking.assessments import Assessments
from flyball.tracking.experiments import Experiments
from flyball.tracking.files import Files
from flyball.tracking.inputs import LoggedDataset
from flyball.tracking.logged_models import LoggedModels
from flyball.tracking.spans import Span
from flyball.tracking.traces import Traces
from flyball.tracking.trash import Trash
from tests.tracking.searching import Place, place_of


@pytest.fixture
def place(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Place:
    return place_of(database, blobs, events, clock)


@pytest.fixture
def trash(place: Place, database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Trash:
    return Trash(database, blobs, events, clock)


def age(store: LocalObjects, days: float = 30) -> None:
    for path in Path(store.folder).rglob("*"):
        if path.is_file():
            os.utime(path, (0, time.time() - days * 86_400))


def test_runs_that_fit_a_filter_are_tagged(place: Place, trash: Trash) -> None:
    for name, depth in (("a", 1), ("b", 2), ("c", 3)):
        place.run(name, params={"depth": depth}, tags={"team": "red"})
    assert trash.bulk_tag({"team": "blue", "new": "x"}, filter="params.depth > 1").runs == ["c", "b"]
    assert place.found("tags.team = 'blue' AND tags.new = 'x'") == "c b"
    assert place.found("tags.team = 'red'") == "a"


def test_runs_are_tagged_by_id_and_those_that_are_not_there_are_told(place: Place, trash: Trash) -> None:
    place.run("a")
    place.run("b")
    place.tracking.delete_run("b")
    changed = trash.bulk_tag({"x": "y"}, runs=["a", "b", "nobody", "a"])
    assert (changed.runs, changed.left) == (["a"], {"b": "It lies in the trash.", "nobody": "There is none."})


def test_runs_go_to_the_trash_and_come_back(place: Place, trash: Trash, events: EventLog) -> None:
    for name in "abc":
        place.run(name, ends=name != "c")
    given = trash.bulk_delete(experiments=["first"])
    assert (given.runs, given.left) == (["b", "a"], {"c": "It is running."})
    assert place.found() == "c"
    assert trash.bulk_restore(filter="name IN ('a', 'b')").runs == ["b", "a"]
    assert place.found() == "c b a"
    told = [event.kind for event in events.list(limit=100) if "deleted" in event.kind or "restored" in event.kind]
    assert told == ["tracking.run_deleted"] * 2 + ["tracking.run_restored"] * 2


def test_all_runs_are_not_meant_by_nothing(place: Place, trash: Trash) -> None:
    place.run("a")
    with pytest.raises(InvalidInput, match="which runs"):
        trash.bulk_delete()
    with pytest.raises(InvalidInput, match="which runs"):
        trash.bulk_restore(filter=" ")
    with pytest.raises(InvalidInput, match="which runs"):
        trash.bulk_tag({"a": "b"}, experiments=[])
    with pytest.raises(InvalidInput):
        trash.bulk_delete(runs=["a"], filter="name = 'a'")
    assert trash.bulk_delete(runs=[]).runs == []
    assert place.found() == "a"


@pytest.fixture
def used(place: Place, store: LocalObjects, blobs: Blobs) -> Place:
    """An old run in the trash and one that is not, with bytes of their own and some they share."""
    for name in ("old", "kept"):
        place.run(name, params={"x": 1}, metrics={"m": 1.0}, tags={"t": "u"}, ends=False)
        place.inputs.log_inputs(name, [LoggedDataset(name="irises", digest="d1")])
        for data in (name.encode() * 10, b"shared" * 10):
            place.tracking.log_artifact(name, data[:6].decode(), blobs.put(data), len(data))
        place.tracking.finish_run(name)
    blobs.put(b"loose" * 10)
    place.tracking.delete_run("old")
    place.clock.advance(timedelta(days=31))
    age(store)
    blobs.put(b"young" * 10)
    return place


def test_a_dry_run_tells_what_would_be_removed_and_removes_nothing(used: Place, trash: Trash, blobs: Blobs) -> None:
    report = trash.gc()
    assert (report.dry_run, report.runs, report.run_ids) == (True, 1, ["old"])
    assert report.rows["run_params"] == report.rows["run_tags"] == report.rows["run_datasets"] == 1
    assert report.rows["run_artifacts"] == 2
    assert (report.blobs, report.bytes, report.young) == (2, 30 + 50, 1)
    assert used.tracking.get_run("old").params == {"x": 1}
    assert trash.gc() == report


def test_what_lies_in_the_trash_for_long_is_removed_with_its_bytes(used: Place, trash: Trash, blobs: Blobs) -> None:
    planned = trash.gc()
    report = trash.gc(dry_run=False)
    assert (report.runs, report.rows, report.blobs, report.bytes) == (1, planned.rows, planned.blobs, planned.bytes)
    with pytest.raises(NotFound):
        used.tracking.get_run("old")
    [kept] = used.search.search(deleted="all").runs
    assert (kept.id, kept.params, kept.metrics, kept.tags) == ("kept", {"x": 1}, {"m": 1.0}, {"t": "u"})
    artifacts = used.tracking.list_artifacts("kept")
    assert [blobs.has(artifact.digest) for artifact in artifacts] == [True, True]
    empty = trash.gc(dry_run=False)
    assert (empty.runs, empty.blobs) == (0, 0)


def test_an_id_that_was_removed_can_be_used_again(used: Place, trash: Trash) -> None:
    trash.gc(dry_run=False)
    used.run("old")
    assert used.tracking.get_run("old").params == {}


def test_what_was_put_into_the_trash_lately_stays(place: Place, trash: Trash) -> None:
    place.run("a")
    place.tracking.delete_run("a")
    place.clock.advance(timedelta(days=29))
    assert trash.gc(dry_run=False).runs == 0
    place.clock.advance(timedelta(days=2))
    assert trash.gc(older_than_days=40, dry_run=False).runs == 0
    assert trash.gc(dry_run=False).runs == 1


def test_a_run_that_was_restored_stays(place: Place, trash: Trash) -> None:
    place.run("a")
    place.tracking.delete_run("a")
    place.clock.advance(timedelta(days=31))
    place.tracking.restore_run("a")
    assert trash.gc(dry_run=False).runs == 0


def test_more_runs_are_removed_than_fit_one_statement(
    place: Place, trash: Trash, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flyball.tracking import _trash_store

    monkeypatch.setattr(_trash_store, "AT_ONCE", 2)
    for number in range(5):
        place.run(f"r{number}")
    trash.bulk_delete(experiments=["first"])
    place.clock.advance(timedelta(days=31))
    assert trash.gc(dry_run=False).runs == 5


@pytest.mark.parametrize(
    ("older", "grace"), [(-1, 7), (30, 1.9), (30, -1), (float("nan"), 7), (30, float("nan")), (1e9, 7)]
)
def test_days_that_cannot_be_are_refused(trash: Trash, older: float, grace: float) -> None:
    with pytest.raises(InvalidInput):
        trash.gc(older_than_days=older, grace_days=grace)


def test_two_do_not_empty_the_trash_at_once(trash: Trash, database: Database) -> None:
    lease = database.lease("trash.gc", "another", timedelta(minutes=1))
    with pytest.raises(Conflict):
        trash.gc(dry_run=False)
    assert lease is not None
    database.release(lease)
    assert trash.gc(dry_run=False).runs == 0


def full_experiment(place: Place, database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> str:
    """An experiment with a bit of everything that belongs to one, deleted a month ago."""
    services = (database, blobs, events, clock)
    experiment = Experiments(*services).create("going", tags={"a": "b"})
    place.tracking.create_run("going", id="goes")
    place.tracking.finish_run("goes")
    models, traces, files = LoggedModels(*services), Traces(*services), Files(*services)
    made = models.create(experiment.id, "line", params={"p": "1"}, tags={"t": "u"})
    files.put(f"{experiment.id}/models/{made.id}", "MLmodel", blobs.put(b"model" * 10), 50)
    span = Span(trace=f"tr-{'1' * 32}", id="2" * 16, name="ask", started_ns=1, ended_ns=2)
    traces.record_spans(experiment.id, [span], make=False)
    Assessments(*services).create(span.trace, "good", 1.0)
    files.put(f"{experiment.id}/traces/{span.trace}", "traces.json", blobs.put(b"spans" * 10), 50)
    return experiment.id


def test_an_experiment_goes_with_all_that_belongs_to_it(
    place: Place,
    trash: Trash,
    database: Database,
    blobs: Blobs,
    store: LocalObjects,
    events: EventLog,
    clock: FixedClock,
) -> None:
    place.run("kept")
    went = full_experiment(place, database, blobs, events, clock)
    services = (database, blobs, events, clock)
    Experiments(*services).delete(went)
    clock.advance(timedelta(days=31))
    age(store)
    planned = trash.gc()
    assert (planned.runs, planned.experiments, planned.logged_models, planned.traces) == (1, 1, 1, 1)
    assert (planned.experiment_names, planned.blobs) == (["going"], 2)
    assert {
        "experiment_tags": 1,
        "logged_model_tags": 1,
        "trace_spans": 1,
        "stored_files": 2,
    }.items() <= planned.rows.items()
    assert Experiments(*services).get(went).name == "going"
    report = trash.gc(dry_run=False)
    assert replace(report, dry_run=True) == planned
    with pytest.raises(NotFound):
        Experiments(*services).get(went)
    left = {name: database.rows(sa.text(f"SELECT * FROM {name}")) for name in planned.rows}
    assert {name: len(rows) for name, rows in left.items() if rows} == {}
    assert place.found() == "kept"
    assert trash.gc(dry_run=False).experiments == 0
    assert Experiments(*services).create("going").name == "going"


def test_an_experiment_stays_with_a_run_that_was_taken_out_of_the_trash(
    place: Place, trash: Trash, database: Database, blobs: Blobs, events: EventLog, clock: FixedClock
) -> None:
    went = full_experiment(place, database, blobs, events, clock)
    experiments = Experiments(database, blobs, events, clock)
    experiments.delete(went)
    place.tracking.restore_run("goes")
    clock.advance(timedelta(days=31))
    report = trash.gc(dry_run=False)
    assert (report.experiments, report.runs, report.logged_models, report.traces) == (0, 0, 0, 0)
    assert experiments.restore(went).name == "going"


def test_a_logged_model_that_was_deleted_goes_alone(
    place: Place, trash: Trash, database: Database, blobs: Blobs, events: EventLog, clock: FixedClock
) -> None:
    experiment = full_experiment(place, database, blobs, events, clock)
    models = LoggedModels(database, blobs, events, clock)
    models.delete(models.search(experiments=[experiment]).models[0].id)
    clock.advance(timedelta(days=31))
    report = trash.gc(dry_run=False)
    assert (report.experiments, report.logged_models, report.rows["logged_models"]) == (0, 1, 1)
    assert database.rows(sa.text("SELECT * FROM logged_model_params")) == []
    (left,) = database.rows(sa.text("SELECT folder FROM stored_files"))
    assert "/traces/" in left.folder
