"""Column type: the column holds values of the type `type`, one of bool, int, float, string, timestamp and so on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, get_args

from flyball.data.checks.base import Finding, Plan, Rows, SqlCheck, wrong
from flyball.errors import InvalidInput, did_you_mean
from flyball.schema import ColumnType, Schema
from flyball.serialization import JsonValue

if TYPE_CHECKING:
    import pyarrow as pa


class TypeOfColumn:
    """Values must be of a type; a column of nothing but missing values fits any."""

    params: Mapping[str, bool] = {"type": True}

    def plan(self, column: str, params: Mapping[str, JsonValue], rows: Rows) -> Plan | Finding:
        """Compares the type."""
        return _judge(rows.schema, column, params, -1)

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """Compares the type."""
        return _judge(Schema.of(table.select([column])), column, params, table.num_rows)


def _judge(schema: Schema, column: str, params: Mapping[str, JsonValue], rows: int) -> Finding:
    wanted = params["type"]
    if wanted not in get_args(ColumnType):
        raise InvalidInput(f"There is no column type '{wanted}'.", hint=did_you_mean(str(wanted), get_args(ColumnType)))
    found = schema.column(column).type
    if found in (wanted, "null"):
        return Finding(found=f"'{column}' is of type {found}", failing=0, total=rows)
    return wrong(rows, f"'{column}' is of type {found}, {wanted} is expected")


plugin: SqlCheck = TypeOfColumn()
