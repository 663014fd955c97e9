"""Anything that holds a table, as an Arrow table of plain types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput, MissingExtra
from flyball.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa


def require_arrow() -> None:
    """Makes sure that tables can be read at all.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: F401, ICN001  # whether it is there
    except ImportError as error:
        raise MissingExtra("Tables need pyarrow.", hint="pip install 'flyball[data]'") from error


def to_arrow(source: object) -> pa.Table:
    """The Arrow table of anything that offers one: pandas, Polars, Arrow, DuckDB, `Table`.

    An unnamed index of pandas is left out; a named one is a column.

    Raises:
        InvalidInput: it offers none, or has two columns of one name.
    """
    require_arrow()
    import pyarrow as pa

    table: Any = source
    if not isinstance(source, pa.Table):
        if not hasattr(source, "__arrow_c_stream__"):
            raise InvalidInput(
                f"A {type(source).__name__} is no table.", hint="Give a pandas, Polars, Arrow or DuckDB table."
            )
        try:
            table = pa.table(source)
        except (ValueError, TypeError, pa.ArrowException) as error:  # pandas: duplicate names, mixed types in a column
            raise InvalidInput(f"This {type(source).__name__} cannot be read as a table: {error}.") from error
    found = table.select([place for place, name in enumerate(table.column_names) if not _is_index(name)])
    return plain(found.replace_schema_metadata(None))


def plain(table: pa.Table) -> pa.Table:
    """The table with each column in the plainest form of its type: no dictionaries, no large or view strings.

    Raises:
        InvalidInput: two columns have one name.
    """
    import pyarrow as pa

    Schema.of(table.schema)  # refuses what has no plain name
    wanted = pa.schema([pa.field(field.name, _plain_type(field.type)) for field in table.schema])
    return table if wanted.equals(table.schema) else table.cast(wanted)


def unify(tables: Sequence[pa.Table], names: Sequence[str]) -> pa.Table:
    """The rows of all tables, in order, under the columns of all; what a table lacks is null.

    Args:
        tables: Of plain types.
        names: What each is called, for errors.

    Raises:
        InvalidInput: the types of a column do not go together; the message names column and table.
    """
    import pyarrow as pa

    wanted = pa.schema(unify_fields([table.schema for table in tables], names))
    fitted = [fit(table, wanted, name) for table, name in zip(tables, names, strict=True)]
    return pa.concat_tables(fitted) if fitted else pa.table({})


def fit(table: pa.Table, wanted: pa.Schema, name: str) -> pa.Table:
    """The table under these columns; what it lacks is null.

    Raises:
        InvalidInput: a value does not fit its column's type.
    """
    import pyarrow as pa

    columns = []
    for field in wanted:
        place = table.schema.get_field_index(field.name)
        if place < 0:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        column = table.column(place)
        try:
            columns.append(column if column.type.equals(field.type) else column.cast(field.type))
        except pa.ArrowInvalid as error:
            raise InvalidInput(
                f"Column '{field.name}' of {name} does not fit {field.type}: {error}.", column=field.name
            ) from error
    return pa.Table.from_arrays(columns, schema=wanted)


def unify_fields(schemas: Sequence[pa.Schema], names: Sequence[str]) -> list[pa.Field]:
    """The columns of all schemas, each in a type that holds what every one of them holds.

    Raises:
        InvalidInput: the types of a column do not go together.
    """
    import pyarrow as pa

    found: dict[str, tuple[pa.DataType, str]] = {}
    for schema, name in zip(schemas, names, strict=True):
        for field in schema:
            if field.name not in found:
                found[field.name] = (field.type, name)
                continue
            kind, first = found[field.name]
            if kind.equals(field.type):
                continue
            wider = _wider(kind, field.type)
            if wider is None:
                raise InvalidInput(
                    f"Column '{field.name}' is {field.type} in {name} and {kind} in {first}.",
                    hint="Give it the same type in every file.",
                    column=field.name,
                )
            # The file that gave the type is the one to name at the next conflict.
            found[field.name] = (wider, first if wider.equals(kind) else name)
    return [pa.field(name, kind) for name, (kind, _) in found.items()]


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    import pyarrow as pa

    types = {column.type for column in Schema.of(pa.schema([("one", one), ("other", other)])).columns}
    if len(types - {"null"}) > 1 and not types <= {"null", "int", "float", "decimal"}:
        return None
    schemas = [pa.schema([("x", one)]), pa.schema([("x", other)])]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return None


def _plain_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if t.is_large_string(kind) or t.is_string_view(kind):
        return pa.string()
    if t.is_large_binary(kind) or t.is_binary_view(kind):
        return pa.binary()
    return kind


def _is_index(name: str) -> bool:
    return name.startswith("__index_level_") and name.endswith("__")
