"""Foreign key: every value is among those of another `table` (in its column `key`), or all but the share `at_most`."""

from __future__ import annotations

from collections.abc import Mapping

from flyball.data import _sql
from flyball.data.checks import _comparable as comparable
from flyball.data.checks.base import Finding, Plan, Rows, SqlCheck, counted, share, wrong
from flyball.errors import InvalidInput, did_you_mean
from flyball.serialization import JsonValue, convert


class ForeignKey:
    """Values must be known to another table; missing ones need not."""

    params: Mapping[str, bool] = {"table": True, "key": False, "at_most": False}

    def plan(self, column: str, params: Mapping[str, JsonValue], rows: Rows) -> Plan | Finding:
        """Counts the values that the other table does not have."""
        table = convert(params["table"], str)
        key = convert(params.get("key") or column, str)
        view, other = rows.other(table)
        if key not in other.schema.names:
            raise InvalidInput(f"Table '{table}' has no column '{key}'.", hint=did_you_mean(key, other.schema.names))
        ours, theirs = rows.schema.column(column).type, other.schema.column(key).type
        if "null" not in (ours, theirs) and not (ours == theirs or {ours, theirs} <= {"int", "float", "decimal"}):
            return wrong(-1, f"'{column}' is of type {ours}, and '{key}' of '{table}' is of type {theirs}")
        value, known = comparable.to_sql(rows, column), comparable.to_sql(other, key)
        theirs_known = _sql.select(known, f"WHERE {known} IS NOT NULL", of=view)
        bad = f"({value} IS NOT NULL AND {value} NOT IN ({theirs_known}))"
        return Plan(
            aggregates={"others": "", "known": ""},
            # Of its own: beside other aggregates all columns would have to pass through the look-up.
            query=_sql.select(f"coalesce(count_if({bad}), 0), count({rows.ref(column)})"),
            read=lambda seen: counted(
                column, seen["others"], seen["known"], f"are not in '{key}' of '{table}'", at_most=share(params)
            ),
            bad=bad,
            tells_values=True,
        )


plugin: SqlCheck = ForeignKey()
