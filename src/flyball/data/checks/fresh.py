"""Fresh: the latest time in the column is no older than `max_age`, such as `3h`, at the moment `now`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from flyball.clock import format_duration, parse_duration, parse_time
from flyball.data.checks.base import Check, Finding, wrong
from flyball.errors import InvalidInput
from flyball.serialization import JsonValue, convert

if TYPE_CHECKING:
    import pyarrow as pa


class Fresh:
    """The newest row must be young enough."""

    params: Mapping[str, bool] = {"max_age": True, "now": False}

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """Compares the latest time with now; times without a zone are UTC."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if params.get("now") is None:
            raise InvalidInput(f"How fresh '{column}' is depends on the time.", hint="Give validate the time: now=...")
        now, limit = parse_time(convert(params["now"], str)), parse_duration(convert(params["max_age"], str))
        times = table.column(column)
        if not (pa.types.is_timestamp(times.type) or pa.types.is_date(times.type)):
            return wrong(table, f"'{column}' is of type {times.type}, not a time")
        latest = pc.max(times.cast(pa.timestamp("us", getattr(times.type, "tz", None)), safe=False)).as_py()
        if latest is None:
            return wrong(table, f"'{column}' holds no time")
        age = now - parse_time(latest)
        found = f"the latest '{column}' is {parse_time(latest).isoformat()}, {_age(age)}"
        found += "" if age <= limit else f"; at most {format_duration(limit)} is expected"
        return Finding(found=found, failing=0 if age <= limit else table.num_rows, total=table.num_rows)


def _age(age: timedelta) -> str:
    whole = timedelta(seconds=abs(int(age.total_seconds())))
    return f"{format_duration(whole)} {'ago' if age >= timedelta(0) else 'ahead'}"


plugin: Check = Fresh()
