from __future__ import annotations

import pytest

from flyball.clock import FixedClock
from flyball.data.datasets import Data, dataset
from flyball.data.manifest import Snapshot, SnapshotFile, describe_change, snapshot_id
from flyball.errors import InvalidInput, NotFound
from flyball.serialization import from_json, to_json
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.verbs import verbs_of


def a_snapshot(blobs: Blobs, text: bytes, *, name: str = "flights", rows: int = 1) -> Snapshot:
    files = (SnapshotFile(path="a.csv", digest=blobs.put(text), size=len(text)),)
    return Snapshot(id=snapshot_id(files, "csv"), dataset=name, format="csv", files=files, rows=rows, size=len(text))


def test_a_declared_dataset_is_found(data: Data) -> None:
    flights = dataset("flights", "data/*.parquet", key="id", time="at", label="late", label_time="landed")
    assert data.declare(flights) == flights
    assert data.get("flights") == flights


def test_declaring_again_writes_an_event_only_on_change(data: Data, events: EventLog) -> None:
    data.declare(dataset("flights", "a.csv"))
    data.declare(dataset("flights", "a.csv"))
    data.declare(dataset("flights", "b.csv"))
    kinds = [event.kind for event in events.list()]
    assert kinds == ["data.dataset_declared", "data.dataset_declared"]
    assert data.get("flights").source == "b.csv"


def test_an_unknown_dataset_names_near_ones(data: Data) -> None:
    data.declare(dataset("flights"))
    with pytest.raises(NotFound, match="Did you mean 'flights'"):
        data.get("flihgts")


def test_datasets_are_listed_in_pages(data: Data) -> None:
    for name in ("b", "a", "c"):
        data.declare(dataset(name))
    assert [found.name for found in data.list(limit=2)] == ["a", "b"]
    assert [found.name for found in data.list(limit=2, after="b")] == ["c"]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"name": "a b"}, "cannot be the name"),
        ({"name": "a", "source": "x.csv", "query": "SELECT 1"}, "no database"),
        ({"name": "a", "source": "sqlite:///x.db"}, "no query"),
        ({"name": "a", "source": "postgresql://me:secret@host/db", "query": "SELECT 1"}, "holds a password"),
    ],
)
def test_a_declaration_that_cannot_be_used_is_refused(arguments: dict[str, str], found: str) -> None:
    with pytest.raises(InvalidInput, match=found) as caught:
        dataset(**arguments)
    assert "secret" not in str(caught.value)


def test_a_recorded_snapshot_is_the_latest(data: Data, blobs: Blobs, clock: FixedClock) -> None:
    recorded = data.record_snapshot(a_snapshot(blobs, b"one"))
    assert data.get_snapshot("flights") == recorded
    assert recorded.created == clock.now()
    assert recorded.parent == ""


def test_recording_declares_an_unknown_dataset(data: Data, blobs: Blobs) -> None:
    data.record_snapshot(a_snapshot(blobs, b"one"))
    assert data.get("flights").source == ""


def test_recording_twice_changes_nothing(data: Data, blobs: Blobs, events: EventLog) -> None:
    first = data.record_snapshot(a_snapshot(blobs, b"one"))
    assert data.record_snapshot(a_snapshot(blobs, b"one")) == first
    assert len(events.list(kinds=["data.snapshot_taken"])) == 1


def test_the_event_tells_what_changed(data: Data, blobs: Blobs, events: EventLog) -> None:
    first = data.record_snapshot(a_snapshot(blobs, b"one", rows=1))
    second = data.record_snapshot(a_snapshot(blobs, b"three", rows=3))
    told = events.list(kinds=["data.snapshot_taken"])[-1]
    assert told.subject == f"snapshots:/flights/{second.id}"
    assert told.facts["previous"] == first.id
    assert told.facts["summary"] == second.summary == "+2 rows; content changed; +2 bytes"


def test_content_that_comes_back_is_the_latest_again(data: Data, blobs: Blobs) -> None:
    first = data.record_snapshot(a_snapshot(blobs, b"one"))
    second = data.record_snapshot(a_snapshot(blobs, b"two"))
    assert data.record_snapshot(a_snapshot(blobs, b"one")) == first
    assert data.get_snapshot("flights") == first
    assert [found.id for found in data.list_snapshots("flights")] == [first.id, second.id]


def test_snapshots_are_found_by_the_beginning_of_their_id(data: Data, blobs: Blobs) -> None:
    first = data.record_snapshot(a_snapshot(blobs, b"one"))
    data.record_snapshot(a_snapshot(blobs, b"two"))
    assert data.get_snapshot("flights", first.id) == first
    assert data.get_snapshot("flights", first.id[:8]) == first
    with pytest.raises(InvalidInput, match="Several snapshots"):
        data.get_snapshot("flights", "")
    with pytest.raises(NotFound, match="no snapshot 'zzz'"):
        data.get_snapshot("flights", "zzz")
    with pytest.raises(NotFound, match="no snapshot of 'other' yet"):
        data.get_snapshot("other")


def test_snapshots_are_listed_in_pages_latest_first(data: Data, blobs: Blobs) -> None:
    made = [data.record_snapshot(a_snapshot(blobs, text)) for text in (b"one", b"two", b"three")]
    assert data.list_snapshots("flights", limit=2) == [made[2], made[1]]
    assert data.list_snapshots("flights", limit=2, before=made[1].id) == [made[0]]


def test_an_id_that_is_not_that_of_the_files_is_refused(data: Data, blobs: Blobs) -> None:
    snapshot = a_snapshot(blobs, b"one")
    wrong = Snapshot(id="0" * 64, dataset="flights", format="csv", files=snapshot.files)
    with pytest.raises(InvalidInput, match="not the id of the files"):
        data.record_snapshot(wrong)


def test_a_snapshot_whose_bytes_are_not_kept_is_refused(data: Data, blobs: Blobs) -> None:
    snapshot = a_snapshot(blobs, b"one")
    blobs.delete(snapshot.files[0].digest)
    with pytest.raises(NotFound, match=r"The bytes of 'a\.csv' are not kept"):
        data.record_snapshot(snapshot)
    assert data.list() == []


def test_the_verbs_can_be_called_from_outside() -> None:
    found = verbs_of(Data)
    assert {name: verb.effect for name, verb in found.items()} == {
        "declare": "change",
        "find_snapshot": "read",
        "get": "read",
        "get_snapshot": "read",
        "list": "read",
        "list_snapshots": "read",
        "record_snapshot": "change",
        "tell_of_source": "change",
    }


def test_a_snapshot_survives_the_wire(data: Data, blobs: Blobs) -> None:
    recorded = data.record_snapshot(a_snapshot(blobs, b"one"))
    assert from_json(to_json(recorded), Snapshot) == recorded


def test_the_id_does_not_depend_on_the_order_of_files() -> None:
    one, two = (SnapshotFile(path=name, digest="0" * 64, size=1) for name in "ab")
    assert snapshot_id([one, two], "csv") == snapshot_id([two, one], "csv")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("ab", "abc", "1 file added; +1 bytes"),
        ("abc", "a", "2 files removed; -2 bytes"),
        ("a", "b", "content changed"),
        ("ab", "ab", "same files"),
    ],
)
def test_a_change_of_files_is_told(before: str, after: str, told: str) -> None:
    def folder(names: str) -> Snapshot:
        files = tuple(SnapshotFile(path=name, digest=name * 64, size=1) for name in names)
        return Snapshot(id="", dataset="x", format="folder", files=files, size=len(files))

    old, new = folder(before), folder(after)
    assert describe_change(old, new, old.files, new.files) == told
