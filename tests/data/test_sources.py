"""Where data comes from: buckets, tables that others keep, databases, odd files; and looking at it again and again."""

from __future__ import annotations

import os
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import deltalake
import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flyball.clock import FixedClock
from flyball.data._prefixes import Prefix, Service
from flyball.data.datasets import Data, dataset
from flyball.data.manifest import Snapshot, snapshot_files
from flyball.data.snapshot import load_snapshot, take_snapshot
from flyball.data.watch import Watcher, look_at
from flyball.errors import FlyballError, InvalidInput, NotFound
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from tests.servers.s3 import REGION, S3Bucket

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # no SQL of its own is at stake


def test_only_objects_that_changed_are_fetched(
    data: Data, blobs: Blobs, tmp_path: Path, s3_store: S3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, fetched = s3_store.store(), list[str]()
    for number in range(3):
        obstore.put(client, f"in/{number} ü.txt", f"text {number}".encode())
    plain = Prefix.fetch

    def fetch(self: Prefix, one: Any, to: Path) -> None:
        fetched.append(one.name)
        plain(self, one, to)

    monkeypatch.setattr(Prefix, "fetch", fetch)

    def take() -> Snapshot:
        service = Service(endpoint=s3_store.endpoint, region=REGION)
        source, cache = f"{s3_store.location}/in", tmp_path / "cache"
        return take_snapshot(data, blobs, "texts", source, root=tmp_path, cache=cache, service=service)

    first = take()
    assert [file.path for file in snapshot_files(blobs, first)] == ["0 ü.txt", "1 ü.txt", "2 ü.txt"]
    assert take() == first
    assert len(fetched) == 3
    obstore.put(client, "in/1 ü.txt", b"another")
    assert take().parent == first.id
    assert fetched[3:] == ["1 ü.txt"]


def test_tables_in_a_bucket_are_one_table(data: Data, blobs: Blobs, tmp_path: Path, s3_store: S3Bucket) -> None:
    client = s3_store.store()
    for number in range(2):
        obstore.put(client, f"in/{number}.csv", f"a\n{number}\n".encode())
    obstore.put(client, "in/readme.md", b"no table")
    service = Service(endpoint=s3_store.endpoint, region=REGION)
    taken = take_snapshot(data, blobs, "x", f"{s3_store.location}/in/*.csv", root=tmp_path, service=service)
    assert (taken.format, taken.rows) == ("csv", 2)
    assert load_snapshot(blobs, taken).column("a").to_pylist() == [0, 1]
    with pytest.raises(InvalidInput, match="matches no objects"):
        take_snapshot(data, blobs, "x", f"{s3_store.location}/none", root=tmp_path, service=service)
    with pytest.raises(InvalidInput, match="cannot be read"):
        take_snapshot(data, blobs, "x", "s3://no-such-bucket/x", root=tmp_path, service=service)


def test_a_delta_table_is_pinned_and_not_copied(data: Data, blobs: Blobs, tmp_path: Path) -> None:
    place = tmp_path / "table"
    deltalake.write_deltalake(place, pa.table({"a": [1, 2]}))
    first = take_snapshot(data, blobs, "x", "table", root=tmp_path)
    deltalake.write_deltalake(place, pa.table({"a": [3]}), mode="append")
    second = take_snapshot(data, blobs, "x", deltalake.DeltaTable(place), root=tmp_path)
    assert second.summary == "+1 rows; 1 file added; +" + second.summary.rpartition("+")[2]
    assert take_snapshot(data, blobs, "x", "table", root=tmp_path) == second
    assert load_snapshot(blobs, first).column("a").to_pylist() == [1, 2]
    assert sorted(load_snapshot(blobs, second, columns=["a"]).column("a").to_pylist()) == [1, 2, 3]
    assert not any(item.size > 1000 for item in blobs.store.list("blobs/"))


def test_a_delta_table_that_was_made_anew_is_not_taken_for_the_old_one(
    data: Data, blobs: Blobs, tmp_path: Path
) -> None:
    import shutil

    deltalake.write_deltalake(tmp_path / "table", pa.table({"a": [1, 2]}))
    taken = take_snapshot(data, blobs, "x", "table", root=tmp_path)
    shutil.rmtree(tmp_path / "table")
    with pytest.raises(NotFound):
        load_snapshot(blobs, taken)
    deltalake.write_deltalake(tmp_path / "table", pa.table({"a": [5]}))
    with pytest.raises(NotFound, match="another than the one that was pinned"):
        load_snapshot(blobs, taken)


@pytest.fixture
def iceberg(tmp_path: Path) -> Any:
    """An Iceberg table with two rows, in a catalog of its own."""
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("x", uri=f"sqlite:///{tmp_path / 'catalog.db'}", warehouse=f"file://{tmp_path / 'lake'}")
    catalog.create_namespace("air")
    table = catalog.create_table("air.t", schema=pa.schema([("a", pa.int64()), ("b", pa.string())]))
    table.append(pa.table({"a": [1, 2], "b": ["x", "y"]}))
    yield table
    catalog.close()


def test_an_iceberg_table_is_pinned_and_not_copied(data: Data, blobs: Blobs, tmp_path: Path, iceberg: Any) -> None:
    first = take_snapshot(data, blobs, "x", "lake/air/t", root=tmp_path)
    iceberg.append(pa.table({"a": [3], "b": ["z"]}))
    iceberg.delete("a = 1")
    second = take_snapshot(data, blobs, "x", iceberg, root=tmp_path)
    assert (first.rows, second.rows, second.format) == (2, 2, "iceberg")
    assert take_snapshot(data, blobs, "x", "lake/air/t", root=tmp_path) == second
    assert load_snapshot(blobs, first).to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert sorted(load_snapshot(blobs, second, columns=["a"]).column("a").to_pylist()) == [2, 3]
    assert [column.type for column in first.schema.columns] == ["int", "string"] if first.schema else False
    assert not any(item.size > 1000 for item in blobs.store.list("blobs/"))


def test_an_iceberg_table_that_is_gone_or_empty_is_told(data: Data, blobs: Blobs, tmp_path: Path, iceberg: Any) -> None:
    import shutil

    taken = take_snapshot(data, blobs, "x", "lake/air/t", root=tmp_path)
    empty = iceberg.catalog.create_table("air.empty", schema=pa.schema([("a", pa.int64())]))
    with pytest.raises(InvalidInput, match="has no snapshot yet"):
        take_snapshot(data, blobs, "y", empty, root=tmp_path)
    shutil.rmtree(tmp_path / "lake" / "air" / "t")
    with pytest.raises(NotFound):
        load_snapshot(blobs, taken)


def test_a_long_answer_of_a_query_is_taken_in_batches(
    data: Data, blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flyball.data._queries._ROWS_AT_ONCE", 1000)
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE t (a INTEGER, b REAL)")
        rows = [(n, None if n < 1500 else n + 0.5) for n in range(3500)]
        connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
    connection.close()
    source = dataset("x", "sqlite:///x.db", query="SELECT * FROM t ORDER BY a")
    taken = take_snapshot(data, blobs, source, root=tmp_path)
    loaded = load_snapshot(blobs, taken)
    assert loaded.column("a").to_pylist() == list(range(3500))
    assert loaded.column("b").to_pylist() == [b for _, b in rows]


def test_a_symlink_loop_is_named(data: Data, blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_text("a")
    (tmp_path / "in/loop").symlink_to("loop")
    with pytest.raises(InvalidInput, match="loop' cannot be read"):
        take_snapshot(data, blobs, "x", "in", root=tmp_path)


def test_a_folder_that_leads_back_up_is_left_out(data: Data, blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/deep/a.txt").write_text("a")
    (tmp_path / "in/deep/up").symlink_to(tmp_path / "in")
    taken = take_snapshot(data, blobs, "x", "in", root=tmp_path)
    assert [file.path for file in snapshot_files(blobs, taken)] == ["deep/a.txt"]


@pytest.mark.parametrize("name", [b"two\nlines.txt", b"latin-\xe9.txt"], ids=["newline", "latin-1"])
def test_a_name_that_cannot_be_written_is_refused(data: Data, blobs: Blobs, tmp_path: Path, name: bytes) -> None:
    (tmp_path / "in").mkdir()
    with open(os.path.join(os.fsencode(tmp_path / "in"), name), "wb") as file:  # noqa: PTH118, PTH123  # names in bytes
        file.write(b"x")
    with pytest.raises(InvalidInput, match="cannot be written as text"):
        take_snapshot(data, blobs, "x", "in", root=tmp_path)
    assert data.list() == []


def test_future_dates_are_data_too(data: Data, blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("at\n2999-01-01 00:00:00\n9999-12-31 23:59:59\n")
    assert take_snapshot(data, blobs, "x", "a.csv", root=tmp_path).rows == 2


def test_a_file_that_changes_while_it_is_read_leaves_nothing(
    data: Data, blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    large = tmp_path / "in/large.bin"
    large.write_bytes(bytes(200_000))
    plain = Blobs.put_file

    def put_file(self: Blobs, path: Path, **options: Any) -> str:
        name = plain(self, path, **options)
        with large.open("ab") as file:
            file.write(b"more")
        return name

    monkeypatch.setattr(Blobs, "put_file", put_file)
    with pytest.raises(FlyballError, match=r"'large\.bin' changed while it was read"):
        take_snapshot(data, blobs, "x", "in", root=tmp_path)
    assert data.list() == []


def test_a_source_is_looked_at_again_and_again(data: Data, blobs: Blobs, tmp_path: Path, events: EventLog) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    data.declare(dataset("x", "a.csv"))
    first = look_at(data, blobs, "x", root=tmp_path)
    assert first is not None
    assert look_at(data, blobs, "x", root=tmp_path) is None
    (tmp_path / "a.csv").write_text("a\n1\n2\n")
    second = look_at(data, blobs, "x", root=tmp_path)
    assert second is not None
    assert second.parent == first.id
    told = events.list(kinds=["data.source_changed"])
    assert [event.facts["id"] for event in told] == [first.id, second.id]


def test_a_watcher_looks_when_it_is_time(data: Data, blobs: Blobs, tmp_path: Path, clock: FixedClock) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    data.declare(dataset("x", "a.csv", watch="10m"))
    data.declare(dataset("y", "none.csv", watch="10m"))
    data.declare(dataset("z", "a.csv"))
    watcher = Watcher(data, blobs, clock, root=tmp_path)
    looked = watcher.look()
    assert [(one.dataset, one.snapshot is not None, bool(one.problem)) for one in looked] == [
        ("x", True, False), ("y", False, True),
    ]  # fmt: skip
    assert watcher.look() == []
    clock.advance(timedelta(minutes=11))
    assert next((one.dataset, one.snapshot) for one in watcher.look()) == ("x", None)


@pytest.mark.usefixtures("database_url")
def test_what_cannot_be_watched_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no source that could be watched"):
        dataset("x", watch="10m")
    with pytest.raises(InvalidInput):
        dataset("x", "a.csv", watch="often")


def test_a_parquet_file_without_rows_is_refused(data: Data, blobs: Blobs, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "a.parquet")
    with pytest.raises(InvalidInput, match="holds no rows"):
        take_snapshot(data, blobs, "x", "a.parquet", root=tmp_path)
