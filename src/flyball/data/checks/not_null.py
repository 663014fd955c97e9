"""Not null: no value of the column is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyball.data.checks.base import Check, Finding, counted
from flyball.serialization import JsonValue

if TYPE_CHECKING:
    import pyarrow as pa


class NotNull:
    """Values must be there."""

    params: Mapping[str, bool] = {}

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """Counts missing values; NaN is one."""
        import pyarrow.compute as pc

        missing = pc.sum(pc.is_null(table.column(column), nan_is_null=True)).as_py() or 0
        return counted(column, missing, table.num_rows, "are missing")


plugin: Check = NotNull()
