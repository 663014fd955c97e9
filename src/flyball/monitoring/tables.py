"""Tables watched like predictions: snapshots, feature views, results of batch jobs, sources.

A table is compared with a reference by the same monitors as a deployment's window: what a training set, a snapshot and a
window of predictions are to each other is one computation. Training-serving skew is the drift of the served inputs
against a reference fitted to the training set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput, did_you_mean
from flyball.monitoring.examine import examine_material, profile_of
from flyball.monitoring.monitor import MonitorSpec, drift, quality
from flyball.monitoring.monitors.base import Finding, Material
from flyball.monitoring.profile import Profile, Reference
from flyball.monitoring.reference import windows_of
from flyball.monitoring.seasons import at
from flyball.monitoring.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIER = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Which columns of a table are what; a column that the table does not have is passed over.

    Attributes:
        prediction: What a model said; `probability`: how sure it was of class 1, or of each class.
        truth: What turned out to be so.
        time: When each row was.
        version: Number of the model that said it.
    """

    prediction: str = "prediction"
    probability: str = "probability"
    truth: str = "truth"
    time: str = ""
    version: str = ""


def examine_table(
    table: pa.Table,
    reference: Reference | None,
    *,
    monitors: Sequence[MonitorSpec] = (),
    name: str = "table",
    roles: Roles | None = None,
    earlier: Sequence[Window] = (),
    start: datetime | None = None,
    end: datetime | None = None,
    complete: bool = True,
) -> Window:
    """What the monitors find in a table.

    Args:
        reference: What is normal: `fit_reference` of another table or snapshot.
        monitors: Drift and quality by default.
        name: What the window is called after.
        roles: Which columns are predictions, truth and time.
        earlier: The windows before this one, newest first, by which decay and slow drift are told.
        start: When the window begins; by default the time of its first row, or 1970.
        end: When it ends; by default the time of its last row.
        complete: Whether no more truth is waited for.

    Raises:
        InvalidInput: the time column is not there or holds no times.
    """
    return _examined(
        table, reference, monitors=monitors, name=name, roles=roles or Roles(), earlier=earlier, span=(start, end),
        complete=complete,
    )[0]  # fmt: skip


def examine_series(
    windows: Sequence[pa.Table],
    reference: Reference | None,
    *,
    monitors: Sequence[MonitorSpec] = (),
    name: str = "table",
    roles: Roles | None = None,
    spans: Sequence[tuple[datetime, datetime]] = (),
) -> list[Window]:
    """What the monitors find in tables that follow each other, in their order; each knows those before it.

    Args:
        windows: Such as `windows_of(table, time=..., period=...)` or `windows_by_count(table, rows=...)` give.
        spans: Beginning and end of each; the times of their rows by default.
    """
    found: list[Window] = []
    for place, window in enumerate(windows):
        start, end = spans[place] if spans else (None, None)
        if start is None and not (roles and roles.time):
            start, end = _EPOCH + timedelta(seconds=place), _EPOCH + timedelta(seconds=place + 1)
        found.append(
            examine_table(
                window, reference, monitors=monitors, name=name, roles=roles, earlier=found[::-1][:_EARLIER],
                start=start, end=end,
            )
        )  # fmt: skip
    return found


def windows_by_count(table: pa.Table, *, rows: int) -> list[pa.Table]:
    """The table cut into runs of so many rows, in its order; what is left at the end is a shorter one.

    Raises:
        InvalidInput: that is no number of rows.
    """
    if rows < 1:
        raise InvalidInput(f"A window of {rows} rows is none.", hint="Give at least 1.")
    return [table.slice(first, rows) for first in range(0, table.num_rows, rows)]


def cut_windows(table: pa.Table, *, every: timedelta | int, time: str = "") -> list[pa.Table]:
    """The table cut by time or by count.

    Args:
        every: Length of a window, as a time or as a number of rows.
        time: Column of the times; needed for the former.
    """
    if isinstance(every, int):
        return windows_by_count(table, rows=every)
    if not time:
        raise InvalidInput("Windows of a time need a time column.", hint="Name it, or give a number of rows.")
    return windows_of(table, time=time, period=every)


def segments_of(table: pa.Table, column: str, *, least: int = 50) -> dict[str, pa.Table]:
    """The table by the values of a column, or ranges of its numbers: each can be examined by itself.

    Args:
        least: Values of fewer rows are put together as `(other)`.
    """
    import pyarrow as pa

    from flyball.evaluation.slices import group_rows

    if column not in table.column_names:
        raise InvalidInput(f"There is no column '{column}'.", hint=did_you_mean(column, table.column_names))
    groups = group_rows(table[column].to_pylist(), min_size=least)
    return {group.value: table.take(pa.array(group.rows)) for group in groups}


def _examined(
    table: pa.Table,
    reference: Reference | None,
    *,
    monitors: Sequence[MonitorSpec],
    name: str,
    roles: Roles,
    earlier: Sequence[Window],
    span: tuple[datetime | None, datetime | None],
    complete: bool,
) -> tuple[Window, list[Finding]]:
    rows = _rows(table, roles)
    known = {roles.prediction, roles.probability, roles.truth, roles.version, roles.time}
    inputs = table.select([column for column in table.column_names if column not in known])
    start, end = _span(rows, span, bool(roles.time))
    if reference is not None and (roles.time or span[0] is not None):
        reference = at(reference, start)
    material = Material(
        rows=rows,
        inputs=inputs,
        complete=complete,
        reference=reference,
        profile=profile_of(inputs, reference),
        earlier=lambda: earlier,
        profiles=_profiles(earlier),
        start=start,
        end=end,
    )
    return examine_material(material, monitors or (drift(), quality()), name)


def _profiles(earlier: Sequence[Window]) -> Callable[[], Sequence[Profile]]:
    return lambda: [window.profile for window in earlier if window.profile is not None]


def _rows(table: pa.Table, roles: Roles) -> pa.Table:
    """The rows as the log of predictions has them."""
    import numpy as np
    import pyarrow as pa

    n = table.num_rows

    def column(name: str, otherwise: Any) -> Any:
        return table[name] if name and name in table.column_names else otherwise

    prediction = column(roles.prediction, pa.nulls(n))
    said: dict[str, Any] = {
        "prediction_id": pa.array(np.arange(n).astype(str)),
        "at": _moments(table, roles.time),
        "model_version": column(roles.version, pa.array(np.zeros(n, dtype=np.int64))),
        "prediction": prediction,
        "probability": column(roles.probability, pa.nulls(n, pa.float64())),
        "truth": column(roles.truth, pa.nulls(n, prediction.type)),
    }
    if pa.types.is_list(said["probability"].type) or pa.types.is_fixed_size_list(said["probability"].type):
        said["probabilities"] = said["probability"].cast(pa.list_(pa.float64()))
        said["probability"] = pa.nulls(n, pa.float64())
    return pa.table(said)


def _moments(table: pa.Table, time: str) -> Any:
    import pyarrow as pa

    if not time:
        return pa.nulls(table.num_rows, pa.timestamp("us", tz="UTC"))
    if time not in table.column_names:
        raise InvalidInput(f"There is no column '{time}'.", hint=did_you_mean(time, table.column_names))
    kind = table[time].type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        raise InvalidInput(f"Column '{time}' ({kind}) holds no times.", hint="Cast it to a timestamp.")
    return table[time].cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))


def _span(rows: pa.Table, span: tuple[datetime | None, datetime | None], timed: bool) -> tuple[datetime, datetime]:
    import pyarrow.compute as pc

    start, end = span
    if timed and rows.num_rows and (start is None or end is None):
        ends = pc.min_max(rows["at"]).as_py()
        start = start or ends["min"]
        end = end or (ends["max"] + timedelta(microseconds=1) if ends["max"] else None)
    start = start or _EPOCH
    return start, end or start
