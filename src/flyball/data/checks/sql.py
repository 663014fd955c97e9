"""SQL: no row fits the condition `where`, or at most the share `at_most`; or, if it is made of aggregates, it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyball.data import _sql
from flyball.data.checks.base import Finding, Plan, Rows, SqlCheck, share
from flyball.errors import InvalidInput
from flyball.serialization import JsonValue, convert


class Sql:
    """What a user says in SQL must hold. `{column}` stands for the column, `rows` is the table."""

    params: Mapping[str, bool] = {"where": True, "at_most": False}

    def plan(self, column: str, params: Mapping[str, JsonValue], rows: Rows) -> Plan | Finding:
        """Counts the bad rows, or asks the aggregate."""
        condition = convert(params["where"], str).strip().rstrip(";").strip()
        if not condition:
            raise InvalidInput("The SQL check is empty.", hint="Write what holds for a bad row: 'arrival < departure'.")
        written = condition.replace("{column}", rows.ref(column)) if column else condition
        # On lines of their own: a comment at its end must not swallow what follows.
        bad = f"(\n{written}\n)"
        refused = rows.explains(_sql.select("count(*)", f"WHERE {bad}"))
        if not refused:
            return Plan(
                aggregates={"bad": f"count_if(coalesce(CAST({bad} AS BOOLEAN), FALSE))", "rows": "count(*)"},
                read=lambda seen: _counted(condition, seen, share(params)),
                bad=bad,
            )
        if rows.explains(_sql.select(f"CAST({bad} AS BOOLEAN)", "GROUP BY ALL")) or "ggregate" not in refused:
            raise InvalidInput(f"The SQL check '{condition}' cannot be asked: {refused}")
        return Plan(
            aggregates={"holds": f"CAST({bad} AS BOOLEAN)", "rows": "count(*)"},
            read=lambda seen: _held(condition, seen),
        )


def _counted(condition: str, seen: Mapping[str, Any], at_most: float) -> Finding:
    bad, rows = seen["bad"], seen["rows"]
    passed = bad <= at_most * rows
    found = f"for {bad:,} of {rows:,} rows {condition}"
    found += f"; at most {at_most:.2%} may" if at_most and not passed else ""
    return Finding(found=found, failing=bad, total=rows, passed=passed)


def _held(condition: str, seen: Mapping[str, Any]) -> Finding:
    # NULL (of no rows) says neither.
    passed = seen["holds"] is not False
    found = condition if passed else f"it does not hold that {condition}"
    return Finding(found=found, failing=0 if passed else max(1, seen["rows"]), total=seen["rows"], passed=passed)


plugin: SqlCheck = Sql()
