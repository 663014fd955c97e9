from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flyball.clock import FixedClock
from flyball.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from flyball.labels.labels import Labels
from flyball.labels.task import LabelSet, NewItem, NewLabel, check_value
from flyball.storage.event_log import EventLog


def keys(labels: Labels, annotator: str, count: int = 1) -> list[str]:
    return [item.key for item in labels.next("pets", annotator, count)]


def test_a_set_is_kept_and_found(pets: Labels) -> None:
    assert pets.get("pets").classes == ("cat", "dog")
    assert [each.name for each in pets.list()] == ["pets"]


def test_an_unknown_set_is_named_with_near_ones(pets: Labels) -> None:
    with pytest.raises(NotFound, match="Did you mean 'pets'"):
        pets.get("pet")


def test_classes_are_added_and_never_taken(pets: Labels) -> None:
    declared = pets.get("pets")
    assert pets.declare(replace(declared, classes=("cat", "dog", "bird"))).classes[-1] == "bird"
    with pytest.raises(Conflict, match="lacks the class 'bird'"):
        pets.declare(declared)
    with pytest.raises(Conflict, match="another task"):
        pets.declare(LabelSet(name="pets", task="text", items="text"))


@pytest.mark.parametrize(
    "given",
    [
        {"classes": ()}, {"classes": ("a", "a")}, {"classes": ("",)}, {"overlap": 0}, {"lease_seconds": 0},
        {"name": "a b"}, {"task": "accept"},
    ],
    ids=str,
)  # fmt: skip
def test_a_set_that_cannot_be_worked_on_is_refused(labels: Labels, given: dict[str, Any]) -> None:
    good = LabelSet(name="x", task="classify", classes=("a", "b"))
    with pytest.raises(InvalidInput):
        labels.declare(replace(good, **given))


def test_a_thing_that_is_there_stays_as_it_is(pets: Labels) -> None:
    assert pets.add_items("pets", [NewItem(key="t0", data={"text": "other"}), NewItem(key="t9")]) == 1
    assert pets.get_item("pets", "t0").data == {"text": "text 0"}


def test_the_highest_priority_is_handed_out_first(pets: Labels) -> None:
    assert keys(pets, "ann", 2) == ["t0", "t1"]
    pets.set_priorities("pets", ["t4"], [9.0])
    assert keys(pets, "bob") == ["t4"]


def test_two_annotators_do_not_get_the_same(pets: Labels) -> None:
    assert keys(pets, "ann", 3) == ["t0", "t1", "t2"]
    assert keys(pets, "bob", 3) == ["t3", "t4"]


def test_what_was_handed_out_comes_again_to_the_same_annotator(pets: Labels) -> None:
    assert keys(pets, "ann") == keys(pets, "ann") == ["t0"]


def test_a_lease_that_ran_out_lets_others_have_it(labels: Labels) -> None:
    import time

    labels.declare(LabelSet(name="pets", task="accept", lease_seconds=1.0))
    labels.add_items("pets", [NewItem(key="a")])
    assert keys(labels, "ann") == ["a"]
    assert keys(labels, "bob") == []
    time.sleep(1.1)
    assert keys(labels, "bob") == ["a"]


def test_a_labelled_thing_is_done(pets: Labels) -> None:
    label = pets.label("pets", "t0", "cat", "ann", confidence=0.9)
    assert (label.value, label.annotator, label.confidence, label.source) == ("cat", "ann", 0.9, "person")
    assert keys(pets, "bob") == ["t1"]
    assert pets.progress("pets").done == 1


def test_with_overlap_each_annotator_gets_a_thing_once(labels: Labels) -> None:
    labels.declare(LabelSet(name="pets", task="accept", overlap=2))
    labels.add_items("pets", [NewItem(key="a")])
    assert keys(labels, "ann") == ["a"]
    assert keys(labels, "bob") == ["a"]
    assert keys(labels, "carl") == []
    labels.label("pets", "a", True, "ann")
    assert keys(labels, "ann") == []
    assert keys(labels, "carl") == []
    labels.label("pets", "a", False, "bob")
    assert labels.progress("pets").done == 1


def test_a_skipped_thing_goes_to_others(pets: Labels) -> None:
    assert keys(pets, "ann") == ["t0"]
    pets.skip("pets", "t0", "ann")
    assert keys(pets, "ann") == ["t1"]
    assert keys(pets, "bob") == ["t0"]


def test_a_correction_is_one_more_entry_in_the_book(pets: Labels) -> None:
    pets.label("pets", "t0", "cat", "ann")
    pets.label("pets", "t0", "dog", "ann")
    assert [label.value for label in pets.list_labels("pets")] == ["cat", "dog"]
    assert [label.value for label in pets.list_labels("pets", only_last=True)] == ["dog"]
    assert pets.get_item("pets", "t0").labels == 1


def test_undo_takes_back_one_after_the_other(pets: Labels) -> None:
    for key in ("t0", "t1"):
        keys(pets, "ann")
        pets.label("pets", key, "cat", "ann")
    undone = [pets.undo("pets", "ann"), pets.undo("pets", "ann"), pets.undo("pets", "ann")]
    assert [item.key if item else None for item in undone] == ["t1", "t0", None]
    assert len(pets.list_labels("pets")) == 4
    assert pets.current("pets") == []
    assert keys(pets, "bob") == ["t2"]
    assert set(keys(pets, "ann", 2)) == {"t0", "t1"}


def test_the_same_label_sent_twice_is_one(pets: Labels) -> None:
    given = [NewLabel(item="t0", value="cat", annotator="ann"), NewLabel(item="t1", value="dog", annotator="ann")]
    assert (pets.add_labels("pets", given), pets.add_labels("pets", given)) == (2, 0)


def test_one_bad_label_keeps_all_out(pets: Labels) -> None:
    given = [NewLabel(item="t0", value="cat", annotator="ann"), NewLabel(item="t1", value="cow", annotator="ann")]
    with pytest.raises(InvalidInput, match="no class of 'pets'"):
        pets.add_labels("pets", given)
    with pytest.raises(NotFound):
        pets.add_labels("pets", [given[0], replace(given[0], item="t99")])
    assert pets.list_labels("pets") == []


@pytest.mark.parametrize(
    ("rule", "value", "confidence"), [("last", "dog", 1 / 3), ("majority", "cat", 2 / 3), ("consensus", "cat", None)]
)
def test_a_rule_says_what_counts(pets: Labels, rule: Any, value: str, confidence: float | None) -> None:
    for annotator, said in (("a", "cat"), ("b", "cat"), ("c", "dog")):
        pets.label("pets", "t0", said, annotator)
        pets.label("pets", "t1", "cat", annotator)
    current = pets.current("pets", rule)[0]
    assert (current.item, current.value, current.labels) == ("t0", value, 3)
    assert confidence is None or current.confidence == pytest.approx(confidence)


def test_what_counts_comes_in_pages(pets: Labels) -> None:
    for key in ("t0", "t1", "t2"):
        pets.label("pets", key, "cat", "ann")
    first = pets.current("pets", limit=2)
    assert [each.item for each in first] == ["t0", "t1"]
    assert [each.item for each in pets.current("pets", limit=2, after="t1")] == ["t2"]


def test_more_can_be_asked_of_certain_things(pets: Labels) -> None:
    pets.label("pets", "t0", "cat", "ann")
    assert pets.ask_more("pets", ["t0"], 2) == 1
    assert keys(pets, "bob") == ["t0"]


def test_progress_counts(pets: Labels) -> None:
    keys(pets, "ann", 3)
    pets.label("pets", "t0", "cat", "ann")
    pets.skip("pets", "t1", "ann")
    progress = pets.progress("pets")
    assert (progress.items, progress.done, progress.leased, progress.skipped) == (5, 1, 1, 1)
    assert progress.annotators == {"ann": 1}


def test_agreement_of_a_set(pets: Labels) -> None:
    for key, ann, bob in (("t0", "cat", "cat"), ("t1", "cat", "cat"), ("t2", "dog", "dog"), ("t3", "cat", "dog")):
        pets.label("pets", key, ann, "ann")
        pets.label("pets", key, bob, "bob")
    found = pets.agreement("pets")
    assert (found.items, found.annotators, found.agree) == (4, 2, 0.75)
    (pair,) = found.pairs
    assert (pair.first, pair.second, pair.kappa) == ("ann", "bob", 0.5)
    assert pair.confusion == (("cat", "dog", 1),)


def test_an_empty_set_has_no_agreement(pets: Labels) -> None:
    assert pets.agreement("pets").alpha is None
    assert pets.annotator_quality("pets") == {}
    assert pets.current("pets") == []


def test_a_removed_set_is_gone_with_its_labels(pets: Labels) -> None:
    pets.label("pets", "t0", "cat", "ann")
    pets.remove("pets")
    pets.declare(LabelSet(name="pets", task="classify", items="text", classes=("cat",)))
    assert (pets.list_items("pets"), pets.list_labels("pets")) == ([], [])


def test_labelling_is_told(pets: Labels, events: EventLog) -> None:
    pets.label("pets", "t0", "cat", "ann")
    told = [event.kind for event in events.list(subject="labels:/pets")]
    assert told == ["labels.set_declared", "labels.items_added", "labels.labels_added"]


def test_only_who_knows_the_secret_may_send(pets: Labels) -> None:
    for name, secret in (("pets", ""), ("pets", "x"), ("none", "x")):
        with pytest.raises(PermissionDenied):
            pets.check_secret(name, secret)
    pets.set_secret("pets", "s3cret")
    pets.check_secret("pets", "s3cret")
    pets.set_secret("pets", "")
    with pytest.raises(PermissionDenied):
        pets.check_secret("pets", "s3cret")


def test_a_label_keeps_its_own_moment(pets: Labels, clock: FixedClock) -> None:
    at = clock.now().replace(year=2020)
    pets.add_labels("pets", [NewLabel(item="t0", value="cat", annotator="ann", at=at)])
    assert pets.list_labels("pets")[0].at == at


SETS = {
    "classify": LabelSet(name="s", task="classify", classes=("a", "b")),
    "tags": LabelSet(name="s", task="tags", classes=("a", "b")),
    "accept": LabelSet(name="s", task="accept"),
    "span": LabelSet(name="s", task="span", classes=("a", "b")),
    "text": LabelSet(name="s", task="text"),
    "boxes": LabelSet(name="s", task="boxes", classes=("a", "b")),
}
BOX = {"x": 1, "y": 2, "width": 3, "height": 4, "label": "a"}


@pytest.mark.parametrize(
    ("task", "value", "kept"),
    [
        ("classify", "a", "a"),
        ("tags", ["b", "a", "a"], ["a", "b"]),
        ("tags", [], []),
        ("accept", False, False),
        ("text", "free", "free"),
        ("span", [{"start": 3, "end": 4, "label": "b"}, {"start": 0, "end": 2, "label": "a", "x": 1}],
         [{"start": 0, "end": 2, "label": "a"}, {"start": 3, "end": 4, "label": "b"}]),
        ("boxes", [BOX], [{**BOX, "x": 1.0}]),
    ],
    ids=str,
)  # fmt: skip
def test_an_answer_is_kept_in_one_form(task: str, value: Any, kept: Any) -> None:
    assert check_value(SETS[task], value) == kept


@pytest.mark.parametrize(
    ("task", "value"),
    [
        ("classify", "c"), ("classify", ["a"]), ("tags", "a"), ("tags", ["c"]), ("accept", 1), ("accept", "yes"), ("text", 3),
        ("text", "a\0"), ("span", [{"start": 2, "end": 2, "label": "a"}]), ("span", [{"start": 0, "end": 2}]), ("span", {}),
        ("boxes", [{**BOX, "width": 0}]), ("boxes", [{**BOX, "x": float("nan")}]), ("boxes", [{"label": "a"}]),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_answer_is_refused(task: str, value: Any) -> None:
    with pytest.raises(InvalidInput):
        check_value(SETS[task], value)
