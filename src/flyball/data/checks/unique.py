"""Unique: no value, or no combination of values with those of the columns `also`, appears twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyball.data.checks.base import Check, Finding, counted, wrong
from flyball.serialization import JsonValue, convert

if TYPE_CHECKING:
    import pyarrow as pa


class Unique:
    """Values must differ from row to row; missing ones do not count."""

    params: Mapping[str, bool] = {"also": False}

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """Counts the rows that repeat an earlier one."""
        also = convert(params.get("also", []), list[str])
        unknown = [name for name in also if name not in table.column_names]
        if unknown:
            return wrong(table, f"there is no column '{unknown[0]}'")
        rows = table.select(list(dict.fromkeys([column, *also]))).drop_null()
        different = rows.group_by(rows.column_names).aggregate([]).num_rows
        return counted("', '".join(rows.column_names), rows.num_rows - different, rows.num_rows, "repeat others")


plugin: Check = Unique()
