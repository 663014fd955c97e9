from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flyball.clock import FixedClock
from flyball.errors import InvalidInput, NotFound
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.evaluation_sets import MOST_RECORDS, EvaluationSet, EvaluationSets, Merged, NewRecord
from flyball.tracking.runs import Tracking


@pytest.fixture
def sets(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> EvaluationSets:
    return EvaluationSets(database, blobs, events, clock)


@pytest.fixture
def faq(sets: EvaluationSets) -> EvaluationSet:
    return sets.create("faq", tags={"team": "chat", "mlflow.user": "ann"})


def test_a_new_set_is_empty(sets: EvaluationSets, faq: EvaluationSet, clock: FixedClock) -> None:
    assert sets.get(faq.id) == faq
    assert (faq.records, faq.schema, faq.created, faq.created_by) == (0, None, clock.now(), "ann")


def test_making_a_set_twice_with_an_id_is_making_it_once(sets: EvaluationSets) -> None:
    assert sets.create("a", id="d-1") == sets.create("a", id="d-1")
    assert len(sets.search().sets) == 1


def test_a_record_reads_back_as_it_was_given(sets: EvaluationSets, faq: EvaluationSet) -> None:
    source = {"source_type": "TRACE", "source_data": {"trace_id": "tr-1"}}
    given = NewRecord(
        inputs={"q": "ü?"}, outputs=[1], expectations={"a": {"b": None}}, tags={"mlflow.user": "bob"}, source=source
    )
    assert sets.merge_records(faq.id, [given]) == Merged(inserted=1, updated=0)
    (read,) = sets.records(faq.id).records
    assert (read.inputs, read.outputs, read.expectations) == (given.inputs, given.outputs, given.expectations)
    assert (read.tags, read.source, read.created_by, read.updated_by) == (given.tags, source, "bob", "bob")


def test_the_same_inputs_are_the_same_record(sets: EvaluationSets, faq: EvaluationSet, clock: FixedClock) -> None:
    sets.merge_records(
        faq.id, [NewRecord(inputs={"q": 1, "n": 2}, outputs="x", expectations={"a": 1}, tags={"t": "1"})]
    )
    clock.advance(timedelta(seconds=1))
    again = NewRecord(inputs={"n": 2, "q": 1}, expectations={"b": 2}, tags={"u": "2"}, keep_outputs=True)
    assert sets.merge_records(faq.id, [again, NewRecord(inputs={"q": 2}), again]) == Merged(inserted=1, updated=2)
    first, _ = sets.records(faq.id).records
    assert (first.outputs, first.expectations, first.tags) == ("x", {"a": 1, "b": 2}, {"t": "1", "u": "2"})
    assert (first.created, first.updated) == (clock.now() - timedelta(seconds=1), clock.now())


def test_the_schema_knows_every_field(sets: EvaluationSets, faq: EvaluationSet) -> None:
    sets.merge_records(faq.id, [NewRecord(inputs={"q": "a", "n": 1}, outputs={"z": [1]}, expectations={"ok": True})])
    sets.merge_records(faq.id, [NewRecord(inputs={"q": 2.5, "more": None}, outputs="text")])
    found = sets.get(faq.id)
    assert found.schema == {
        "inputs": {"q": "string", "n": "integer", "more": "null"},
        "outputs": {"z": "array"},
        "expectations": {"ok": "boolean"},
        "version": "1.0",
    }
    assert found.records == 2


def test_outputs_need_not_be_named(sets: EvaluationSets, faq: EvaluationSet) -> None:
    sets.merge_records(faq.id, [NewRecord(inputs={"q": 1}, outputs="text")])
    schema = sets.get(faq.id).schema
    assert schema is not None
    assert schema["outputs"] == "string"


def test_the_digest_changes_with_the_records(sets: EvaluationSets, faq: EvaluationSet, clock: FixedClock) -> None:
    clock.advance(timedelta(seconds=1))
    sets.merge_records(faq.id, [NewRecord(inputs={"q": 1})])
    changed = sets.get(faq.id)
    assert changed.digest != faq.digest
    assert changed.updated == clock.now()


def test_records_come_page_by_page(sets: EvaluationSets, faq: EvaluationSet) -> None:
    sets.merge_records(faq.id, [NewRecord(inputs={"q": n}) for n in range(7)])
    pages: list[list[Any]] = []
    token = ""
    while not pages or token:
        page = sets.records(faq.id, limit=3, page_token=token)
        pages.append([record.inputs["q"] for record in page.records])
        token = page.next_page_token
    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted(one for page in pages for one in page) == list(range(7))


@pytest.mark.parametrize("token", ["x", "AAAA", "e30="])
def test_a_token_that_is_none_is_refused(sets: EvaluationSets, faq: EvaluationSet, token: str) -> None:
    with pytest.raises(InvalidInput):
        sets.records(faq.id, page_token=token)
    with pytest.raises(InvalidInput):
        sets.search(page_token=token)


def test_records_are_deleted(sets: EvaluationSets, faq: EvaluationSet) -> None:
    sets.merge_records(faq.id, [NewRecord(inputs={"q": n}) for n in range(3)])
    first = sets.records(faq.id).records[0]
    assert sets.delete_records(faq.id, [first.id, "dr-nope"]) == 1
    assert sets.get(faq.id).records == 2


def test_a_deleted_set_is_gone_with_its_records(sets: EvaluationSets, faq: EvaluationSet) -> None:
    sets.merge_records(faq.id, [NewRecord(inputs={"q": 1})])
    for _ in range(2):
        sets.delete(faq.id)
    for call in (sets.get, sets.records):
        with pytest.raises(NotFound, match=faq.id):
            call(faq.id)


def test_a_set_belongs_to_experiments(sets: EvaluationSets, faq: EvaluationSet, experiments: list[str]) -> None:
    one, two = experiments
    sets.add_to_experiments(faq.id, [two, one, two])
    assert sets.get(faq.id).experiments == [one, two]
    assert sets.remove_from_experiments(faq.id, [one, "99", "x"]).experiments == [two]
    assert [found.id for found in sets.search(experiments=[two]).sets] == [faq.id]
    assert sets.search(experiments=[one]).sets == []


def test_an_experiment_must_be_there(sets: EvaluationSets, faq: EvaluationSet) -> None:
    for wrong in ("99", "x", "٣"):
        with pytest.raises(NotFound, match="No Experiment"):
            sets.add_to_experiments(faq.id, [wrong])
        with pytest.raises(NotFound, match="No Experiment"):
            sets.create("other", experiments=[wrong])


@pytest.fixture
def experiments(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> list[str]:
    """The ids of two experiments."""
    tracking = Tracking(database, blobs, events, clock)
    for name in ("one", "two"):
        tracking.create_run(name)
    return ["1", "2"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ["b-set", "a-set"]),
        ("name = 'a-set'", ["a-set"]),
        ("name LIKE '%-set'", ["b-set", "a-set"]),
        ("name IN ('a-set', 'c')", ["a-set"]),
        ("tags.team = 'x'", ["a-set"]),
        ("created_by = 'bob'", ["b-set"]),
        ("created_time > 0", ["b-set", "a-set"]),
        ("name = 'a-set' OR created_by = 'bob'", ["b-set", "a-set"]),
    ],
)
def test_sets_are_found_by_what_is_asked(sets: EvaluationSets, clock: FixedClock, text: str, wanted: list[str]) -> None:
    sets.create("a-set", tags={"team": "x"})
    clock.advance(timedelta(seconds=1))
    sets.create("b-set", tags={"mlflow.user": "bob"})
    assert [found.name for found in sets.search(text).sets] == wanted


def test_sets_come_in_the_order_asked_for_page_by_page(sets: EvaluationSets) -> None:
    for name in ("b", "c", "a"):
        sets.create(name)
    first = sets.search(order_by=["name"], limit=2)
    assert [found.name for found in first.sets] == ["a", "b"]
    assert [found.name for found in sets.search(order_by=["name"], page_token=first.next_page_token).sets] == ["c"]


@pytest.mark.parametrize("text", ["foo = 'x'", "name", "tags.a > 'b'"])
def test_a_filter_that_makes_no_sense_is_refused(sets: EvaluationSets, text: str) -> None:
    with pytest.raises(InvalidInput):
        sets.search(text)


def test_tags_are_set_and_taken_off(sets: EvaluationSets, faq: EvaluationSet) -> None:
    sets.set_tags(faq.id, {"team": "other", "new": "1"})
    for _ in range(2):
        sets.delete_tag(faq.id, "new")
    assert sets.get(faq.id).tags == {"team": "other", "mlflow.user": "ann"}


def test_what_cannot_be_kept_is_refused(sets: EvaluationSets, faq: EvaluationSet) -> None:
    for wrong in ("", "a" * 251, "a\nb"):
        with pytest.raises(InvalidInput):
            sets.create(wrong)
    with pytest.raises(InvalidInput):
        sets.merge_records(faq.id, [NewRecord(inputs={})] * (MOST_RECORDS + 1))


def test_odd_texts_do_no_harm(sets: EvaluationSets, faq: EvaluationSet) -> None:
    sets.merge_records(faq.id, [NewRecord(inputs={"nul\0": "a\0b", "half": "\ud800"}, tags={"mlflow.user": "u" * 300})])
    assert sets.records(faq.id).records[0].inputs == {"nul\ufffd": "a\ufffdb", "half": "?"}
