"""Row count: there are at least `low` and at most `high` rows, and the version before differs by at most the share `change`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyball.data.checks.base import Finding, Plan, Rows, SqlCheck, share
from flyball.serialization import JsonValue, convert

if TYPE_CHECKING:
    import pyarrow as pa


class RowCount:
    """There must be enough rows, and not too many."""

    params: Mapping[str, bool] = {"low": False, "high": False, "change": False, "before": False}
    is_whole = True

    def plan(self, column: str, params: Mapping[str, JsonValue], rows: Rows) -> Plan | Finding:
        """Counts the rows."""
        return Plan(aggregates={"rows": "count(*)"}, read=lambda seen: _judge(seen["rows"], params))

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """Counts the rows."""
        return _judge(table.num_rows, params)


def _judge(rows: int, params: Mapping[str, JsonValue]) -> Finding:
    low, high = (None if params.get(name) is None else convert(params[name], int) for name in ("low", "high"))
    passed = (low is None or rows >= low) and (high is None or rows <= high)
    wanted = " and ".join(
        f"{word} {bound:,}" for word, bound in (("at least", low), ("at most", high)) if bound is not None
    )
    found = f"there are {rows:,} rows" + (f", {wanted} are expected" if wanted else "")
    if params.get("change") is not None:
        kept, told = _judge_change(rows, params)
        passed, found = passed and kept, found + told
    return Finding(found=found, failing=0 if passed else max(rows, 1), total=rows, passed=passed)


def _judge_change(rows: int, params: Mapping[str, JsonValue]) -> tuple[bool, str]:
    allowed = share(params, "change")
    if params.get("before") is None:
        return True, "; there is no version before to compare with"
    before = convert(params["before"], int)
    change = (rows - before) / before if before else float(rows > 0)
    told = f"; the version before has {before:,} ({change:+.1%}), a change of at most {allowed:.1%} is expected"
    return abs(change) <= allowed, told


plugin: SqlCheck = RowCount()
