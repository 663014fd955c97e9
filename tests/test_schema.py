"""A schema tells a table's shape whatever made the table."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from flyball.errors import InvalidInput
from flyball.schema import Column, Schema
from flyball.serialization import from_json, to_json

KINDS = [
    (pa.bool_(), "bool"),
    (pa.int8(), "int"),
    (pa.uint64(), "int"),
    (pa.float32(), "float"),
    (pa.float64(), "float"),
    (pa.decimal128(10, 2), "decimal"),
    (pa.string(), "string"),
    (pa.large_string(), "string"),
    (pa.string_view(), "string"),
    (pa.dictionary(pa.int32(), pa.string()), "string"),
    (pa.timestamp("us", tz="UTC"), "timestamp"),
    (pa.timestamp("ns"), "timestamp"),
    (pa.date32(), "date"),
    (pa.time64("us"), "time"),
    (pa.duration("s"), "time"),
    (pa.binary(), "binary"),
    (pa.list_(pa.int64()), "list"),
    (pa.struct([("x", pa.int64())]), "struct"),
    (pa.map_(pa.string(), pa.int64()), "struct"),
    (pa.null(), "null"),
]
SIMPLE = Schema(
    columns=(Column(name="a", type="int", storage="int64"), Column(name="b", type="string", storage="string"))
)


@pytest.mark.parametrize(("kind", "meaning"), KINDS, ids=lambda value: str(value))
def test_a_column_has_its_meaning(kind: pa.DataType, meaning: str) -> None:
    assert Schema.of(pa.schema([("x", kind)])).column("x").type == meaning


@pytest.mark.parametrize(
    "kind",
    [
        pa.bool_(),
        pa.int16(),
        pa.uint32(),
        pa.float32(),
        pa.string(),
        pa.large_string(),
        pa.timestamp("ns"),
        pa.timestamp("us", tz="America/New_York"),
        pa.date32(),
        pa.binary(),
        pa.null(),
        pa.time64("us"),
        pa.duration("ms"),
        pa.decimal128(10, 2),
        pa.list_(pa.int64()),
        pa.struct([("x", pa.int64())]),
    ],
    ids=str,
)
def test_an_arrow_schema_comes_back_or_the_column_is_named(kind: pa.DataType) -> None:
    schema = pa.schema([pa.field("x", kind, nullable=True)])
    try:
        found = Schema.of(schema).to_arrow()
    except InvalidInput as error:
        found = error.message.startswith("Column 'x'") and schema
    assert found == schema


def test_a_column_of_a_table_is_nullable_if_it_holds_nulls() -> None:
    table = pa.table({"full": [1, 2], "gaps": [1, None]})
    assert [column.nullable for column in Schema.of(table).columns] == [False, True]


def test_a_frame_of_pandas_has_the_same_schema() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.to_datetime(["2013-03-01", None], utc=True)})
    columns = Schema.of(pa.Table.from_pandas(frame)).columns
    assert [(column.name, column.type, column.nullable) for column in columns] == [
        ("a", "int", False),
        ("b", "string", True),
        ("c", "timestamp", True),
    ]


def test_a_name_may_appear_once_only() -> None:
    with pytest.raises(InvalidInput, match="'x' appears twice"):
        Schema.of(pa.schema([("x", pa.int64()), ("y", pa.int64()), ("x", pa.int64())]))


def test_an_unknown_column_is_told_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'origin'"):
        Schema(columns=(Column(name="origin", type="string"),)).column("orgin")


def test_changes_are_told() -> None:
    after = Schema(columns=(Column(name="b", type="int"), Column(name="c", type="bool")))
    assert [str(change) for change in SIMPLE.changes_to(after)] == [
        "column 'a' (int) is gone",
        "column 'c' (bool) is new",
        "column 'b' was string and is int",
    ]
    assert SIMPLE.changes_to(SIMPLE) == ()


def test_the_order_and_width_of_columns_are_no_change() -> None:
    turned = Schema(columns=tuple(reversed(SIMPLE.columns)))
    narrow = Schema(columns=(Column(name="a", type="int", storage="int8"), SIMPLE.columns[1]))
    assert SIMPLE.changes_to(turned) == SIMPLE.changes_to(narrow) == ()


def test_a_schema_goes_over_the_wire() -> None:
    assert from_json(to_json(SIMPLE), Schema) == SIMPLE


def test_a_row_is_described_as_json_schema() -> None:
    schema = Schema.of(
        pa.table({"n": [1], "x": [0.5], "s": ["a"], "t": pa.array([None], pa.timestamp("us", tz="UTC"))})
    )
    described = schema.to_json_schema()
    assert described["type"] == "object"
    assert described["required"] == ["n", "x", "s"]
