from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from flyball.errors import InvalidInput, TimedOut
from flyball.serving.prediction_log import Entry, PredictionLog, find_prediction, read_predictions
from flyball.serving.segments import parse_segment, read_segment, segment_name, segments_of
from flyball.storage.local_objects import LocalObjects

START = datetime(2013, 3, 1, tzinfo=UTC)


class BrokenStore(LocalObjects):
    """Takes nothing until it is mended."""

    broken = True

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        if self.broken:
            raise OSError(28, "No space left on device")
        return super().put(key, data, if_absent=if_absent)


class SlowStore(LocalObjects):
    """Takes its time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, durable=False)
        self.may_go_on = threading.Event()

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        self.may_go_on.wait(30)
        return super().put(key, data, if_absent=if_absent)


def entry(
    *ids: str,
    version: int = 1,
    role: str = "champion",
    at: datetime = START,
    answer: pa.Table | None = None,
    inputs: pa.Table | None = None,
) -> Entry:
    return Entry(
        ids=ids,
        at=at,
        revision=f"m-{version}",
        model_version=version,
        role=role,
        answered=role != "shadow",
        answer=answer if answer is not None else pa.table({"prediction": [float(version)] * len(ids)}),
        inputs=inputs if inputs is not None else pa.table({"x": [0.5] * len(ids), "city": ["a"] * len(ids)}),
        latency_us=120,
        request_id="r",
    )


@pytest.fixture
def log(store: LocalObjects) -> Iterator[PredictionLog]:
    log = PredictionLog(store, "shop", "main", interval=60)
    yield log
    log.close()


def test_what_was_flushed_is_read_back_typed(log: PredictionLog, store: LocalObjects) -> None:
    log.append(entry("a", "b"))
    log.flush()
    table, _ = read_predictions(store, "shop")
    assert table.to_pylist()[0] == {
        "prediction_id": "a", "at": START, "revision": "m-1", "model_version": 1, "role": "champion", "answered": True,
        "key": None, "input.x": 0.5, "input.city": "a", "prediction": 1.0, "latency_us": 120, "request_id": "r",
    }  # fmt: skip
    assert str(table.schema.field("at").type) == "timestamp[us, tz=UTC]"
    assert (log.logged, log.dropped) == (2, 0)


def test_rows_are_written_by_themselves_after_a_while(store: LocalObjects) -> None:
    log = PredictionLog(store, "shop", "main", interval=0.05)
    log.append(entry("a"))
    deadline = time.monotonic() + 10
    while log.logged == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert read_predictions(store, "shop")[0].num_rows == 1
    log.close()


def test_many_rows_are_written_before_the_interval(store: LocalObjects) -> None:
    log = PredictionLog(store, "shop", "main", interval=60, segment_rows=10)
    log.append(entry(*(str(n) for n in range(10))))
    deadline = time.monotonic() + 10
    while log.logged == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert log.logged == 10
    log.close()


def test_closing_writes_what_is_left(log: PredictionLog, store: LocalObjects) -> None:
    log.append(entry("a"))
    log.close()
    assert read_predictions(store, "shop")[0].num_rows == 1
    assert not log.append(entry("b"))
    assert log.dropped == 1


def test_what_finds_no_room_is_dropped_and_counted(tmp_path: Path) -> None:
    store = SlowStore(tmp_path)
    log = PredictionLog(store, "shop", "main", interval=60, max_rows=3)
    assert log.append(entry("a", "b"))
    assert not log.append(entry("c", "d"))
    assert log.append(entry("e"))
    store.may_go_on.set()
    log.flush()
    assert (log.logged, log.dropped) == (3, 2)
    log.close()


def test_appending_never_waits_for_the_store(tmp_path: Path) -> None:
    store = SlowStore(tmp_path)
    log = PredictionLog(store, "shop", "main", interval=0.01, segment_rows=1)
    start = time.perf_counter()
    for place in range(200):
        log.append(entry(str(place)))
    assert time.perf_counter() - start < 2
    store.may_go_on.set()
    log.flush()
    assert log.logged == 200
    log.close()


def test_a_full_disk_is_told_and_nothing_is_lost_once_it_is_mended(tmp_path: Path) -> None:
    store = BrokenStore(tmp_path, durable=False)
    log = PredictionLog(store, "shop", "main", interval=0.02)
    log.append(entry("a"))
    with pytest.raises(TimedOut, match="No space left"):
        log.flush(timeout=0.3)
    assert "No space left" in log.error
    store.broken = False
    log.append(entry("b"))
    log.flush()
    assert read_predictions(store, "shop")[0]["prediction_id"].to_pylist() == ["a", "b"]
    assert (log.error, log.dropped) == ("", 0)
    log.close()


def test_closing_on_a_broken_store_counts_what_is_lost(tmp_path: Path) -> None:
    log = PredictionLog(BrokenStore(tmp_path, durable=False), "shop", "main", interval=0.02)
    log.append(entry("a", "b"))
    log.close(timeout=0.2)
    assert (log.logged, log.dropped) == (0, 2)


def test_the_token_goes_on_where_the_last_read_ended(log: PredictionLog, store: LocalObjects) -> None:
    log.append(entry("a"))
    log.flush()
    _, token = read_predictions(store, "shop")
    assert read_predictions(store, "shop", after_segment=token)[0].num_rows == 0
    log.append(entry("b"))
    log.flush()
    table, later = read_predictions(store, "shop", after_segment=token)
    assert table["prediction_id"].to_pylist() == ["b"]
    assert read_predictions(store, "shop", after_segment=later)[1] == later


def test_a_slow_replica_is_not_passed_over(store: LocalObjects) -> None:
    quick, slow = (PredictionLog(store, "shop", name, interval=60) for name in ("quick", "slow"))
    quick.append(entry("a"))
    quick.flush()
    _, token = read_predictions(store, "shop")
    early = datetime(2000, 1, 1, tzinfo=UTC)  # its segment sorts before all that was seen
    slow.append(entry("b"))
    slow.flush()
    for item in list(store.list("predictions/shop/")):
        if "slow" in item.key:
            store.put(segment_name("shop", "slow", early, START, START), store.get(item.key))
            store.delete(item.key)
    assert read_predictions(store, "shop", after_segment=token)[0]["prediction_id"].to_pylist() == ["b"]
    quick.close()
    slow.close()


def test_what_is_no_token_is_refused(store: LocalObjects) -> None:
    with pytest.raises(InvalidInput, match="no token"):
        read_predictions(store, "shop", after_segment="yesterday")


def test_the_first_answer_under_an_id_counts(log: PredictionLog, store: LocalObjects) -> None:
    for version in (1, 2):
        log.append(entry("a", version=version))
        log.flush()
    log.append(entry("a", version=3, role="shadow"))
    log.append(entry("a", version=3, role="shadow"))
    log.flush()
    found = read_predictions(store, "shop")[0]
    assert found.select(["revision", "answered"]).to_pylist() == [
        {"revision": "m-1", "answered": True},
        {"revision": "m-3", "answered": False},
    ]


def test_revisions_may_differ_in_inputs_and_types(log: PredictionLog, store: LocalObjects) -> None:
    log.append(entry("a"))
    log.append(entry("b", version=2, inputs=pa.table({"x": [1], "new": ["z"]})))
    log.append(entry("c", version=3, inputs=pa.table({"x": ["text"]}), answer=pa.table({"prediction": ["late"]})))
    log.flush()
    rows = {row["prediction_id"]: row for row in read_predictions(store, "shop")[0].to_pylist()}
    assert {name: row["input.x"] for name, row in rows.items()} == {"a": "0.5", "b": "1", "c": "text"}
    assert {name: row["prediction"] for name, row in rows.items()} == {"a": "1", "b": "2", "c": "late"}
    assert rows["b"]["input.new"] == "z"


def test_reading_is_cut_by_time(log: PredictionLog, store: LocalObjects) -> None:
    for day in range(4):
        log.append(entry(f"day-{day}", at=START + timedelta(days=day)))
        if day != 1:
            log.flush()
    found, _ = read_predictions(store, "shop", start=START + timedelta(days=1), end=START + timedelta(days=3))
    assert found["prediction_id"].to_pylist() == ["day-1", "day-2"]


def test_only_the_wanted_columns_are_read(log: PredictionLog, store: LocalObjects) -> None:
    log.append(entry("a"))
    log.flush()
    found, _ = read_predictions(store, "shop", columns=["prediction", "input.x", "no such"])
    assert found.column_names == ["prediction", "input.x"]


def test_a_log_without_segments_is_empty(store: LocalObjects) -> None:
    found, token = read_predictions(store, "shop")
    assert (found.num_rows, token) == (0, "")
    assert "prediction_id" in found.column_names


def test_one_prediction_is_found_with_its_shadow(log: PredictionLog, store: LocalObjects) -> None:
    log.append(entry("a", "b", version=2, role="shadow"))
    log.append(entry("a", "b"))
    log.flush()
    assert [(row["prediction_id"], row["role"]) for row in find_prediction(store, "shop", "b")] == [
        ("b", "champion"),
        ("b", "shadow"),
    ]
    assert find_prediction(store, "shop", "c") == []


@pytest.mark.parametrize("replica", ["main", "a-b_c.d", "host-8081"])
def test_a_segments_name_is_read_back(replica: str) -> None:
    early = datetime(1969, 12, 31, tzinfo=UTC)
    name = parse_segment(segment_name("shop", replica, START, early, START))
    assert name is not None
    assert (name.replica, name.low, name.high, name.stamp) == (replica, early, START, "20130301T000000.000000")


def test_other_objects_beside_the_segments_are_left_alone(store: LocalObjects) -> None:
    store.put("predictions/shop/README.md", b"hello")
    assert read_predictions(store, "shop")[0].num_rows == 0


def test_300_000_rows_are_read_within_seconds(store: LocalObjects) -> None:
    log = PredictionLog(store, "shop", "main", interval=60, max_rows=400_000)
    rng = np.random.default_rng(0)
    for part in range(60):
        inputs = pa.table({f"x{n}": rng.random(5000) for n in range(10)})
        answer = pa.table({"prediction": rng.random(5000) > 0.5, "probability": rng.random(5000)})
        log.append(entry(*(f"{part}-{row}" for row in range(5000)), inputs=inputs, answer=answer))
    log.close()
    start = time.process_time()
    table, _ = read_predictions(store, "shop")
    assert table.num_rows == 300_000
    assert time.process_time() - start < 5  # about 0.3 on a quiet machine


def test_what_was_spooled_by_a_process_that_died_is_logged_once(tmp_path: Path, store: LocalObjects) -> None:
    code = (
        "import os, sys, time\nfrom pathlib import Path\nfrom tests.serving.test_prediction_log import entry\n"
        "from flyball.serving.prediction_log import PredictionLog\nfrom flyball.storage.local_objects import LocalObjects\n"
        "log = PredictionLog(LocalObjects(Path(sys.argv[1])), 'shop', 'main', interval=60, spool=Path(sys.argv[2]))\n"
        "log.append(entry(sys.argv[3])); log.append(entry(*sys.argv[4:])); time.sleep(0.5); os.kill(os.getpid(), 9)\n"
    )
    spool = tmp_path / "spool"
    for names in ("abc", "def"):  # the second finds what the first left, and dies, too
        done = subprocess.run([sys.executable, "-c", code, str(store.folder), str(spool), *names], check=False)
        assert done.returncode == -9
    (left,) = (spool / "shop" / "main").iterdir()
    left.write_bytes(left.read_bytes() + b"\x40\x00\x00\x00torn")
    PredictionLog(store, "shop", "main", spool=spool).close()
    logged = [read_segment(store.get(segment.key), None) for segment in segments_of(store, "shop")]
    assert sorted(name for table in logged for name in table["prediction_id"].to_pylist()) == list("abcdef")
    assert list((spool / "shop" / "main").iterdir()) == []


def test_a_segment_that_was_put_before_the_spool_was_emptied_is_put_under_its_own_key(
    tmp_path: Path, store: LocalObjects
) -> None:
    spool = tmp_path / "spool"
    log = PredictionLog(store, "shop", "main", interval=60, spool=spool)
    log.append(entry("a"))
    folder = spool / "shop" / "main"
    deadline = time.monotonic() + 10
    while not list(folder.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (left,) = folder.iterdir()
    time.sleep(0.1)
    copy = left.read_bytes()
    log.close()
    assert not left.exists()
    left.write_bytes(copy)  # as if the process had died between both
    PredictionLog(store, "shop", "main", spool=spool).close()
    assert len(segments_of(store, "shop")) == 1


def test_a_spool_that_cannot_be_written_stops_nothing(tmp_path: Path, store: LocalObjects) -> None:
    spool = tmp_path / "spool"
    log = PredictionLog(store, "shop", "main", interval=60, spool=spool)
    (spool / "shop" / "main").rmdir()
    log.append(entry("a"))
    log.flush()
    log.close()
    assert read_predictions(store, "shop")[0]["prediction_id"].to_pylist() == ["a"]
