"""Row count: the table has at least `low` and at most `high` rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyball.data.checks.base import Check, Finding
from flyball.serialization import JsonValue, convert

if TYPE_CHECKING:
    import pyarrow as pa


class RowCount:
    """There must be enough rows, and not too many."""

    params: Mapping[str, bool] = {"low": False, "high": False}

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """Counts the rows."""
        low, high = (None if params.get(name) is None else convert(params[name], int) for name in ("low", "high"))
        rows = table.num_rows
        passed = (low is None or rows >= low) and (high is None or rows <= high)
        wanted = " and ".join(
            f"{word} {bound:,}" for word, bound in (("at least", low), ("at most", high)) if bound is not None
        )
        found = f"there are {rows:,} rows" + (f", {wanted} are expected" if wanted else "")
        return Finding(found=found, failing=0 if passed else max(rows, 1), total=rows, passed=passed)


plugin: Check = RowCount()
