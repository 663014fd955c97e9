"""Fresh: the latest time in the column is no older than `max_age`, such as `3h`, at the moment `now`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flyball.clock import format_duration, parse_duration, parse_time
from flyball.data.checks.base import Finding, Plan, Rows, SqlCheck, wrong
from flyball.errors import InvalidInput
from flyball.serialization import JsonValue, convert

if TYPE_CHECKING:
    import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Fresh:
    """The newest row must be young enough; times without a zone are UTC."""

    params: Mapping[str, bool] = {"max_age": True, "now": False}
    is_whole = True

    def plan(self, column: str, params: Mapping[str, JsonValue], rows: Rows) -> Plan | Finding:
        """Compares the latest time with now."""
        now, limit = _given(column, params)
        kind = rows.arrow_type(column)
        if not _holds_times(kind):
            return wrong(-1, f"'{column}' is of type {kind}, not a time")
        return Plan(
            aggregates={"latest": f"max(epoch_us(CAST({rows.ref(column)} AS TIMESTAMP)))", "rows": "count(*)"},
            read=lambda seen: _judge(column, _moment(seen["latest"]), seen["rows"], now, limit),
        )

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """Compares the latest time with now."""
        import pyarrow as pa
        import pyarrow.compute as pc

        now, limit = _given(column, params)
        times = table.column(column)
        if not _holds_times(times.type):
            return wrong(table.num_rows, f"'{column}' is of type {times.type}, not a time")
        latest = pc.max(times.cast(pa.timestamp("us", getattr(times.type, "tz", None)), safe=False)).as_py()
        return _judge(column, latest and parse_time(latest), table.num_rows, now, limit)


def _given(column: str, params: Mapping[str, JsonValue]) -> tuple[datetime, timedelta]:
    if params.get("now") is None:
        raise InvalidInput(f"How fresh '{column}' is depends on the time.", hint="Give validate the time: now=...")
    return parse_time(convert(params["now"], str)), parse_duration(convert(params["max_age"], str))


def _holds_times(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    return bool(t.is_timestamp(kind) or t.is_date(kind))


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


def _judge(column: str, latest: datetime | None, rows: int, now: datetime, limit: timedelta) -> Finding:
    if latest is None:
        return wrong(rows, f"'{column}' holds no time")
    age = now - latest
    found = f"the latest '{column}' is {latest.isoformat()}, {_age(age)}"
    found += "" if age <= limit else f"; at most {format_duration(limit)} is expected"
    return Finding(found=found, failing=0 if age <= limit else rows, total=rows, passed=age <= limit)


def _age(age: timedelta) -> str:
    whole = timedelta(seconds=abs(int(age.total_seconds())))
    return f"{format_duration(whole)} {'ago' if age >= timedelta(0) else 'ahead'}"


plugin: SqlCheck = Fresh()
