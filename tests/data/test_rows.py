"""Rows of tables, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from flyball.data.snapshot import take_snapshot
from flyball.errors import InvalidInput
from flyball.testing import workspace
from flyball.workspace import Workspace

ROWS = pa.table(
    {
        "id": range(2500),
        "city": ["Ulm", "Köln", None, "Berlin", "Bonn"] * 500,
        "mail": [f"a{n}@example.org" for n in range(2500)],
        "at": [datetime(2024, 1, 1, tzinfo=UTC)] * 2500,
        "share": [float("nan"), 0.5] * 1250,
    }
)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    root = tmp_path_factory.mktemp("rows")
    with workspace(root) as made:
        pq.write_table(ROWS, root / "people.parquet")
        take_snapshot(made.data, made.blobs, "people", "people.parquet", root=root)
        yield made


def test_a_page_of_a_snapshot_is_read_with_personal_data_masked(here: Workspace) -> None:
    page = here.rows.of_snapshot("people", offset=2499, limit=10)
    assert (page.total, page.offset) == (2500, 2499)
    assert [(column.name, column.masked) for column in page.columns][2] == ("mail", "mail")
    assert page.rows == [[2499, "Bonn", "<mail>", "2024-01-01T00:00:00+00:00", 0.5]]


def test_rows_are_ordered_and_searched_in_a_column(here: Workspace) -> None:
    page = here.rows.of_snapshot("people", limit=2, order_by="-id", column="city", contains="BERL")
    assert page.total == 500
    assert [row[:2] for row in page.rows] == [[2498, "Berlin"], [2493, "Berlin"]]
    assert here.rows.of_snapshot("people", limit=1).rows[0][4] is None


def test_nothing_is_found_out_of_a_column_that_is_masked(here: Workspace) -> None:
    for wish in ({"order_by": "mail"}, {"column": "mail", "contains": "a1@"}):
        with pytest.raises(InvalidInput, match="masked"):
            here.rows.of_snapshot("people", **wish)  # type: ignore[arg-type]  # each names texts


def test_a_search_is_a_text_and_no_sql(here: Workspace) -> None:
    assert here.rows.of_snapshot("people", column="city", contains="' OR 1=1 --").total == 0
    with pytest.raises(InvalidInput, match="no column"):
        here.rows.of_snapshot("people", order_by='id" DESC; DROP TABLE rows; --')


@pytest.mark.parametrize("name", ["table.parquet", "table.arrow", "table.csv", "output"])
def test_tables_that_runs_left_behind_are_read(here: Workspace, tmp_path: Path, name: str) -> None:
    table, path = pa.table({"a": [1, 2], "b": ["x", "y"]}), tmp_path / name
    if name.endswith(".parquet"):
        pq.write_table(table, path)
    elif name.endswith(".csv"):
        path.write_text("a,b\n1,x\n2,y\n", encoding="utf-8")
    else:
        feather.write_feather(table, path)
    page = here.rows.of_file(here.blobs.put_file(path), name, order_by="-a")
    assert page.rows == [[2, "y"], [1, "x"]]


def test_what_is_no_table_or_no_page_is_refused(here: Workspace) -> None:
    digest = here.blobs.put(b"\x80\x04 a pickle")
    with pytest.raises(InvalidInput, match=r"'model.pkl' is no table"):
        here.rows.of_file(digest, "model.pkl")
    with pytest.raises(InvalidInput, match="cannot be given"):
        here.rows.of_snapshot("people", limit=100_000)
