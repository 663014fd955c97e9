"""What differs between two snapshots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyball.data.datasets import Data
from flyball.data.diff import DataDiff, diff_snapshots
from flyball.data.snapshot import take_snapshot
from flyball.errors import InvalidInput
from flyball.serialization import from_json, to_json
from flyball.storage.objects import Blobs

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # no SQL of its own is at stake

Compare = Callable[..., DataDiff]
ONE = pa.table({"id": [1, 2, 3, 4], "x": [0.5, None, float("nan"), 2.0], "name": ["a", "b", "c", "d"]})


@pytest.fixture
def compare(data: Data, blobs: Blobs, tmp_path: Path) -> Compare:
    def run(before: object, after: object, **options: object) -> DataDiff:
        taken = [take_snapshot(data, blobs, name, of, root=tmp_path) for name, of in (("a", before), ("b", after))]
        return diff_snapshots(blobs, *taken, **options)  # type: ignore[arg-type]  # options of any kind

    return run


def test_rows_are_told_apart_by_key(compare: Compare) -> None:
    other = pa.table({"id": [3, 2, 5, 1], "x": [float("nan"), None, 1.0, 0.7], "name": ["c", "b", "e", "z"]})
    found = compare(ONE, other, key="id")
    assert found.rows is not None
    assert (found.rows.added, found.rows.removed, found.rows.changed, found.rows.same) == (1, 1, 1, 2)
    assert found.rows.columns == {"x": 1, "name": 1}
    examples = {example.change: example for example in found.rows.examples}
    assert examples["added"].key == {"id": 5}
    assert examples["removed"].key == {"id": 4}
    assert (examples["changed"].before, examples["changed"].after) == ({"x": 0.5, "name": "a"}, {"x": 0.7, "name": "z"})


def test_without_a_key_rows_count_as_a_whole(compare: Compare) -> None:
    found = compare(pa.table({"a": [1, 1, 2]}), pa.table({"a": [1, 2, 2, 3]}))
    assert found.rows is not None
    assert (found.rows.added, found.rows.removed, found.rows.changed) == (2, 1, 0)
    assert {tuple(one.key.values()) for one in found.rows.examples if one.change == "added"} <= {(2,), (3,)}


def test_columns_that_came_and_went_are_told(compare: Compare) -> None:
    other = ONE.drop_columns(["x"]).append_column("new", pa.array([1, 2, 3, 4]))
    found = compare(ONE, other, key="id")
    assert [(change.column, change.change) for change in found.schema] == [("x", "removed"), ("new", "added")]
    assert found.rows is not None
    assert found.rows.same == 4


def test_a_number_is_the_same_in_another_type(compare: Compare) -> None:
    found = compare(pa.table({"id": [1], "x": [2]}), pa.table({"id": [1], "x": [2.0]}), key="id")
    assert found.rows is not None
    assert found.rows.same == 1
    assert found.schema[0].change == "type"


def test_null_keys_meet(compare: Compare) -> None:
    found = compare(pa.table({"id": [None, 1], "x": [1, 2]}), pa.table({"id": [1, None], "x": [2, 5]}), key=["id"])
    assert found.rows is not None
    assert (found.rows.added, found.rows.changed) == (0, 1)


@pytest.mark.parametrize("times", [1, 2])
def test_a_key_of_several_rows_is_refused(compare: Compare, times: int) -> None:
    before = pa.table({"id": [1] * times + [2], "x": [*range(times), 0]})
    with pytest.raises(InvalidInput, match="2 rows have the key id=1"):
        compare(before, pa.table({"id": [1, 1, 2], "x": [1, 2, 3]}), key="id")


def test_a_key_that_is_not_in_both_is_refused(compare: Compare) -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'id'"):
        compare(ONE, ONE.slice(1), key="idd")


def test_the_spread_of_values_is_told(compare: Compare) -> None:
    found = compare(pa.table({"id": [1, 2], "x": [1.0, 3.0]}), pa.table({"id": [1, 2], "x": [1.0, None]}), key="id")
    (only,) = found.columns
    assert (only.column, only.before.mean, only.after.mean, only.after.missing) == ("x", 2.0, 1.0, 0.5)
    assert (only.before.low, only.before.high, only.before.distinct) == ("1.0", "3.0", 2)


def test_files_of_folders_are_compared(compare: Compare, tmp_path: Path) -> None:
    for name, files in {"one": {"a.txt": "x", "b.txt": "y"}, "two": {"b.txt": "z", "c.txt": "x"}}.items():
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(text)
    found = compare(tmp_path / "one", tmp_path / "two")
    assert [(one.path, one.change) for one in found.files] == [
        ("a.txt", "removed"), ("b.txt", "changed"), ("c.txt", "added"),
    ]  # fmt: skip
    assert found.rows is None


def test_equal_snapshots_do_not_differ(compare: Compare) -> None:
    assert compare(ONE, ONE).is_same


def test_a_diff_survives_the_wire(compare: Compare) -> None:
    found = compare(ONE, ONE.slice(1), key="id")
    assert from_json(to_json(found), DataDiff) == found


def test_odd_names_of_columns_are_no_trouble(compare: Compare) -> None:
    before = pa.table({'a "b",': [1, 2], "select": ["x", "y"]})
    found = compare(before, before.slice(1), key='a "b",')
    assert found.rows is not None
    assert found.rows.removed == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.dictionaries(st.integers(0, 20), st.none() | st.integers(0, 3), min_size=1, max_size=20),
    after=st.dictionaries(st.integers(0, 20), st.none() | st.integers(0, 3), min_size=1, max_size=20),
)
def test_the_counts_are_those_of_plain_python(
    compare: Compare, before: dict[int, int | None], after: dict[int, int | None]
) -> None:
    def table(values: dict[int, int | None]) -> pa.Table:
        return pa.table({"id": pa.array(list(values), pa.int64()), "x": pa.array(list(values.values()), pa.int64())})

    found = compare(table(before), table(after), key="id")
    if found.rows is None:
        assert before == after
        return
    both = before.keys() & after.keys()
    assert found.rows.added == len(after) - len(both)
    assert found.rows.removed == len(before) - len(both)
    assert found.rows.changed == sum(before[key] != after[key] for key in both)
