"""Unique: no value, or no combination of values with those of the columns `also`, appears twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from flyball.data import _sql
from flyball.data.checks.base import EXAMPLES, Finding, Plan, Rows, SqlCheck, counted, is_missing, wrong
from flyball.serialization import JsonValue, convert

if TYPE_CHECKING:
    import pyarrow as pa

_WHAT = "repeat others"
_PLACE = "__place__"


class Unique:
    """Values must differ from row to row; missing ones do not count, NaN is one."""

    params: Mapping[str, bool] = {"also": False}

    def plan(self, column: str, params: Mapping[str, JsonValue], rows: Rows) -> Plan | Finding:
        """Counts the rows that repeat an earlier one."""
        names = _names(column, params)
        unknown = [name for name in names if name not in rows.schema.names]
        if unknown:
            return wrong(-1, f"there is no column '{unknown[0]}'")
        refs = ", ".join(rows.ref(name) for name in names)
        known = " AND ".join(f"NOT {is_missing(rows, name)}" for name in names)
        groups = _sql.select(refs, f"WHERE {known} GROUP BY {refs}")
        bad = f"({known} AND ({refs}) IN ({groups} HAVING count(*) > 1))"
        shown = tuple(names)

        if len(names) > 1:

            def read(seen: Mapping[str, int]) -> Finding:
                return _finding(names, int(seen["known"]), int(seen["different"]))

            # Grouping goes to files where memory ends; distinct tuples in one aggregate would not.
            sizes = _sql.select("count(*) AS n", f"WHERE {known} GROUP BY {refs}")
            query = _sql.select("coalesce(sum(n), 0), count(*)", of=f"({sizes})")
            return Plan(aggregates={"known": "", "different": ""}, query=query, read=read, bad=bad, shown=shown)
        return Plan(aggregates={}, read=lambda _: _finding(names, *rows.distinct(column)), bad=bad)

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """Counts the rows that repeat an earlier one."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        names = _names(column, params)
        unknown = [name for name in names if name not in table.column_names]
        if unknown:
            return wrong(table.num_rows, f"there is no column '{unknown[0]}'")
        columns = {name: _comparable(table.column(name)) for name in names}
        rows = pa.table(columns).append_column(_PLACE, pa.array(np.arange(table.num_rows))).drop_null()
        groups = rows.group_by(names)
        try:
            different = groups.aggregate([]).num_rows
        except pa.ArrowNotImplementedError:
            return wrong(table.num_rows, f"'{column}' is of type {table.column(column).type}, which cannot be compared")
        found = _finding(names, rows.num_rows, different)
        if found.failing == 0:
            return found
        ends = groups.aggregate([(_PLACE, "min"), (_PLACE, "max")])
        first, last = ends[f"{_PLACE}_min"], ends[f"{_PLACE}_max"]
        twice = ends.filter(pc.less(first, last)).sort_by(f"{_PLACE}_min").slice(0, EXAMPLES)
        pairs = zip(twice[f"{_PLACE}_min"].to_pylist(), twice[f"{_PLACE}_max"].to_pylist(), strict=True)
        return replace(found, rows=tuple([place for pair in pairs for place in pair][:EXAMPLES]))


def _names(column: str, params: Mapping[str, JsonValue]) -> list[str]:
    return list(dict.fromkeys([column, *convert(params.get("also", []), list[str])]))


def _finding(names: list[str], known: int, different: int) -> Finding:
    return counted("', '".join(names), known - different, known, _WHAT)


def _comparable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    # Arrow groups by bits: NaN is missing here, and minus zero is zero.
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_floating(column.type):
        return column
    values = pc.add(column.cast(pa.float64()), 0.0)
    return pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)


plugin: SqlCheck = Unique()
