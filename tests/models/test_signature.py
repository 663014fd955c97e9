from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from flyball.errors import InvalidInput
from flyball.models.signature import Signature, conform, input_schema
from flyball.schema import Schema
from flyball.serialization import from_json, to_json


@pytest.fixture
def schema() -> Schema:
    return input_schema(pa.table({"age": [1, 2], "income": [1.5, 2.5], "city": ["a", "b"], "new": [True, False]}))


def test_columns_are_selected_and_put_in_order(schema: Schema) -> None:
    table = pa.table({"extra": [0], "new": [True], "city": ["x"], "income": [2.0], "age": [3]})
    assert conform(table, schema).to_pylist() == [{"age": 3, "income": 2.0, "city": "x", "new": True}]


def test_whole_numbers_stand_for_floats_and_whole_floats_for_numbers(schema: Schema) -> None:
    table = pa.table({"age": [3.0], "income": [2], "city": ["x"], "new": [True]})
    assert [str(kind) for kind in conform(table, schema).schema.types] == ["int64", "double", "string", "bool"]


def test_a_dictionary_column_stands_for_strings(schema: Schema) -> None:
    city = pa.array(["x", "y", "x"]).dictionary_encode()
    table = pa.table({"age": [1, 2, 3], "income": [1.0, 2.0, 3.0], "city": city, "new": [True, True, True]})
    assert conform(table, schema).column("city").to_pylist() == ["x", "y", "x"]


def test_a_missing_column_is_named_with_the_near_one(schema: Schema) -> None:
    with pytest.raises(InvalidInput, match=r"no column 'income'.*Did you mean 'incom'"):
        conform(pa.table({"age": [1], "incom": [1.0], "city": ["x"], "new": [True]}), schema)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("age", ["12"]),
        ("age", [1.5]),
        ("income", ["1"]),
        ("income", [True]),
        ("city", [1]),
        ("new", [1]),
        ("age", [[1]]),
    ],
)
def test_what_cannot_be_cast_is_refused_by_name(schema: Schema, column: str, values: list[object]) -> None:
    good: dict[str, list[object]] = {"age": [1], "income": [1.0], "city": ["x"], "new": [True]}
    with pytest.raises(InvalidInput, match=f"Column '{column}'"):
        conform(pa.table({**good, column: values}), schema)


def test_missing_values_pass_unless_refused(schema: Schema) -> None:
    table = pa.table({"age": pa.array([None], pa.int64()), "income": [1.0], "city": ["x"], "new": [True]})
    assert conform(table, schema).column("age").to_pylist() == [None]
    with pytest.raises(InvalidInput, match="'age' holds missing values"):
        conform(table, schema, nulls=False)


def test_a_column_of_nothing_but_nulls_takes_the_wanted_type(schema: Schema) -> None:
    table = pa.table({"age": [1], "income": pa.nulls(1), "city": ["x"], "new": [True]})
    assert conform(table, schema).schema.field("income").type == pa.float64()


def test_texts_are_read_as_moments() -> None:
    wanted = input_schema(pa.table({"at": pa.array([dt.datetime(2013, 1, 1, tzinfo=dt.UTC)], pa.timestamp("s"))}))
    found = conform(pa.table({"at": ["2013-03-01T12:00:00Z"]}), wanted).column("at").to_pylist()
    assert found == [dt.datetime(2013, 3, 1, 12, tzinfo=dt.UTC)]


def test_narrow_widths_of_an_example_do_not_bind() -> None:
    wanted = input_schema(pa.table({"n": pa.array([1], pa.int8()), "x": pa.array([1.0], pa.float32())}))
    assert conform(pa.table({"n": [1000], "x": [0.1]}), wanted).to_pylist() == [{"n": 1000, "x": 0.1}]


def test_an_example_column_without_any_value_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'x' of the example holds no value"):
        input_schema(pa.table({"x": pa.nulls(2)}))


def test_a_table_that_fits_is_given_back_as_it_is(schema: Schema) -> None:
    table = pa.table({"age": [1], "income": [1.0], "city": ["x"], "new": [True]})
    assert conform(table, schema) is table


def test_a_signature_goes_through_json(schema: Schema) -> None:
    signature = Signature(task="classification", inputs=schema, outputs=schema, classes=("no", "yes"))
    assert from_json(to_json(signature), Signature) == signature
