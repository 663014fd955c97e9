"""Where the bytes of snapshots rest: whole, in packs, as what is new; and that nothing needed is ever swept up."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from flyball.clock import FixedClock
from flyball.data import _store
from flyball.data.checkout import check_out
from flyball.data.datasets import Data
from flyball.data.layout import KeptBytes
from flyball.data.manifest import Snapshot, snapshot_files
from flyball.data.rewrite import purge_bytes, rewrite_snapshot
from flyball.data.snapshot import load_snapshot, take_snapshot
from flyball.data.verify import verify_snapshots
from flyball.data.versions import DataVersions
from flyball.errors import Conflict, NotFound
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs
from flyball.tracking.trash import Trash

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # no SQL of its own is at stake

ROWS = 200_000


@pytest.fixture
def versions(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> DataVersions:
    return DataVersions(database, blobs, events, clock)


@pytest.fixture
def trash(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Trash:
    return Trash(database, blobs, events, clock)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hundred small files and a large one."""
    made = tmp_path / "files"
    made.mkdir()
    for number in range(100):
        (made / f"{number:03}.txt").write_text(f"number {number}\n" * (number + 1))
    (made / "large.bin").write_bytes(random.Random(1).randbytes(200_000))
    return made


def stored(store: LocalObjects) -> int:
    return sum(item.size for item in store.list("blobs/"))


def sweep(trash: Trash, store: LocalObjects) -> int:
    """Runs the gc on a store in which all is old; gives how many blobs went."""
    for path in store.folder.rglob("*"):
        if path.is_file():
            os.utime(path, (0, time.time() - 40 * 86_400))
    return trash.gc(30, False, 7).blobs


def frame(rows: int = ROWS) -> pa.Table:
    random = np.random.default_rng(7)
    columns = {f"x{number}": random.normal(size=rows) for number in range(14)}
    return pa.table({"id": np.arange(rows), **columns, "kind": random.integers(0, 20, rows).astype(str)})


def updated(table: pa.Table) -> pa.Table:
    values = table["x3"].to_numpy().copy()
    values[ROWS // 2 : ROWS // 2 + ROWS // 20] += 1
    return table.set_column(4, "x3", pa.array(values))


def more() -> pa.Table:
    other = frame(ROWS // 20)
    return other.set_column(1, "x0", pa.array(np.random.default_rng(8).normal(size=ROWS // 20)))


EDITS: dict[str, Callable[[pa.Table], pa.Table]] = {
    "update": updated,
    "append": lambda table: pa.concat_tables([table, more()]),
    "insert": lambda table: pa.concat_tables([table.slice(0, ROWS // 3), more(), table.slice(ROWS // 3)]),
    "column": lambda table: table.append_column(
        "new", table["x0"].combine_chunks().take(pa.array(np.arange(ROWS)[::-1]))
    ),
}


@pytest.mark.parametrize("edit", list(EDITS))
def test_a_second_version_costs_what_is_new_in_it(
    data: Data, blobs: Blobs, store: LocalObjects, tmp_path: Path, edit: str
) -> None:
    before = frame()
    first = take_snapshot(data, blobs, "x", before, root=tmp_path)
    size = stored(store)
    after = EDITS[edit](before)
    second = take_snapshot(data, blobs, "x", after, root=tmp_path)
    assert (stored(store) - size) / second.size <= 0.12
    assert load_snapshot(blobs, second).equals(after.combine_chunks())
    assert load_snapshot(blobs, first).equals(before)


def test_the_first_version_of_a_frame_is_read_in_place(data: Data, blobs: Blobs, tmp_path: Path) -> None:
    taken = take_snapshot(data, blobs, "x", frame(), root=tmp_path)
    assert taken.layout == ""
    assert blobs.path(snapshot_files(blobs, taken)[0].digest).is_relative_to(tmp_path)


def test_a_changed_csv_file_costs_what_is_new_in_it(
    data: Data, blobs: Blobs, store: LocalObjects, tmp_path: Path
) -> None:
    lines = [f"{number},{number * 7919 % 100_003}" for number in range(100_000)]
    (tmp_path / "a.csv").write_text("\n".join(["a,b", *lines, ""]))
    take_snapshot(data, blobs, "x", "a.csv", root=tmp_path)
    size = stored(store)
    text = "\n".join(["a,b", "-1,-1", *lines, ""])
    (tmp_path / "a.csv").write_text(text)
    second = take_snapshot(data, blobs, "x", "a.csv", root=tmp_path)
    assert stored(store) - size < 0.2 * second.size
    assert KeptBytes(blobs, second.layout).read(snapshot_files(blobs, second)[0].digest) == text.encode()


def test_small_files_share_a_pack_and_come_back(
    data: Data, blobs: Blobs, store: LocalObjects, tmp_path: Path, folder: Path
) -> None:
    taken = take_snapshot(data, blobs, "files", folder, root=tmp_path)
    assert len(list(store.list("blobs/"))) == 5  # the pack, its index, the large file, the manifest, the layout
    kept = KeptBytes(blobs, taken.layout)
    for file in snapshot_files(blobs, taken):
        assert kept.read(file.digest) == (folder / file.path).read_bytes()
        assert kept.path(file.digest).read_bytes() == (folder / file.path).read_bytes()
    assert [(kind.kind, kind.files) for kind in taken.media] == [("text", 100), ("other", 1)]


def test_the_next_version_of_a_folder_uses_the_pack_again(
    data: Data, blobs: Blobs, store: LocalObjects, tmp_path: Path, folder: Path
) -> None:
    take_snapshot(data, blobs, "files", folder, root=tmp_path)
    before = len(list(store.list("blobs/")))
    (folder / "007.txt").write_text("another")
    (folder / "008.txt").unlink()
    second = take_snapshot(data, blobs, "files", folder, root=tmp_path)
    assert second.summary.startswith("1 file removed; 1 file changed; -")
    assert len(list(store.list("blobs/"))) == before + 2  # the file, the manifest
    kept = KeptBytes(blobs, second.layout)
    assert kept.read(next(f.digest for f in snapshot_files(blobs, second) if f.path == "007.txt")) == b"another"
    assert kept.read(next(f.digest for f in snapshot_files(blobs, second) if f.path == "099.txt")).startswith(
        b"number 99"
    )


def test_the_id_does_not_tell_how_the_bytes_rest(
    data: Data, blobs: Blobs, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = take_snapshot(data, blobs, "one", folder, root=tmp_path)
    monkeypatch.setattr("flyball.data._keeping.SMALL", 0)
    whole = take_snapshot(data, blobs, "two", folder, root=tmp_path)
    assert packed.layout
    assert not whole.layout
    assert packed.id == whole.id


def test_gc_keeps_what_snapshots_need_and_frees_the_rest(
    data: Data, blobs: Blobs, versions: DataVersions, trash: Trash, store: LocalObjects, tmp_path: Path, folder: Path
) -> None:
    table = frame()
    kept = [
        take_snapshot(data, blobs, "files", folder, root=tmp_path),
        take_snapshot(data, blobs, "x", table, root=tmp_path),
    ]
    (folder / "007.txt").write_text("another")
    kept += [
        take_snapshot(data, blobs, "files", folder, root=tmp_path),
        take_snapshot(data, blobs, "x", updated(table), root=tmp_path),
    ]
    assert sweep(trash, store) == 0
    assert verify_snapshots(blobs, kept) == []
    full = stored(store)
    # The first version of the frame holds the chunks of the second: its bytes stay, its manifest goes.
    versions.delete_snapshot("x", kept[1].id)
    versions.delete_snapshot("files", kept[0].id)
    assert sweep(trash, store) >= 2
    assert verify_snapshots(blobs, kept[2:]) == []
    assert load_snapshot(blobs, kept[3]).equals(updated(table))
    versions.delete_dataset("x")
    versions.delete_dataset("files")
    sweep(trash, store)
    assert full > 0
    assert stored(store) == 0


def test_a_dry_run_and_what_is_young_remove_nothing(
    data: Data, blobs: Blobs, versions: DataVersions, trash: Trash, store: LocalObjects, tmp_path: Path, folder: Path
) -> None:
    take_snapshot(data, blobs, "files", folder, root=tmp_path)
    versions.delete_dataset("files")
    before = stored(store)
    assert trash.gc(30, False, 7).blobs == 0
    for path in store.folder.rglob("*"):
        if path.is_file():
            os.utime(path, (0, time.time() - 40 * 86_400))
    assert trash.gc(30, True, 7).blobs == 5
    assert stored(store) == before


def test_a_manifest_too_long_to_be_swept_through_has_its_files_listed(
    data: Data,
    blobs: Blobs,
    trash: Trash,
    store: LocalObjects,
    tmp_path: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flyball.data._keeping._LISTED_FROM", 1000)
    monkeypatch.setattr("flyball.data._keeping.SMALL", 0)
    monkeypatch.setattr("flyball.storage.sweep._LARGEST_LIST", 8000)
    taken = take_snapshot(data, blobs, "files", folder, root=tmp_path)
    assert blobs.size(taken.id) > 8000
    assert sweep(trash, store) == 0


def test_what_is_broken_is_named(data: Data, blobs: Blobs, store: LocalObjects, tmp_path: Path, folder: Path) -> None:
    taken = take_snapshot(data, blobs, "files", folder, root=tmp_path)
    kept = KeptBytes(blobs, taken.layout)
    files = {file.path: file.digest for file in snapshot_files(blobs, taken)}
    place = kept.places[files["050.txt"]]
    pack = blobs.path(place.pack)
    pack.chmod(0o644)
    content = bytearray(pack.read_bytes())
    content[place.offset] ^= 1
    pack.write_bytes(content)
    blobs.delete(files["large.bin"])
    broken = verify_snapshots(blobs, [taken])
    assert [(one.path, one.found) for one in broken] == [("050.txt", "changed"), ("large.bin", "missing")]
    assert {(one.dataset, one.version) for one in broken} == {("files", taken.id)}
    blobs.delete(taken.id)
    assert [one.found for one in verify_snapshots(blobs, [taken])] == ["missing"]


def test_a_snapshot_of_the_first_release_is_read(
    data: Data, blobs: Blobs, database: Database, tmp_path: Path, folder: Path
) -> None:
    table = frame(100)
    taken = take_snapshot(data, blobs, "x", table, root=tmp_path)
    old = replace(taken, files=snapshot_files(blobs, taken), file_count=0, layout="", content="")
    blobs.delete(taken.id)
    with database.transaction() as connection:
        _store.delete_dataset(connection, "x")
        _store.write_latest(connection, old, is_known=False)
    found = data.get_snapshot("x")
    assert found.file_count == 1
    assert load_snapshot(blobs, found).equals(table)
    again = take_snapshot(data, blobs, "x", table, root=tmp_path)
    assert again.id == found.id
    assert len(data.list_snapshots("x")) == 1


def test_a_snapshot_is_checked_out_and_again(data: Data, blobs: Blobs, tmp_path: Path, folder: Path) -> None:
    taken = take_snapshot(data, blobs, "files", folder, root=tmp_path)
    target = tmp_path / "out"
    assert (check_out(blobs, taken, target).written, check_out(blobs, taken, target).unchanged) == (101, 101)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }
    (target / "large.bin").write_bytes(b"mine")
    (target / "own").write_text("stays")
    with pytest.raises(Conflict, match=r"'large\.bin' in .* hold something else"):
        check_out(blobs, taken, target)
    assert (target / "large.bin").read_bytes() == b"mine"
    assert check_out(blobs, taken, target, force=True).written == 1
    assert (target / "own").read_text() == "stays"


def test_a_linked_checkout_is_read_only_and_costs_no_bytes(
    data: Data, blobs: Blobs, tmp_path: Path, folder: Path
) -> None:
    taken = take_snapshot(data, blobs, "files", folder, root=tmp_path)
    check_out(blobs, taken, tmp_path / "out", link=True)
    found = (tmp_path / "out/large.bin").stat()
    assert found.st_nlink == 2
    assert not found.st_mode & 0o222


def test_a_user_s_file_is_never_linked_into_the_store(data: Data, blobs: Blobs, tmp_path: Path, folder: Path) -> None:
    take_snapshot(data, blobs, "files", folder, root=tmp_path)
    assert all(path.stat().st_nlink == 1 for path in folder.iterdir())


def test_rows_are_forgotten_with_their_bytes(
    data: Data,
    blobs: Blobs,
    versions: DataVersions,
    database: Database,
    events: EventLog,
    store: LocalObjects,
    tmp_path: Path,
) -> None:
    secret = b"jane.doe@example.com"
    mails = [f"person{n}@example.com" for n in range(20_000)]
    mails[12_345] = secret.decode()
    first = take_snapshot(data, blobs, "people", pa.table({"mail": mails, "n": range(20_000)}), root=tmp_path)
    second_rows = pa.table({"mail": [*mails, "new@example.com"], "n": range(20_001)})
    second = take_snapshot(data, blobs, "people", second_rows, root=tmp_path)
    versions.create_tag("people", "v1", first.id)

    def without(_: str, table: pa.Table) -> pa.Table:
        import pyarrow.compute as pc

        return table.filter(pc.not_equal(table["mail"], secret.decode()))

    former: list[str] = []
    for one in (first, second):
        done = rewrite_snapshot(versions, blobs, one, without, reason="request 17")
        assert done.is_changed
        former += done.former
    assert purge_bytes(database, versions, blobs, data.list_snapshots("people"), former) > 0
    assert data.find_snapshot("people@v1").rows == 19_999
    assert data.get_snapshot("people", second.id).rows == 20_000
    assert [event.facts["reason"] for event in events.list(kinds=["data.snapshot_rewritten"])] == ["request 17"] * 2
    assert not any(blobs.has(name) for name in former)
    assert verify_snapshots(blobs, data.list_snapshots("people")) == []
    with pytest.raises(NotFound):
        load_snapshot(blobs, first)


def test_a_pack_that_others_share_is_written_anew_without_what_shall_go(
    data: Data, blobs: Blobs, versions: DataVersions, database: Database, store: LocalObjects, tmp_path: Path
) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    for number in range(40):
        (parts / f"{number:02}.csv").write_text(
            f"mail,n\nperson{number}@example.com,{number}\nx@example.com,{number}\n"
        )
    first = take_snapshot(data, blobs, "people", "parts/*.csv", root=tmp_path)
    (parts / "07.csv").unlink()
    second = take_snapshot(data, blobs, "people", "parts/*.csv", root=tmp_path)

    def without(_: str, table: pa.Table) -> pa.Table:
        import pyarrow.compute as pc

        kept = table.filter(pc.not_equal(table["mail"], "person7@example.com"))
        return table if kept.num_rows == table.num_rows else kept

    done = rewrite_snapshot(versions, blobs, first, without, reason="request 18")
    purge_bytes(database, versions, blobs, data.list_snapshots("people"), done.former)
    assert not any(b"person7@" in blobs.get(item.key.rpartition("/")[2]) for item in store.list("blobs/"))
    assert data.get_snapshot("people").id == second.id
    assert verify_snapshots(blobs, data.list_snapshots("people")) == []
    assert load_snapshot(blobs, data.get_snapshot("people")).num_rows == 78


@pytest.mark.usefixtures("database_url")
def test_a_blob_put_again_while_gc_looks_is_not_taken(blobs: Blobs, store: LocalObjects) -> None:
    from flyball.storage.sweep import remove

    name = blobs.put(b"again")
    os.utime(blobs.path(name), (0, 0))
    items = list(store.list("blobs/"))
    blobs.put(b"again")
    assert list(remove(store, items, datetime.now(UTC) - timedelta(days=2))) == []


def test_a_snapshot_is_noun_enough_for_the_wire(data: Data, blobs: Blobs, tmp_path: Path, folder: Path) -> None:
    from flyball.serialization import from_json, to_json

    taken = take_snapshot(data, blobs, "files", folder, root=tmp_path)
    assert from_json(to_json(taken), Snapshot) == taken
