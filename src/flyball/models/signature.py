"""What a model takes and gives: its columns, its task, its classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from flyball.errors import InvalidInput, did_you_mean
from flyball.schema import Column, ColumnType, Schema

if TYPE_CHECKING:
    import pyarrow as pa

Task = Literal["classification", "regression", "other"]
Label = str | int | bool

# What may stand for a column of the type on the left. Text is never read as a number: it hides a changed source.
_STANDS_FOR: dict[ColumnType, tuple[ColumnType, ...]] = {
    "bool": ("bool",),
    "int": ("int", "float", "decimal"),
    "float": ("float", "int", "decimal"),
    "string": ("string",),
    "timestamp": ("timestamp", "date", "string"),
    "date": ("date", "string"),
}
_PLAIN_STORAGE = {"bool": "bool", "int": "int64", "float": "double", "string": "string"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a model takes and gives.

    Attributes:
        inputs: The columns it predicts from, in its order.
        outputs: The columns it answers with: `prediction`, and for a classifier that knows them `probability` of the
            last class and, for more than two classes, `probabilities` of all.
        classes: Labels of a classifier, in the order of `probabilities`; the last one is the positive one of two.
    """

    task: Task
    inputs: Schema
    outputs: Schema
    classes: tuple[Label, ...] = ()


def input_schema(table: pa.Table) -> Schema:
    """The schema that a model's inputs are kept as: the table's, with widths that every source can be brought to."""
    return Schema(columns=tuple(_widened(column) for column in Schema.of(table).columns))


def output_schema(table: pa.Table) -> Schema:
    """The schema of a model's answers, as they are."""
    return Schema.of(table)


def conform(table: pa.Table, schema: Schema, *, nulls: bool = True) -> pa.Table:
    """The columns of a schema, in its order and of its types, from a table that may hold others beside them.

    Args:
        nulls: Whether values may be missing where the schema says that none are.

    Raises:
        InvalidInput: a column is missing or cannot be cast, or holds nulls and may not; the message names it.
    """
    import pyarrow as pa

    wanted = _arrow(schema)
    if table.schema.equals(wanted):
        conformed = table
    else:
        found = [
            _cast(_column(table, column.name, schema), column, wanted.field(column.name).type)
            for column in schema.columns
        ]
        conformed = pa.Table.from_arrays(found, schema=wanted) if found else table.select([])
    if not nulls:
        for column in schema.columns:
            if not column.nullable and conformed.column(column.name).null_count:
                raise InvalidInput(f"Column '{column.name}' holds missing values and may not.", column=column.name)
    return conformed


def _column(table: pa.Table, name: str, schema: Schema) -> pa.ChunkedArray:
    place = table.schema.get_field_index(name)
    if place < 0:
        others = [other for other in table.column_names if other not in schema.names]
        hint = did_you_mean(name, others or table.column_names)
        raise InvalidInput(f"The table has no column '{name}', which the model needs.", hint=hint, column=name)
    return table.column(place)


def _cast(values: pa.ChunkedArray, column: Column, target: pa.DataType) -> pa.ChunkedArray:
    import pyarrow as pa

    if values.type.equals(target):
        return values
    found = Schema.of(pa.schema([pa.field(column.name, values.type)])).columns[0].type
    if found != "null" and found not in _STANDS_FOR.get(column.type, (column.type,)):
        raise InvalidInput(
            f"Column '{column.name}' holds {found}, the model takes {column.type}.",
            hint=f"Give {column.type} values.",
            column=column.name,
        )
    try:
        # A float loses nothing that a model would see when it stands for a large whole number.
        cast: pa.ChunkedArray = values.cast(target, safe=column.type != "float")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InvalidInput(
            f"Column '{column.name}' cannot be read as {column.type}: {_first_line(error)}", column=column.name
        ) from error
    return cast


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


@lru_cache(maxsize=256)
def _arrow(schema: Schema) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([pa.field(column.name, arrow_type(column)) for column in schema.columns])


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type of a column, lists of numbers and texts among them."""
    import pyarrow as pa

    if column.type == "list":
        inner = column.storage.partition(": ")[2].removesuffix(">").removesuffix(" not null")
        return pa.list_(pa.type_for_alias(inner or "double"))
    return Schema(columns=(column,)).to_arrow().field(0).type


def _widened(column: Column) -> Column:
    storage = _PLAIN_STORAGE.get(column.type, column.storage)
    if column.type == "int" and column.storage == "uint64":
        storage = "uint64"
    if column.type == "timestamp":
        storage = "timestamp[us, tz=UTC]"
    if column.type == "null":  # an example that knows no value of a column does not say what it holds
        raise InvalidInput(
            f"Column '{column.name}' of the example holds no value at all.",
            hint="Give an example with values, or cast the column to its type.",
            column=column.name,
        )
    return Column(name=column.name, type=column.type, nullable=column.nullable, storage=storage)
