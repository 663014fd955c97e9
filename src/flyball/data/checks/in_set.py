"""In set: every value is one of `values`; missing ones do not count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyball.data.checks.base import Check, Finding, counted, wrong
from flyball.serialization import JsonValue, convert

if TYPE_CHECKING:
    import pyarrow as pa


class InSet:
    """Values must be among those that are known."""

    params: Mapping[str, bool] = {"values": True}

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """Counts values that are not in the set, and names some of them."""
        import pyarrow as pa
        import pyarrow.compute as pc

        wanted = convert(params["values"], list[JsonValue])
        values = table.column(column).drop_null()
        try:
            known = pa.array(wanted).cast(values.type) if wanted else pa.array([], values.type)
        except (pa.ArrowException, ValueError, TypeError):
            return wrong(table, f"'{column}' is of type {values.type}, which the set is not")
        others = values.filter(pc.invert(pc.is_in(values, value_set=known)))
        shown = ", ".join(repr(value) for value in sorted(others.unique().to_pylist(), key=str)[:5])
        return counted(column, len(others), len(values), f"are not in the set{f': {shown}' if shown else ''}")


plugin: Check = InSet()
