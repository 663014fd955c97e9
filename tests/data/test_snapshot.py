from __future__ import annotations

import gzip
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyball.data import _digests
from flyball.data import snapshot as snapshot_module
from flyball.data.datasets import Data, dataset
from flyball.data.snapshot import Snapshot, load_snapshot, read_files, snapshot_files, take_snapshot
from flyball.errors import InvalidInput, NotFound
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs, digest_file

ROWS = pa.table({"id": [1, 2, 3], "origin": ["JFK", None, "EWR"], "delay": [0.5, None, 2.0]})


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite alone: what is tried here is how files are read and kept."""
    return sqlite_url


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    return made


def take(data: Data, blobs: Blobs, root: Path, source: object, **more: Any) -> Snapshot:
    return take_snapshot(data, blobs, "flights", source, root=root, **more)


@pytest.mark.parametrize(
    "make_frame",
    [
        lambda: ROWS,
        ROWS.to_pandas,
        lambda: pl.from_arrow(ROWS),
        ROWS.to_reader,
        lambda: ROWS.to_pandas().astype({"origin": "category"}),
        lambda: pa.concat_tables([ROWS.slice(0, 1), ROWS.slice(1)]),
    ],
    ids=["arrow", "pandas", "polars", "reader", "categories", "in pieces"],
)
def test_equal_frames_of_any_library_are_one_snapshot(
    data: Data, blobs: Blobs, root: Path, make_frame: Callable[[], object]
) -> None:
    taken = take(data, blobs, root, make_frame())
    assert taken.id == take(data, blobs, root, ROWS).id
    assert load_snapshot(blobs, taken).equals(ROWS)
    assert (taken.rows, taken.format) == (3, "parquet")
    assert len(data.list_snapshots("flights")) == 1


def test_a_duckdb_relation_is_a_frame_too(data: Data, blobs: Blobs, root: Path) -> None:
    with duckdb.connect() as connection:
        taken = take(data, blobs, root, connection.from_arrow(ROWS))
    assert taken.id == take(data, blobs, root, ROWS).id


def test_an_unnamed_index_is_left_out_and_a_named_one_kept(data: Data, blobs: Blobs, root: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3, 4]}).query("a != 2")
    assert load_snapshot(blobs, take(data, blobs, root, frame)).column_names == ["a"]
    named = frame.rename_axis("row")
    assert load_snapshot(blobs, take(data, blobs, root, named)).column_names == ["a", "row"]


def test_a_csv_file_is_kept_as_it_is(data: Data, blobs: Blobs, root: Path) -> None:
    text = b"id,origin,at\n1,JFK,2013-01-01 05:00:00\n2,,2013-01-01 06:00:00\n"
    (root / "a.csv").write_bytes(text)
    taken = take(data, blobs, root, "a.csv")
    assert blobs.get(snapshot_files(blobs, taken)[0].digest) == text
    assert taken.schema is not None
    assert [(c.name, c.type) for c in taken.schema.columns] == [
        ("id", "int"),
        ("origin", "string"),
        ("at", "timestamp"),
    ]
    assert load_snapshot(blobs, taken).column("origin").to_pylist() == ["JFK", None]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_csv_with_other_delimiters_is_read(data: Data, blobs: Blobs, root: Path, delimiter: str) -> None:
    (root / "a.csv").write_text(f"a{delimiter}b\n1{delimiter}x\n")
    assert load_snapshot(blobs, take(data, blobs, root, "a.csv")).to_pylist() == [{"a": 1, "b": "x"}]


def test_a_type_that_shows_late_in_a_csv_file_is_found(data: Data, blobs: Blobs, root: Path) -> None:
    (root / "a.csv").write_text("a\n" + "1\n" * 5_000_000 + "1.5\n")
    taken = take(data, blobs, root, "a.csv")
    assert taken.schema is not None
    assert taken.schema.column("a").type == "float"


def test_quoted_line_breaks_are_read(data: Data, blobs: Blobs, root: Path) -> None:
    (root / "a.csv").write_text('a,b\n1,"two\nlines"\n')
    assert load_snapshot(blobs, take(data, blobs, root, "a.csv")).column("b").to_pylist() == ["two\nlines"]


@pytest.mark.parametrize("packed", ["gzip", "zstd", "bz2"])
def test_packed_text_is_read(data: Data, blobs: Blobs, root: Path, packed: str) -> None:
    ending = {"gzip": "gz", "zstd": "zst", "bz2": "bz2"}[packed]
    with pa.output_stream(str(root / f"a.csv.{ending}"), compression=packed) as stream:
        stream.write(b"a\n1\n")
    assert load_snapshot(blobs, take(data, blobs, root, f"a.csv.{ending}")).to_pylist() == [{"a": 1}]


@pytest.mark.parametrize("text", ['{"a": 1, "b": "x"}\n{"a": 2}\n', '[{"a": 1, "b": "x"}, {"a": 2}]'])
def test_json_lines_and_arrays_are_read(data: Data, blobs: Blobs, root: Path, text: str) -> None:
    (root / "a.json").write_text(text)
    rows = load_snapshot(blobs, take(data, blobs, root, "a.json"))
    assert rows.to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


def test_files_of_a_pattern_are_united_by_name_in_order(data: Data, blobs: Blobs, root: Path) -> None:
    (root / "in").mkdir()
    pq.write_table(pa.table({"a": pa.array([3], pa.int32()), "b": ["x"]}), root / "in/2.parquet")
    pq.write_table(pa.table({"b": pa.array(["y"]).dictionary_encode(), "c": [1.5]}), root / "in/1.parquet")
    taken = take(data, blobs, root, "in/*.parquet")
    assert [file.path for file in snapshot_files(blobs, taken)] == ["1.parquet", "2.parquet"]
    assert load_snapshot(blobs, taken).to_pylist() == [{"b": "y", "c": 1.5, "a": None}, {"b": "x", "c": None, "a": 3}]
    assert load_snapshot(blobs, taken, columns=["a"]).to_pylist() == [{"a": None}, {"a": 3}]


def test_whole_numbers_beside_fractions_become_fractions(data: Data, blobs: Blobs, root: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), root / "1.parquet")
    pq.write_table(pa.table({"a": [1.5]}), root / "2.parquet")
    assert load_snapshot(blobs, take(data, blobs, root, "*.parquet")).column("a").to_pylist() == [1.0, 1.5]


def test_a_whole_number_that_would_be_rounded_is_refused(data: Data, blobs: Blobs, root: Path) -> None:
    pq.write_table(pa.table({"a": [2**53 + 1]}), root / "1.parquet")
    pq.write_table(pa.table({"a": [1.5]}), root / "2.parquet")
    with pytest.raises(InvalidInput, match=r"Column 'a' of '1\.parquet' does not fit double"):
        load_snapshot(blobs, take(data, blobs, root, "*.parquet"))


def test_a_folder_of_parquet_is_a_table_and_any_other_its_files(data: Data, blobs: Blobs, root: Path) -> None:
    (root / "tables/deep").mkdir(parents=True)
    pq.write_table(ROWS, root / "tables/deep/a.parquet")
    assert take(data, blobs, root, "tables").rows == 3
    (root / "tables/.hidden").write_text("not seen")
    (root / "tables/picture.png").write_bytes(b"\x89PNG")
    (root / "tables/empty").write_bytes(b"")
    taken = take(data, blobs, root, root / "tables")
    assert (taken.format, taken.schema, taken.rows) == ("folder", None, None)
    assert load_snapshot(blobs, taken).column("path").to_pylist() == ["deep/a.parquet", "empty", "picture.png"]


def test_files_are_read_without_a_snapshot(root: Path) -> None:
    (root / "a.csv").write_text("a\n1\n")
    (root / "b.csv").write_text("a\n2\n")
    assert read_files(root, "*.csv").column("a").to_pylist() == [1, 2]
    with pytest.raises(InvalidInput, match="holds other files than tables"):
        read_files(root, ".")


def test_the_id_is_the_same_wherever_the_project_lies(data: Data, blobs: Blobs, tmp_path: Path) -> None:
    ids = set()
    for place in ("one", "[two]"):
        (tmp_path / place / "in").mkdir(parents=True)
        (tmp_path / place / "in/a.csv").write_text("a\n1\n")
        ids.add(take(data, blobs, tmp_path / place, "in/*.csv").id)
    assert len(ids) == 1


def test_a_query_is_a_snapshot(data: Data, blobs: Blobs, root: Path) -> None:
    with sqlite3.connect(root / "x.db") as connection:
        connection.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(1, "x"), (2, None)])
    connection.close()
    flights = dataset("flights", "sqlite:///x.db", query="SELECT * FROM t ORDER BY a")
    taken = take_snapshot(data, blobs, flights, root=root)
    assert load_snapshot(blobs, taken).to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    assert data.get("flights") == flights


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT * FROM nowhere", "no such table"),
        ("SELECT 1 AS a, 2 AS a", "two columns 'a'"),
        ("SELECT 1 AS a UNION ALL SELECT 'x'", "mixes types"),
        ("SELECT 1 AS a WHERE 1 = 0", "holds no rows"),
    ],
)
def test_a_query_that_cannot_be_used_says_why(data: Data, blobs: Blobs, root: Path, query: str, found: str) -> None:
    sqlite3.connect(root / "x.db").close()
    (root / "x.db").touch()
    with pytest.raises(InvalidInput, match=found):
        take_snapshot(data, blobs, dataset("flights", "sqlite:///x.db", query=query), root=root)
    assert data.list() == []


def test_a_database_file_that_is_not_there_is_not_made(data: Data, blobs: Blobs, root: Path) -> None:
    with pytest.raises(InvalidInput, match="no database file"):
        take_snapshot(data, blobs, dataset("flights", "sqlite:///x.db", query="SELECT 1"), root=root)
    assert not (root / "x.db").exists()


def test_a_password_is_not_shown_when_a_query_fails(data: Data, blobs: Blobs, root: Path) -> None:
    data.declare(dataset("flights", "postgresql://host/db", query="SELECT 1"))
    with pytest.raises(InvalidInput) as caught:
        take(data, blobs, root, "postgresql+psycopg://me:secret@127.0.0.1:1/db")
    assert "secret" not in str(caught.value)


def test_unchanged_files_are_not_read_again(
    data: Data, blobs: Blobs, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: EventLog
) -> None:
    (root / "a.csv").write_text("a\n1\n")
    read: list[Path] = []

    def digest(path: Path) -> str:
        read.append(path)
        return digest_file(path)

    monkeypatch.setattr(snapshot_module, "digest_file", digest)
    monkeypatch.setattr(_digests, "_FRESH", 0)
    first = take(data, blobs, root, "a.csv", cache=tmp_path / "cache")
    assert take(data, blobs, root, "a.csv", cache=tmp_path / "cache") == first
    assert len(read) == 1
    (root / "a.csv").write_text("a\n2\n")
    assert take(data, blobs, root, "a.csv", cache=tmp_path / "cache") != first
    assert len(events.list(kinds=["data.snapshot_taken"])) == 2


def test_a_file_changed_a_moment_ago_is_not_trusted(data: Data, blobs: Blobs, root: Path, tmp_path: Path) -> None:
    (root / "a.csv").write_text("a\n1\n")
    now = time.time() + 60  # however long the machine takes until it looks
    os.utime(root / "a.csv", (now, now))
    take(data, blobs, root, "a.csv", cache=tmp_path / "cache")
    assert not (tmp_path / "cache/digests/flights.index").exists()


def test_a_broken_cache_is_an_empty_one(data: Data, blobs: Blobs, root: Path, tmp_path: Path) -> None:
    (tmp_path / "cache/digests").mkdir(parents=True)
    (tmp_path / "cache/digests/flights.index").write_text("{")
    (root / "a.csv").write_text("a\n1\n")
    assert take(data, blobs, root, "a.csv", cache=tmp_path / "cache").rows == 1


def test_the_source_that_was_declared_is_taken(data: Data, blobs: Blobs, root: Path) -> None:
    (root / "a.csv").write_text("a\n1\n")
    data.declare(dataset("flights", "a.csv", key="a"))
    assert take_snapshot(data, blobs, "flights", root=root).rows == 1
    assert data.get("flights").key == "a"


def test_without_a_source_there_is_nothing_to_take(data: Data, blobs: Blobs, root: Path) -> None:
    with pytest.raises(NotFound, match="no dataset 'flights'"):
        take_snapshot(data, blobs, "flights", root=root)
    with pytest.raises(InvalidInput, match="has no source"):
        take_snapshot(data, blobs, dataset("flights"), root=root)
    with pytest.raises(InvalidInput, match="A list is no table"):
        take_snapshot(data, blobs, "flights", [1, 2], root=root)


BAD: dict[str, tuple[str, bytes, str]] = {
    "ragged": ("a.csv", b"a,b\n1,2\n3\n", "Row #3: Expected 2 columns, got 1"),
    "latin-1": ("a.csv", "a,b\né,1\n".encode("latin-1"), "not UTF-8 in column 'a'"),
    "latin-1 header": ("a.csv", "é,b\n1,1\n".encode("latin-1"), "not UTF-8 in its first line"),
    "utf-16": ("a.csv", "a,b\n1,2\n".encode("utf-16"), "UTF-16"),
    "no rows": ("a.csv", b"a,b\n", "holds no rows"),
    "empty csv": ("a.csv", b"", "is empty"),
    "empty parquet": ("a.parquet", b"", "is empty"),
    "twice": ("a.csv", b"a,a\n1,2\n", "Column 'a' appears twice"),
    "not parquet": ("a.parquet", b"a,b\n1,2\n", "does not begin as a Parquet file"),
    "cut off": ("a.parquet", b"PAR1" + b"x" * 100, "truncated"),
    "mixed json": ("a.json", b'{"a": 1}\n{"a": "x"}\n', "changed from number to string"),
    "mixed json array": ("a.json", b'[{"a": 1}, {"a": "x"}]', "cannot be read as json"),
    "cut json": ("a.json", b'{"a": 1}\n{"a', "cannot be read as json"),
    "cut json array": ("a.json", b'[{"a": 1}', "cannot be read as json"),
    "numbers": ("a.json", b"[1, 2]", "other things than objects"),
    "latin-1 json": ("a.json", '{"a": "é"}'.encode("latin-1"), "not UTF-8"),
    "cut gzip": ("a.csv.gz", gzip.compress(b"a\n1\n" * 100)[:-9], "cannot be unpacked by gzip"),
    "a picture": ("a.png", b"\x89PNG", "no table file"),
}


@pytest.mark.parametrize(("name", "content", "found"), BAD.values(), ids=BAD)
def test_a_bad_file_is_named_and_nothing_is_recorded(
    data: Data, blobs: Blobs, root: Path, name: str, content: bytes, found: str
) -> None:
    (root / name).write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        take(data, blobs, root, name)
    assert found in str(caught.value)
    assert f"'{name}'" in str(caught.value)
    assert data.list() == []
    assert list(blobs.store.list("blobs/")) == []


def test_nul_bytes_are_named(data: Data, blobs: Blobs, root: Path) -> None:
    (root / "a.csv").write_bytes(b"a,b\n1,2\n\x00\x00\n")
    with pytest.raises(InvalidInput, match="NUL bytes"):
        take(data, blobs, root, "a.csv")


def test_parquet_with_two_columns_of_one_name_is_refused(data: Data, blobs: Blobs, root: Path) -> None:
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), root / "a.parquet")
    with pytest.raises(InvalidInput, match=r"'a\.parquet': Column 'a' appears twice"):
        take(data, blobs, root, "a.parquet")


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_types_that_do_not_go_together_are_named(data: Data, blobs: Blobs, root: Path, ending: str) -> None:
    for place, value in enumerate([1, 2, "x"]):
        if ending == "csv":
            (root / f"{place}.csv").write_text(f"a\n{value}\n")
        else:
            pq.write_table(pa.table({"a": [value]}), root / f"{place}.parquet")
    with pytest.raises(InvalidInput) as caught:
        take(data, blobs, root, f"*.{ending}")
    assert caught.value.message == f"Column 'a' is string in '2.{ending}' and int64 in '0.{ending}'."


def test_a_pattern_or_path_without_files_is_refused(data: Data, blobs: Blobs, root: Path) -> None:
    (root / "none").mkdir()
    for source in ("*.csv", "a.csv", "none", "no/where/*.csv"):
        with pytest.raises(InvalidInput, match="matches no files"):
            take(data, blobs, root, source)


def test_files_of_several_formats_are_refused(data: Data, blobs: Blobs, root: Path) -> None:
    (root / "a.csv").write_text("a\n1\n")
    (root / "b.json").write_text('{"a": 1}')
    with pytest.raises(InvalidInput, match=r"'a\.csv' and 'b\.json' are of different formats"):
        take(data, blobs, root, "*")


def test_other_addresses_are_refused(data: Data, blobs: Blobs, root: Path) -> None:
    with pytest.raises(InvalidInput, match="no query"):
        take(data, blobs, root, "mysql://host/data")


@pytest.mark.parametrize(
    "frame", [pd.DataFrame([[1, 2]], columns=["a", "a"]), pd.DataFrame({"a": [1, "x"]}), pd.DataFrame()]
)
def test_a_bad_frame_is_refused(data: Data, blobs: Blobs, root: Path, frame: object) -> None:
    with pytest.raises(InvalidInput):
        take(data, blobs, root, frame)
    assert data.list() == []


def test_an_unknown_column_names_near_ones(data: Data, blobs: Blobs, root: Path) -> None:
    taken = take(data, blobs, root, ROWS)
    with pytest.raises(InvalidInput, match="Did you mean 'origin'"):
        load_snapshot(blobs, taken, columns=["orgin"])


def test_the_schema_is_that_of_the_loaded_table(data: Data, blobs: Blobs, root: Path) -> None:
    (root / "a.csv").write_text("a,b,c\n1,x,\n")
    (root / "b.csv").write_text("b,a,d\n,1.5,2013-01-01\n")
    taken = take(data, blobs, root, "*.csv")
    loaded = load_snapshot(blobs, taken)
    assert taken.schema is not None
    assert [(column.name, column.storage) for column in taken.schema.columns] == [
        (field.name, str(field.type)) for field in loaded.schema
    ]


def test_a_wide_table_is_taken(data: Data, blobs: Blobs, root: Path) -> None:
    (root / "a.csv").write_text(",".join(f"c{n}" for n in range(5000)) + "\n" + ",".join("1" * 5000) + "\n")
    taken = take(data, blobs, root, "a.csv")
    assert taken.schema is not None
    assert len(taken.schema.columns) == 5000


def test_many_small_files_are_read(data: Data, blobs: Blobs, root: Path) -> None:
    for place in range(400):
        pq.write_table(pa.table({f"c{n}": [place] for n in range(10)}), root / f"{place:03}.parquet")
    taken = take(data, blobs, root, "*.parquet")
    loaded = load_snapshot(blobs, taken)
    assert loaded.column("c0").to_pylist() == list(range(400))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
            st.none() | st.floats(allow_nan=False),
            st.none() | st.booleans(),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_a_frame_comes_back_as_it_was(
    data: Data, blobs: Blobs, root: Path, rows: list[tuple[int | None, str | None, float | None, bool | None]]
) -> None:
    types = [pa.int64(), pa.string(), pa.float64(), pa.bool_()]
    frame = pa.table([pa.array(v, t) for v, t in zip(zip(*rows, strict=True), types, strict=True)], names=list("abcd"))
    assert load_snapshot(blobs, take(data, blobs, root, frame)).equals(frame)


def test_a_quote_that_is_never_closed_is_told(data: Data, blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "open.csv").write_text('a,b\n1,"never closed\n2,3\n')
    with pytest.raises(InvalidInput, match="a quote that is opened in row 1 is never closed"):
        take_snapshot(data, blobs, "x", "open.csv", root=tmp_path)
    (tmp_path / "whole.csv").write_text('a,b\n1,"two\nlines"\n2,5" pipe\n')
    assert take_snapshot(data, blobs, "x", "whole.csv", root=tmp_path).rows == 2
