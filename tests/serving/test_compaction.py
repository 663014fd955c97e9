"""Segments that are put together hold what they held, for every reader."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from flyball.serving.compaction import compact
from flyball.serving.prediction_log import find_prediction, read_predictions
from flyball.serving.segments import encode, segment_name, segments_of
from flyball.storage.local_objects import LocalObjects

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def write(
    store: LocalObjects, minute: float, *, replica: str = "a", rows: int = 2, ids: list[str] | None = None
) -> None:
    at = MIDNIGHT + minute * MINUTE
    names = ids or [f"{replica}-{minute}-{row}" for row in range(rows)]
    count = len(names)
    table = pa.table(
        {
            "prediction_id": names, "at": pa.array([at] * count, pa.timestamp("us", "UTC")), "revision": ["m-1"] * count,
            "model_version": [1] * count, "role": ["champion"] * count, "answered": [True] * count,
            "input.x": [minute] * count, "prediction": [minute] * count,
        }
    )  # fmt: skip
    for data, _, low, high in encode([table]):
        store.put(segment_name("shop", replica, at, low, high), data)


def ids(store: LocalObjects, start: datetime | None = None, end: datetime | None = None) -> list[str]:
    return sorted(read_predictions(store, "shop", start=start, end=end)[0]["prediction_id"].to_pylist())


def test_ten_minutes_become_one_file_and_a_day_again_one(store: LocalObjects) -> None:
    for minute in range(40):
        write(store, minute)
        write(store, minute, replica="b")
    before = ids(store)
    assert compact(store, "shop", now=MIDNIGHT + 60 * MINUTE) == 72
    assert len(segments_of(store, "shop")) == 8
    assert ids(store) == before
    assert compact(store, "shop", now=MIDNIGHT + 2 * DAY) == 6
    assert len(segments_of(store, "shop")) == 2
    assert ids(store) == before
    assert compact(store, "shop", now=MIDNIGHT + 2 * DAY) == 0


def test_what_is_fresh_is_left_alone(store: LocalObjects) -> None:
    for minute in (0, 1, 12, 13):
        write(store, minute)
    assert compact(store, "shop", now=MIDNIGHT + 21 * MINUTE) == 1
    assert len(segments_of(store, "shop")) == 3


def test_times_still_tell_which_files_to_read(store: LocalObjects) -> None:
    for minute in range(20):
        write(store, minute)
    compact(store, "shop", now=MIDNIGHT + 60 * MINUTE)
    assert ids(store, start=MIDNIGHT + 5 * MINUTE, end=MIDNIGHT + 6 * MINUTE) == ["a-5-0", "a-5-1"]
    assert find_prediction(store, "shop", "a-15-1")[0]["input.x"] == 15


def test_who_has_read_so_far_goes_on_behind_it(store: LocalObjects) -> None:
    for minute in range(10):
        write(store, minute)
    _, token = read_predictions(store, "shop")
    compact(store, "shop", now=MIDNIGHT + 60 * MINUTE)
    write(store, 30)
    assert read_predictions(store, "shop", after_segment=token)[0]["prediction_id"].to_pylist() == ["a-30-0", "a-30-1"]


def test_who_has_not_misses_nothing(store: LocalObjects) -> None:
    write(store, 0)
    _, token = read_predictions(store, "shop")
    write(store, 1)
    compact(store, "shop", now=MIDNIGHT + 60 * MINUTE)
    assert {"a-1-0", "a-1-1"} <= set(
        read_predictions(store, "shop", after_segment=token)[0]["prediction_id"].to_pylist()
    )


class DiesDeleting(LocalObjects):
    """A store under a process that is killed when it begins to delete."""

    def delete(self, key: str) -> None:
        raise KeyboardInterrupt(key)


def test_one_that_is_killed_leaves_every_row_once_for_readers(store: LocalObjects) -> None:
    for minute in range(5):
        write(store, minute)
    before = ids(store)
    with pytest.raises(KeyboardInterrupt):
        compact(DiesDeleting(store.folder, durable=False), "shop", now=MIDNIGHT + 60 * MINUTE)
    assert len(segments_of(store, "shop")) == 6
    assert ids(store) == before
    compact(store, "shop", now=MIDNIGHT + 60 * MINUTE)
    assert len(segments_of(store, "shop")) == 1
    assert ids(store) == before


class CompactsWhileRead(LocalObjects):
    """A store whose segments are put together just when a reader has seen their names."""

    is_done = False

    def get(self, key: str) -> bytes:
        if not self.is_done:
            self.is_done = True
            compact(LocalObjects(self.folder, durable=False), "shop", now=MIDNIGHT + 60 * MINUTE)
        return super().get(key)


def test_a_reader_in_between_reads_again(store: LocalObjects) -> None:
    for minute in range(5):
        write(store, minute)
    assert len(ids(CompactsWhileRead(store.folder, durable=False))) == 10
