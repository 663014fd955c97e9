"""History, branches, tags, the way back, and deletion."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from flyball.clock import FixedClock
from flyball.data.datasets import Data
from flyball.data.manifest import Snapshot
from flyball.data.snapshot import load_snapshot, take_snapshot
from flyball.data.versions import DataVersions
from flyball.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from flyball.lineage import Lineage
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs


@pytest.fixture
def versions(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> DataVersions:
    return DataVersions(database, blobs, events, clock)


@pytest.fixture
def three(data: Data, blobs: Blobs, clock: FixedClock, tmp_path: Path) -> list[Snapshot]:
    """Three snapshots, an hour apart."""
    taken = []
    for number in (1, 2, 3):
        taken.append(take_snapshot(data, blobs, "flights", pa.table({"a": list(range(number))}), root=tmp_path))
        clock.advance(timedelta(hours=1))
    return taken


def test_a_tag_stays_and_a_branch_moves_on(
    data: Data, versions: DataVersions, blobs: Blobs, three: list[Snapshot], tmp_path: Path
) -> None:
    versions.create_tag("flights", "v1", three[0].id)
    versions.create_branch("flights", "try", "v1")
    taken = take_snapshot(data, blobs, "flights", pa.table({"a": [9]}), root=tmp_path, branch="try")
    assert taken.parent == three[0].id
    assert data.find_snapshot("flights@try") == taken
    assert data.find_snapshot("snapshots:/flights@v1") == three[0]
    assert data.get_snapshot("flights") == three[2]
    assert [(ref.kind, ref.name) for ref in versions.refs("flights")] == [
        ("branch", "latest"), ("branch", "try"), ("tag", "v1"),
    ]  # fmt: skip


def test_a_snapshot_cannot_be_put_on_a_tag_or_on_no_branch(
    data: Data, versions: DataVersions, blobs: Blobs, three: list[Snapshot], tmp_path: Path
) -> None:
    versions.create_tag("flights", "v1")
    for name, said in (("v1", "It is a tag"), ("none", "flyball data branch")):
        with pytest.raises(NotFound, match=said):
            data.record_snapshot(three[0], branch=name)


def test_a_name_is_taken_once(versions: DataVersions, three: list[Snapshot]) -> None:
    versions.create_tag("flights", "v1")
    for name in ("v1", "latest"):
        with pytest.raises(AlreadyExists):
            versions.create_branch("flights", name)
    with pytest.raises(InvalidInput):
        versions.create_tag("flights", "two words")
    with pytest.raises(NotFound):
        versions.create_tag("flights", "v2", "no such")


def test_a_ref_is_moved_only_from_where_it_is_expected(versions: DataVersions, three: list[Snapshot]) -> None:
    versions.create_tag("flights", "good", three[0].id)
    assert versions.move_ref("flights", "good", three[1].id, expected=three[0].id).snapshot == three[1].id
    with pytest.raises(Conflict, match="Somebody moved it"):
        versions.move_ref("flights", "good", three[2].id, expected=three[0].id)


def test_the_way_back_is_told_in_history(
    data: Data, versions: DataVersions, events: EventLog, three: list[Snapshot]
) -> None:
    versions.roll_back("flights", three[0].id, reason="bad import")
    assert data.get_snapshot("flights") == three[0]
    newest = versions.history("flights")[0]
    assert (newest.cause, newest.summary, newest.previous) == ("rolled_back", "bad import", three[2].id)
    assert events.list(kinds=["data.ref_rolled_back"])[0].facts["previous"] == three[2].id
    with pytest.raises(Conflict, match="already"):
        versions.roll_back("flights", three[0].id)


def test_a_snapshot_after_the_way_back_follows_what_was_gone_back_to(
    data: Data, versions: DataVersions, blobs: Blobs, three: list[Snapshot], tmp_path: Path
) -> None:
    versions.roll_back("flights", three[0].id)
    taken = take_snapshot(data, blobs, "flights", pa.table({"a": [7, 8]}), root=tmp_path)
    assert taken.parent == three[0].id
    assert "+1 rows" in taken.summary


def test_what_a_branch_was_at_a_time_is_found(data: Data, versions: DataVersions, three: list[Snapshot]) -> None:
    versions.roll_back("flights", three[0].id)
    for snapshot in three:
        assert data.get_snapshot("flights", as_of=snapshot.created + timedelta(minutes=30)) == snapshot
    with pytest.raises(NotFound, match="had no snapshot"):
        data.get_snapshot("flights", as_of=three[0].created - timedelta(minutes=1))
    with pytest.raises(InvalidInput, match="no time zone"):
        data.get_snapshot("flights", as_of=three[0].created.replace(tzinfo=None))


def test_history_comes_in_pages(versions: DataVersions, three: list[Snapshot]) -> None:
    first = versions.history("flights", limit=2)
    assert [move.snapshot for move in first] == [three[2].id, three[1].id]
    assert [move.snapshot for move in versions.history("flights", before=first[-1].number)] == [three[0].id]


def test_a_deleted_snapshot_is_gone_and_the_next_follows_the_one_before(
    data: Data, versions: DataVersions, blobs: Blobs, three: list[Snapshot]
) -> None:
    versions.delete_snapshot("flights", three[1].id)
    with pytest.raises(NotFound):
        data.get_snapshot("flights", three[1].id)
    assert data.get_snapshot("flights").parent == three[0].id
    assert [move.snapshot for move in versions.history("flights")][1] == three[1].id[:16]
    assert load_snapshot(blobs, data.get_snapshot("flights")).num_rows == 3


def test_the_latest_steps_back_when_it_is_deleted(data: Data, versions: DataVersions, three: list[Snapshot]) -> None:
    versions.delete_snapshot("flights", "latest")
    assert data.get_snapshot("flights") == three[1]
    versions.delete_snapshot("flights", "latest")
    versions.delete_snapshot("flights", "latest")
    with pytest.raises(NotFound, match="no snapshot of 'flights' yet"):
        data.get_snapshot("flights")


def test_what_a_model_needs_is_not_deleted_unless_forced(
    database: Database, data: Data, versions: DataVersions, events: EventLog, clock: FixedClock, three: list[Snapshot]
) -> None:
    Lineage(database, events, clock).link(f"snapshots:/flights/{three[0].id}", "models:/late/1", "trained_on")
    versions.create_tag("flights", "v2", three[1].id)
    assert [use.what for use in versions.uses("flights", three[0].id)] == ["models:/late/1"]
    with pytest.raises(Conflict, match=r"models:/late/1 \(trained_on\)"):
        versions.delete_snapshot("flights", three[0].id)
    with pytest.raises(Conflict, match="flights@v2"):
        versions.delete_snapshot("flights", three[1].id)
    with pytest.raises(Conflict, match="The dataset 'flights'"):
        versions.delete_dataset("flights")
    versions.delete_snapshot("flights", three[0].id, force=True)
    versions.delete_snapshot("flights", "v2", force=True)
    assert [one.id for one in data.list_snapshots("flights")] == [three[2].id]


def test_a_dataset_is_deleted_with_all_it_has(data: Data, versions: DataVersions, three: list[Snapshot]) -> None:
    versions.delete_dataset("flights")
    assert data.list() == []
    assert versions.history("flights") == []
    assert data.list_snapshots("flights") == []


def test_a_ref_is_deleted_and_the_snapshot_stays(data: Data, versions: DataVersions, three: list[Snapshot]) -> None:
    versions.create_tag("flights", "v1", three[0].id)
    versions.delete_ref("flights", "v1")
    assert data.get_snapshot("flights", three[0].id) == three[0]
    with pytest.raises(NotFound, match="no branch or tag 'v1'"):
        versions.delete_ref("flights", "v1")
    with pytest.raises(InvalidInput, match="stays"):
        versions.delete_ref("flights", "latest")
