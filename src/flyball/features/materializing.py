"""Materialises views: reads their rows where they lie, checks them, and writes the latest of each thing for serving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from flyball.clock import Clock, parse_time
from flyball.data.table import as_moments
from flyball.data.validate import ensure_valid
from flyball.features.definition import FeatureView
from flyball.features.material import Reader, stored_columns, stored_schema
from flyball.features.online_features import PushReport
from flyball.features.views import Features, Materialization
from flyball.features.writing import latest_rows
from flyball.serialization import canonical_json, digest, to_plain

if TYPE_CHECKING:
    import pyarrow as pa

# Rows that became known earlier may still arrive; written twice they change nothing.
_OVERLAP = timedelta(days=1)
_ROWS_SENT = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialized:
    """What materialising a view has done.

    Attributes:
        unchanged: Nothing has come since the last time, so nothing was written.
        rows: Rows that were read; `written`: things (or events of windows) that were written; `older`: things of which
            newer values are served already; `later`: rows whose time is still to come.
    """

    view: str
    unchanged: bool = False
    rows: int = 0
    written: int = 0
    older: int = 0
    later: int = 0
    unusable: int = 0


def materialize(
    name: str,
    *,
    reader: Reader,
    features: Features,
    online: Any,
    clock: Clock,
    since: str = "",
    rebuild: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> Materialized:
    """Brings what is served of a view up to what is known now; it may be stopped anywhere and begun again.

    Nothing is written where no row has come. Of a view that says when its rows were created only those are looked at that
    became known since the last time (and a day before it).

    Args:
        name: Name of the view, or name and version.
        reader: Reads its rows.
        online: The workspace's `features_online`, here or on a server.
        since: Only rows that became known at or after this moment.
        rebuild: Looks at all rows, and removes what is served of things that they do not know.
        tell: Told how many things of how many are written.

    Raises:
        NotFound: there is no such view, or it has no rows.
        ChecksFailed: its rows do not pass its tests; nothing is written.
        ServerUnreachable: the store is down.
    """
    view = features.get(name)
    noted: list[str] = []
    pushes = features.pushes(view.name)
    table = replace(reader, note=noted.append).rows(view)
    now = clock.now()
    if view.tests:
        ensure_valid(table, list(view.tests), now=now)
    state = digest(canonical_json([*noted, [push.id for push in pushes]]))
    source = noted[0] if len(noted) == 1 and not pushes else state
    known, latest = _known(view, table, now)
    former = features.materialization(view.label)
    if features.describe(view.label).schema is None:
        features.set_schema(view.name, view.version, stored_schema(view, table))
    is_same = former is not None and former.source == source and former.known == latest
    if is_same and latest is not None and not since and not rebuild and not view.windows:
        return Materialized(view=view.label, unchanged=True, rows=table.num_rows)
    wanted = table
    if since:
        wanted = _after(table, known, parse_time(since))
    elif view.created and not rebuild and not view.windows and former is not None and former.known is not None:
        wanted = _after(table, known, former.known - _OVERLAP)
    upto = pushes[-1].id if pushes else 0
    if hasattr(online, "load_table"):
        done = online.load_table(view, wanted, upto_push=upto, rebuild=rebuild, tell=tell)
    else:
        done = _send(online, view, wanted, now, tell)
    features.record_materialization(
        Materialization(
            view=view.name,
            version=view.version,
            at=now,
            source=source,
            rows=table.num_rows,
            keys=done.written + done.older,
            newest=_newest(view, table, now),
            known=latest,
        )
    )
    return Materialized(
        view=view.label,
        rows=table.num_rows,
        written=done.written,
        older=done.older,
        later=done.later,
        unusable=done.unusable,
    )


def _known(view: FeatureView, table: pa.Table, now: datetime) -> tuple[pa.ChunkedArray, datetime | None]:
    """When each row became known, and the latest such moment that is not to come."""
    import pyarrow.compute as pc

    times = as_moments(table[view.time])
    known = times
    if view.created:
        created = as_moments(table[view.created])
        known = pc.if_else(pc.greater(created, times), created, times)
    latest: datetime | None = pc.max(known.filter(pc.less_equal(known, now))).as_py()
    return known, latest


def _newest(view: FeatureView, table: pa.Table, now: datetime) -> datetime | None:
    import pyarrow.compute as pc

    times = as_moments(table[view.time])
    newest: datetime | None = pc.max(times.filter(pc.less_equal(times, now))).as_py()
    return newest


def _after(table: pa.Table, known: pa.ChunkedArray, moment: datetime) -> pa.Table:
    import pyarrow.compute as pc

    return table.filter(pc.greater_equal(known, moment))


def _send(online: Any, view: FeatureView, table: pa.Table, now: datetime, tell: Callable[[int, int], None]) -> Any:
    """Writes through a server: the last row of each thing, as plain values."""
    latest = table if view.windows else latest_rows(view, table, now)
    latest = latest.select([*view.roles, *stored_columns(view, table)])
    total = PushReport(view=view.label, rows=latest.num_rows)
    # The events of a thing are replaced together.
    at_once = max(1, latest.num_rows) if view.windows else _ROWS_SENT
    for start in range(0, latest.num_rows, at_once):
        rows = to_plain(latest.slice(start, at_once).to_pylist())
        done = online.load(view.label, rows)
        total = replace(
            total,
            written=total.written + done.written,
            older=total.older + done.older,
            later=total.later + done.later,
            unusable=total.unusable + done.unusable,
        )
        tell(min(start + at_once, latest.num_rows), latest.num_rows)
    return total
