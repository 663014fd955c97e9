"""The join as SQL: what DuckDB and a real Spark answer is what the join in memory gives."""

from __future__ import annotations

import json
import os
import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.errors import InvalidInput
from flyball.features.definition import FeatureView, feature_view
from flyball.features.join import join_features
from flyball.features.portable import asof_sql, join_sql
from flyball.features.windows import window
from tests.servers.absent import found
from tools import environments, provision

START = datetime(2013, 1, 1, tzinfo=UTC)
moments = st.none() | st.integers(0, 12)
keys = st.sampled_from(["a", "b", None])
BIG = 2**62


def at(hours: list[Any]) -> pa.Array:
    return pa.array([None if h is None else START + timedelta(hours=h) for h in hours], pa.timestamp("us", "UTC"))


def a_view(ttl: int | None, *, has_created: bool) -> FeatureView:
    return feature_view(
        "v", entity=["key", "part"], time="since", columns=["value"], created="seen" if has_created else "",
        ttl=None if ttl is None else f"{ttl}h",
    )  # fmt: skip


def sides(left: list[tuple[Any, Any]], right: list[tuple[Any, Any, Any]]) -> tuple[pa.Table, pa.Table]:
    requests = {
        "place": list(range(len(left))),
        "key": pa.array([row[0] for row in left], pa.string()),
        "part": pa.array([BIG + 1] * len(left), pa.int64()),
        "at": at([row[1] for row in left]),
    }
    rows = {
        "key": pa.array([row[0] for row in right], pa.string()),
        "part": pa.array([BIG + 1 - (n % 5 == 4) for n in range(len(right))], pa.int64()),
        "since": at([row[1] for row in right]),
        "seen": at([row[2] for row in right]),
        "value": pa.array([BIG + n for n in range(len(right))], pa.int64()),
        "nth": pa.array(list(range(len(right))), pa.int64()),
    }
    return pa.table(requests), pa.table(rows)


ASKED: dict[str, Any] = {
    "table": "rows_v", "requests": "asked_for", "columns": ["place", "key", "part", "at"], "features": ["value"],
    "time": "at", "order_by": "nth", "request_order": "place",
}  # fmt: skip


@settings(max_examples=25)
@given(
    left=st.lists(st.tuples(keys, moments), min_size=1, max_size=8),
    right=st.lists(st.tuples(keys, moments, moments), max_size=12),
    ttl=st.none() | st.integers(0, 6),
    has_created=st.booleans(),
)
def test_both_forms_of_sql_give_what_the_join_gives(
    left: list[Any], right: list[Any], ttl: int | None, has_created: bool
) -> None:
    requests, rows = sides(left, right)
    view = a_view(ttl, has_created=has_created)
    expected = join_features(requests, [(view, rows)], time="at")
    with duckdb.connect() as connection:
        connection.register("asked_for", requests)
        connection.register("rows_v", rows)
        for query in (join_sql(view, **ASKED), asof_sql(view, **ASKED)):
            got = connection.sql(query).to_arrow_table()
            assert got["place"].to_pylist() == expected["place"].to_pylist()
            assert got["value"].to_pylist() == expected["value"].to_pylist(), query
            assert got["key"].to_pylist() == expected["key"].to_pylist()


@pytest.mark.soak  # a Spark session takes minutes to start
@pytest.mark.timeout(900)
def test_spark_gives_what_the_join_gives(tmp_path: Path) -> None:
    java, python = found(provision.JAVA), found(environments.SPARK)
    order = random.Random(7)

    def moment() -> Any:
        return order.choice([None, *range(12)])

    tables: dict[str, str] = {}
    queries: dict[str, str] = {}
    expected: dict[str, pa.Table] = {}
    for case in range(4):
        left = [(order.choice(["a", "b", None]), moment()) for _ in range(12)]
        right = [(order.choice(["a", "b", None]), moment(), moment()) for _ in range(25)]
        requests, rows = sides(left, right)
        names = {"requests": f"asked_{case}", "table": f"rows_{case}"}
        for name, table in ((names["requests"], requests), (names["table"], rows)):
            tables[name] = str(tmp_path / f"{name}.parquet")
            pq.write_table(table, tables[name])
        view = a_view([None, 0, 3][case % 3], has_created=case % 2 == 0)
        queries[str(case)] = join_sql(view, **{**ASKED, **names}, quotes="spark")
        expected[str(case)] = join_features(requests, [(view, rows)], time="at")
    done = subprocess.run(
        [python, Path(__file__).parent / "scripts/spark_join.py"],
        input=json.dumps({"tables": tables, "queries": queries}),
        env={
            **os.environ, "JAVA_HOME": str(java), "PYSPARK_PYTHON": str(python),
            "PYSPARK_SUBMIT_ARGS": "--driver-java-options -XX:TieredStopAtLevel=1 pyspark-shell",
        },
        capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    answers = json.loads(done.stdout.splitlines()[-1])
    for name, joined in expected.items():
        assert answers[name]["columns"] == ["place", "key", "part", "at", "value"]
        got = [[row[0], row[1], row[2], row[4]] for row in answers[name]["rows"]]
        assert got == [[r["place"], r["key"], r["part"], r["value"]] for r in joined.to_pylist()], queries[name]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"table": "x; DROP TABLE y"}, "no name of a table"),
        ({"features": ['a"b']}, "cannot be written in SQL"),
        ({"quotes": "none"}, "cannot be quoted"),
    ],
)
def test_names_that_cannot_be_quoted_are_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        join_sql(a_view(1, has_created=False), **{**ASKED, **more})


def test_windows_have_no_such_sql() -> None:
    view = feature_view("v", entity="key", time="since", windows=[window("value", "sum", over="1h")])
    with pytest.raises(InvalidInput, match="windows"):
        join_sql(view, **ASKED)
