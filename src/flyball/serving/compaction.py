"""Puts the many small segments of a prediction log together, so that a read opens tens of files and not a hundred thousand.

A model server writes a segment a second. Those of ten minutes become one, and those of a day again one, replica by replica: written
whole before the parts are taken away. A compaction that is killed in between leaves rows twice, which every reader drops.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

from flyball.serving.segments import SegmentName, parquet, read_segment, segment_name, segments_of, unify
from flyball.storage.object_store import ObjectStore

_PERIODS = (timedelta(minutes=10), timedelta(days=1))
_SETTLED = timedelta(minutes=10)
_LARGE = 32 << 20  # bytes of a part that need not be read again to become part of a larger one
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def compact(store: ObjectStore, deployment: str, *, now: datetime | None = None, most: int = 1_000_000) -> int:
    """Puts segments together that were written ten minutes ago or before; gives how many there are less.

    Args:
        now: The time by the model servers' clocks; the system's by default.
        most: At most so many periods are put together in one call.
    """
    moment, fewer, done = now or datetime.now(UTC), 0, 0
    for period in _PERIODS:
        for group in list(_groups(segments_of(store, deployment), period, moment)):
            if done == most:
                return fewer
            fewer += _put_together(store, deployment, group)
            done += 1
    return fewer


def _groups(segments: Sequence[SegmentName], period: timedelta, now: datetime) -> Iterator[list[SegmentName]]:
    def place(segment: SegmentName) -> tuple[str, int]:
        return segment.replica, (segment.written - _EPOCH) // period

    for (_, number), found in groupby(
        sorted(segments, key=lambda each: (place(each), each.stamp, each.key)), key=place
    ):
        parts = list(found)
        if len(parts) > 1 and _EPOCH + (number + 1) * period + _SETTLED <= now:
            yield parts


def _put_together(store: ObjectStore, deployment: str, parts: Sequence[SegmentName]) -> int:
    sizes = {part.key: stat.size for part in parts if (stat := store.stat(part.key)) is not None}
    small = [part for part in parts if sizes.get(part.key, _LARGE) < _LARGE]
    if len(small) < 2:
        return 0
    whole = unify([read_segment(store.get(part.key), None) for part in small])
    # Under the stamp of the last of them: who has read that far goes on behind it, who has not reads it whole.
    low, high = min(part.low for part in small), max(part.high for part in small)
    key = segment_name(deployment, small[-1].replica, small[-1].written, low, high)
    store.put(key, parquet(whole))
    for part in small:
        if part.key != key:
            store.delete(part.key)
    return len(small) - 1
