"""Holds the newest rows back, to judge a model on what it has not seen."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flyball.clock import format_duration, parse_duration
from flyball.data.table import Table, as_moments
from flyball.errors import InvalidInput
from flyball.serialization import digest

if TYPE_CHECKING:
    import pyarrow as pa

_BUCKETS = 10_000


def split(table: Table, *, holdout: str | timedelta = "14d") -> tuple[Table, Table]:
    """The rows before, and the rows held out. The rows of each keep their order.

    Args:
        table: Rows with a time; for a share, a key is enough.
        holdout: A duration such as `14d`, counted back from the latest time (what lies exactly on the edge is past), or
            a share such as `20%`: the newest fifth by time, rows of one moment staying together; without a time a
            fifth chosen by the key's hash, so that a key is on the same side each time.

    Raises:
        InvalidInput: there is no column to go by, a time is missing, or one side would be empty.
    """
    share = _share(holdout)
    if table.time:
        recent = _by_time(table, holdout) if share is None else _newest(table, share)
    elif share is not None and table.key:
        recent = _by_key(table, share)
    else:
        raise InvalidInput(
            "The table has no time to split by.", hint="Declare the dataset with time='...', or split by key: '20%'."
        )
    import pyarrow.compute as pc

    past, held = table.filter(pc.invert(recent)), table.filter(recent)
    if not len(past) or not len(held):
        shown = format_duration(holdout) if isinstance(holdout, timedelta) else holdout
        raise InvalidInput(
            f"Holding out {shown} of {len(table):,} rows leaves {len(past):,} before and {len(held):,} held out.",
            hint=_span_hint(table),
        )
    return past, held


def _share(holdout: str | timedelta) -> float | None:
    if isinstance(holdout, timedelta) or not holdout.strip().endswith("%"):
        return None
    try:
        share = float(holdout.strip().removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise InvalidInput(f"'{holdout}' is no share.", hint="Write it as 20%, more than 0% and less than 100%.")
    return share


def _times(table: Table) -> pa.ChunkedArray:
    times = as_moments(table.column(table.time))
    if times.null_count:
        raise InvalidInput(f"The time '{table.time}' is missing in {times.null_count:,} rows.", hint="Filter them out.")
    return times


def _by_time(table: Table, holdout: str | timedelta) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    times = _times(table)
    edge = pc.subtract(pc.max(times), pa.scalar(parse_duration(holdout), pa.duration("us")))
    return pc.greater(times, edge)


def _newest(table: Table, share: float) -> Any:
    import pyarrow.compute as pc

    times = _times(table)
    if not len(times):
        return pc.is_valid(times)
    in_order = times.take(pc.sort_indices(times))
    return pc.greater_equal(times, in_order[len(times) - max(1, round(len(times) * share))])


def _by_key(table: Table, share: float) -> Any:
    import pyarrow as pa

    # Not the hash of a library: a key must fall on the same side with every release of it.
    keys = table.column(table.key).cast(pa.string()).to_pylist()
    edge = round(share * _BUCKETS)
    return pa.array([int(digest(str(key).encode())[:12], 16) % _BUCKETS < edge for key in keys], pa.bool_())


def _span_hint(table: Table) -> str:
    if not table.time or not len(table):
        return ""
    import pyarrow.compute as pc

    found = pc.min_max(_times(table)).as_py()
    return f"The rows span {format_duration(found['max'] - found['min'])}."
