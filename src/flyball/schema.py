"""Columns and their types: what a table looks like, without the table.

The one noun that data, models, serving and monitoring share when they speak of a table's shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from flyball.errors import InvalidInput, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

ColumnType = Literal[
    "bool",
    "int",
    "float",
    "decimal",
    "string",
    "timestamp",
    "date",
    "time",
    "binary",
    "list",
    "struct",
    "null",
]
_JSON_TYPES = {
    "bool": "boolean",
    "int": "integer",
    "float": "number",
    "decimal": "number",
    "list": "array",
    "struct": "object",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        type: Its meaning, whatever the width in memory.
        nullable: Whether values may be missing.
        storage: Arrow's own name of the type, such as `int64` or `timestamp[us, tz=UTC]`.
    """

    name: str
    type: ColumnType
    nullable: bool = True
    storage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaChange:
    """One difference between two schemas."""

    column: str
    change: Literal["added", "removed", "type", "nullable"]
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        if self.change == "added":
            return f"column '{self.column}' ({self.after}) is new"
        if self.change == "removed":
            return f"column '{self.column}' ({self.before}) is gone"
        return f"column '{self.column}' was {self.before} and is {self.after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The columns of a table, in order."""

    columns: tuple[Column, ...]

    @classmethod
    def of(cls, table: pa.Table | pa.Schema) -> Schema:
        """The schema of an Arrow table, or of an Arrow schema.

        A column of a table is nullable if it holds nulls; one of a bare schema, if it is declared so.

        Raises:
            InvalidInput: two columns have the same name.
        """
        import pyarrow as pa

        fields = table if isinstance(table, pa.Schema) else table.schema
        names = list(fields.names)
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise InvalidInput(f"Column '{twice[0]}' appears twice.", hint="Give each column its own name.")
        columns = []
        for place, field in enumerate(fields):
            nullable = field.nullable if isinstance(table, pa.Schema) else table.column(place).null_count > 0
            columns.append(
                Column(
                    name=field.name,
                    type=_type_of(field.type),
                    nullable=nullable,
                    storage=str(_plain(field.type)),
                )
            )
        return cls(columns=tuple(columns))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            InvalidInput: there is none; the hint names near ones.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise InvalidInput(f"There is no column '{name}'.", hint=did_you_mean(name, self.names))

    def changes_to(self, other: Schema) -> tuple[SchemaChange, ...]:
        """What changed from this schema to the other one, nullability apart."""
        before, after = ({c.name: c.type for c in s.columns} for s in (self, other))
        found = [SchemaChange(column=n, change="removed", before=t) for n, t in before.items() if n not in after]
        found += [SchemaChange(column=n, change="added", after=t) for n, t in after.items() if n not in before]
        found += [
            SchemaChange(column=n, change="type", before=t, after=after[n])
            for n, t in before.items()
            if n in after and after[n] != t
        ]
        return tuple(found)

    def to_arrow(self) -> pa.Schema:
        """The Arrow schema.

        Raises:
            InvalidInput: a column's storage type is one that cannot be made from its name.
        """
        import pyarrow as pa

        return pa.schema([pa.field(c.name, _arrow_type(c), c.nullable) for c in self.columns])

    def to_json_schema(self) -> dict[str, object]:
        """JSON schema of one row."""
        properties: dict[str, object] = {}
        for column in self.columns:
            kind = _JSON_TYPES.get(column.type, "string")
            shape: dict[str, object] = {"type": [kind, "null"] if column.nullable else kind}
            if column.type == "timestamp":
                shape["format"] = "date-time"
            elif column.type == "date":
                shape["format"] = "date"
            properties[column.name] = shape
        required = [column.name for column in self.columns if not column.nullable]
        return {"type": "object", "properties": properties, "required": required}


def _plain(kind: pa.DataType) -> pa.DataType:
    # A dictionary is a way to store strings, not a meaning of its own.
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _type_of(kind: pa.DataType) -> ColumnType:
    import pyarrow.types as t

    kind = _plain(kind)
    tests: list[tuple[ColumnType, bool]] = [
        ("bool", t.is_boolean(kind)),
        ("int", t.is_integer(kind)),
        ("float", t.is_floating(kind)),
        ("decimal", t.is_decimal(kind)),
        ("string", t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind)),
        ("timestamp", t.is_timestamp(kind)),
        ("date", t.is_date(kind)),
        ("time", t.is_time(kind) or t.is_duration(kind)),
        ("binary", t.is_binary(kind) or t.is_large_binary(kind) or t.is_fixed_size_binary(kind)),
        ("list", t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind)),
        ("struct", t.is_struct(kind) or t.is_map(kind)),
        ("null", t.is_null(kind)),
    ]
    for name, fits in tests:
        if fits:
            return name
    raise InvalidInput(f"A column of the Arrow type {kind} cannot be used.", hint="Cast it to a plain type first.")


def _arrow_type(column: Column) -> pa.DataType:
    import pyarrow as pa

    by_meaning = {
        "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "string": pa.string(), "date": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"), "binary": pa.binary(), "null": pa.null(),
    }  # fmt: skip
    if column.storage.startswith("timestamp["):
        unit, _, zone = column.storage.removeprefix("timestamp[").removesuffix("]").partition(", tz=")
        return pa.timestamp(unit, tz=zone or None)
    try:
        return pa.type_for_alias(column.storage)
    except ValueError:
        if column.type in by_meaning:
            return by_meaning[column.type]
        raise InvalidInput(f"Column '{column.name}' has type {column.storage}, which has no plain name.") from None
