"""Points of many metrics that come at once stand in one row, and are read as if each had its own."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from flyball.clock import FixedClock
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import _store
from flyball.tracking._chunks import Place
from flyball.tracking._folding import fold_sheets
from flyball.tracking._sheets import make_sheet, open_sheet, points_in
from flyball.tracking.ingest import Batch, Ingest
from flyball.tracking.points import read_points
from flyball.tracking.runs import Series, Tracking

T0 = 1_700_000_000_000_000
INT64 = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture
def tracking(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Tracking:
    return Tracking(database, blobs, events, clock)


def rows(database: Database, table: sa.Table) -> int:
    found = database.row(sa.select(sa.func.count()).select_from(table))
    assert found is not None
    return int(found[0])


def log_wide(tracking: Tracking, run: str, step: int, metrics: int = 100) -> None:
    series = [
        Series(key=f"m{key}", steps=[step], times=[T0 + step], values=[None if key == 7 else key + step / 2])
        for key in range(metrics)
    ]
    tracking.append(run, series=series)


@given(
    st.lists(
        st.tuples(st.integers(1, 2**32 - 1), INT64, INT64, st.none() | st.floats(allow_nan=False)),
        min_size=1,
        max_size=80,
    )
)
def test_a_sheet_gives_back_what_it_was_made_of(points: list[tuple[int, int, int, float | None]]) -> None:
    keys, steps, times, values = zip(*points, strict=True)
    data = make_sheet(1, keys, steps, times, [float("nan") if value is None else value for value in values])[-1]
    expected: list[tuple[int, Place]] = [(k, (s, t, v or 0.0, v is None)) for k, s, t, v in points]
    assert list(open_sheet(data)) == expected
    for key in keys:
        assert points_in(data, key) == [place for of, place in expected if of == key]


def test_many_metrics_at_once_are_one_row(database: Database, tracking: Tracking) -> None:
    run = tracking.create_run("wide").id
    for step in range(3):
        log_wide(tracking, run, step)
        log_wide(tracking, run, step)  # again: it is kept once
    assert (rows(database, _store.sheets), rows(database, _store.points)) == (3, 0)
    assert read_points(database, run, "m3", 10) == [(step, T0 + step, 3 + step / 2, False) for step in range(3)]
    assert [point.value for point in tracking.metric_history(run, "m7")] == [None] * 3
    found = tracking.get_run(run).metrics
    assert (found["m3"], found["m7"], len(found)) == (4.0, None, 100)
    (curve,) = tracking.chart([run], "m3")
    assert curve.values == [3.0, 3.5, 4.0]


def test_many_sheets_become_chunks_and_the_rest_stays(database: Database, tracking: Tracking) -> None:
    run = tracking.create_run("wide").id
    for step in range(63):
        log_wide(tracking, run, step, 65)
        tracking.append(run, series=[Series(key="m3", steps=[step], times=[0], values=[0.0])])
    log_wide(tracking, run, 63, 70)
    # With the last one, there are as many as are worth folding.
    assert rows(database, _store.chunks) == 65
    assert rows(database, _store.sheets) == 1
    assert [place[0] for place in read_points(database, run, "m64", 1000)] == list(range(64))
    assert read_points(database, run, "m69", 10) == [(63, T0 + 63, 69 + 31.5, False)]
    places = read_points(database, run, "m3", 1000)
    assert len(places) == len(set(places)) == 64 + 63
    assert places == sorted(places)


def test_the_pages_of_a_history_go_on_where_they_ended(database: Database, tracking: Tracking) -> None:
    run = tracking.create_run("wide").id
    for step in range(70):
        log_wide(tracking, run, step, 65)
    found: list[Place] = []
    while page := read_points(database, run, "m5", 7, found[-1] if found else None):
        found += page
    assert [place[0] for place in found] == list(range(70))


def test_few_sheets_are_left_as_they_are(database: Database, tracking: Tracking) -> None:
    run = tracking.create_run("wide").id
    for step in range(5):
        log_wide(tracking, run, step)
    with database.transaction() as connection:
        assert fold_sheets(database, connection, 1) == 0
    tracking.finish_run(run)
    assert rows(database, _store.sheets) == 5


def test_the_latest_of_a_metric_that_comes_twice_at_once_is_the_later_one(
    database: Database, tracking: Tracking, events: EventLog, clock: FixedClock
) -> None:
    run = tracking.create_run("wide").id
    points: list[tuple[str, float | None, int, int]] = [
        (f"m{key % 50}", key / 1.0, key // 50, T0) for key in range(100)
    ]
    ingest = Ingest(database, events, clock)
    ingest.submit(Batch(run=run, points=points[50:] + points[:50])).result()
    ingest.close()
    assert rows(database, _store.sheets) == 1
    assert tracking.get_run(run).metrics == {f"m{key}": float(key + 50) for key in range(50)}


def test_a_run_that_is_removed_takes_its_sheets_along(database: Database) -> None:
    with database.reading() as connection:
        assert "metric_sheets" in _store.tables_with(connection, "run")
