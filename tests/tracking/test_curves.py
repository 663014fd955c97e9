from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyball.clock import FixedClock
from flyball.errors import InvalidInput, NotFound
from flyball.serialization import from_json, to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import curves
from flyball.tracking.limits import MOST_POINTS, from_micros
from flyball.tracking.runs import Axis, Curve, MetricPoint, Run, Series, Tracking

T0 = 1_700_000_000_000_000
START = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)  # T0


@pytest.fixture
def tracking(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Tracking:
    return Tracking(database, blobs, events, clock)


@pytest.fixture
def run(tracking: Tracking) -> Run:
    return tracking.create_run("churn", started=START)


def series(first: int, last: int, *, key: str = "loss", seed: int = 0, every: int = 1, undefined: int = 0) -> Series:
    chance = random.Random(seed)
    steps = list(range(first, last, every))
    values: list[float | None] = [chance.gauss(0, 1) for _ in steps]
    for place in range(undefined):
        values[place * 7 % len(values)] = None
    return Series(key=key, steps=steps, times=[T0 + step * 1000 for step in steps], values=values)


def count(database: Database, table: str) -> int:
    row = database.row(sa.text(f"SELECT count(*) FROM {table}"))
    assert row is not None
    return int(row[0])


def points_of(curve: Curve) -> list[tuple[int, int, float | None]]:
    return list(zip(curve.steps, curve.times, curve.values, strict=True))


def test_many_points_are_one_row(tracking: Tracking, database: Database, run: Run) -> None:
    tracking.append(run.id, [series(0, 1000)])
    assert (count(database, "metric_chunks"), count(database, "metric_points")) == (1, 0)
    assert [p.step for p in tracking.metric_history(run.id, "loss", limit=2000)] == list(range(1000))


def test_few_points_stay_rows(tracking: Tracking, database: Database, run: Run) -> None:
    tracking.append(run.id, [series(0, 63)])
    assert (count(database, "metric_chunks"), count(database, "metric_points")) == (0, 63)


def test_a_chunk_that_is_sent_twice_is_kept_once(tracking: Tracking, database: Database, run: Run) -> None:
    for _ in range(2):
        tracking.append(run.id, [series(0, 1000)])
    assert count(database, "metric_chunks") == 1


def test_points_sent_again_in_other_parts_are_read_once(tracking: Tracking, run: Run) -> None:
    given = series(0, 500)
    for first, last in ((0, 500), (0, 200), (150, 160), (200, 500)):
        cut = slice(first, last)
        tracking.append(
            run.id, [Series(key="loss", steps=given.steps[cut], times=given.times[cut], values=given.values[cut])]
        )
    found = tracking.metric_history(run.id, "loss", limit=2000)
    assert [(p.step, p.value) for p in found] == list(zip(given.steps, given.values, strict=True))
    (curve,) = tracking.metric_histories([run.id], ["loss"])
    assert curve.count == 500


@pytest.mark.parametrize("limit", [1, 7, 100, 1000])
def test_history_is_paged_across_chunks_and_rows(tracking: Tracking, run: Run, limit: int) -> None:
    tracking.append(run.id, [series(0, 300), series(100, 150, seed=1), series(250, 400, seed=2)])
    tracking.append(run.id, [series(390, 420, undefined=5), series(0, 3, seed=3)])
    whole = tracking.metric_history(run.id, "loss", limit=100_000)
    assert len(whole) == 300 + 50 + 150 + 30 + 3
    found: list[MetricPoint] = []
    token = ""
    while page := tracking.metric_history(run.id, "loss", limit=limit, page_token=token):
        found += page
        token = curves.place_of(page[-1])
    assert found == whole


def test_history_after_a_step_within_a_chunk(tracking: Tracking, run: Run) -> None:
    tracking.append(run.id, [series(0, 3000)])
    found = tracking.metric_history(run.id, "loss", limit=5, after_step=1500)
    assert [p.step for p in found] == [1501, 1502, 1503, 1504, 1505]
    assert tracking.metric_history(run.id, "loss", after_step=2999) == []


def test_a_token_that_is_none_is_refused(tracking: Tracking, run: Run) -> None:
    for token in ("x", "!!", "W10", "WzFd"):
        with pytest.raises(InvalidInput, match="page token"):
            tracking.metric_history(run.id, "loss", page_token=token)


def test_histories_of_many_runs_and_metrics(tracking: Tracking, run: Run) -> None:
    other = tracking.create_run("churn")
    tracking.append(run.id, [series(0, 100), series(0, 5, key="acc")])
    tracking.append(other.id, [series(0, 3)])
    found = tracking.metric_histories([run.id, other.id], ["loss", "acc", "nope"], limit=50)
    assert [(c.run, c.key, len(c.steps)) for c in found] == [
        (run.id, "loss", 50),
        (run.id, "acc", 5),
        (other.id, "loss", 3),
    ]
    with pytest.raises(NotFound):
        tracking.metric_histories(["nope"], ["loss"])
    with pytest.raises(InvalidInput):
        tracking.metric_histories([run.id] * 1001, ["loss"])


def test_the_latest_value_is_right_across_chunks(tracking: Tracking, run: Run) -> None:
    later = series(500, 700, seed=1)
    tracking.append(run.id, [later])
    tracking.append(run.id, [series(0, 200)])
    tracking.append(run.id, [Series(key="loss", steps=[699], times=[later.times[-1]], values=[99.0])])
    assert tracking.get_run(run.id).metrics == {"loss": 99.0}


def test_the_latest_of_one_step_is_that_of_the_last_time(tracking: Tracking, run: Run) -> None:
    times = [T0 + place for place in range(100)]
    values: list[float | None] = [float(place) for place in range(100)]
    tracking.append(run.id, [Series(key="loss", steps=[0] * 100, times=times[::-1], values=values)])
    assert tracking.get_run(run.id).metrics == {"loss": 0.0}
    assert len(tracking.metric_history(run.id, "loss")) == 100


def test_ending_a_run_makes_chunks_of_its_rows(tracking: Tracking, database: Database, run: Run) -> None:
    for start in range(0, 1200, 60):
        tracking.append(run.id, [series(start, start + 60), series(start, start + 1, key="few")])
    before = tracking.metric_histories([run.id], ["loss", "few"], limit=5000)
    tracking.finish_run(run.id)
    assert (count(database, "metric_chunks"), count(database, "metric_points")) == (2, 20)
    assert tracking.metric_histories([run.id], ["loss", "few"], limit=5000) == before


def test_ending_a_run_makes_few_chunks_of_many(tracking: Tracking, database: Database, run: Run) -> None:
    for start in range(0, 2000, 100):
        tracking.append(run.id, [series(start, start + 100)])
    assert count(database, "metric_chunks") == 20
    tracking.finish_run(run.id)
    assert count(database, "metric_chunks") == 2
    assert len(tracking.metric_history(run.id, "loss", limit=5000)) == 2000


def test_rows_become_chunks_while_a_run_goes_on(tracking: Tracking, database: Database, run: Run) -> None:
    for start in range(0, 3000, 60):
        tracking.append(run.id, [series(start, start + 60)])
    assert count(database, "metric_points") < 2048
    assert len(tracking.metric_history(run.id, "loss", limit=5000)) == 3000


def test_a_small_chart_shows_every_point(tracking: Tracking, run: Run) -> None:
    given = series(0, 200, undefined=3)
    tracking.append(run.id, [given])
    (curve,) = tracking.chart([run.id], "loss")
    assert (curve.steps, curve.times, curve.values, curve.count) == (given.steps, given.times, given.values, 200)
    assert from_json(to_json(curve), Curve) == curve


def expected(given: Series, buckets: int, first: int | None, last: int | None) -> set[tuple[int, int, float]]:
    points = [
        (step, at, value)
        for step, at, value in zip(given.steps, given.times, given.values, strict=True)
        if value is not None and (first is None or step >= first) and (last is None or step <= last)
    ]
    low = max(given.steps[0], first if first is not None else given.steps[0])
    high = min(given.steps[-1], last if last is not None else given.steps[-1])
    width = -(-(high - low + 1) // buckets)
    found: dict[int, list[tuple[int, int, float]]] = {}
    for point in points:
        found.setdefault((point[0] - low) // width, []).append(point)
    return {
        kept
        for part in found.values()
        for kept in (part[0], part[-1], min(part, key=lambda p: p[2]), max(part, key=lambda p: p[2]))
    }


@pytest.mark.parametrize("undefined", [0, 40])
@pytest.mark.parametrize(("first", "last"), [(None, None), (1234, None), (None, 7000), (1000, 6001)])
@pytest.mark.parametrize("has_numpy", [True, False])
def test_a_chart_keeps_first_last_least_and_greatest(
    tracking: Tracking,
    run: Run,
    undefined: int,
    first: int | None,
    last: int | None,
    has_numpy: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(curves, "_HAS_NUMPY", has_numpy)
    given = series(0, MOST_POINTS, undefined=undefined)
    tracking.append(run.id, [given])
    tracking.append(run.id, [Series(key="loss", steps=s, times=t, values=v) for s, t, v in [
        (given.steps[:50], given.times[:50], given.values[:50])]])  # fmt: skip
    (curve,) = tracking.chart([run.id], "loss", buckets=6, first=first, last=last)
    assert set(points_of(curve)) == expected(given, 6, first, last)
    assert curve.steps == sorted(curve.steps)


@pytest.mark.parametrize("axis", ["time", "relative"])
@pytest.mark.parametrize("is_mixed", [True, False])
def test_a_chart_by_time(tracking: Tracking, run: Run, axis: Axis, is_mixed: bool) -> None:
    given = series(0, 5000)
    times = given.times if not is_mixed else [*given.times[2500:], *given.times[:2500]]
    tracking.append(run.id, [Series(key="loss", steps=given.steps, times=times, values=given.values)])
    (curve,) = tracking.chart([run.id], "loss", buckets=10, axis=axis)
    assert curve.times == sorted(curve.times)
    low = 0 if axis == "relative" else T0
    assert (curve.times[0], curve.times[-1]) == (low, low + 4999 * 1000)
    assert {min(given.values), max(given.values)} <= set(curve.values)  # type: ignore[type-var]  # all are numbers
    assert len(curve.steps) <= 40
    part = dict(zip(times, given.values, strict=True))
    first = [part[T0 + place * 1000] for place in range(500)]
    shown = [value for at, value in zip(curve.times, curve.values, strict=True) if at - low < 500_000]
    assert (min(shown), max(shown)) == (min(first), max(first))  # type: ignore[type-var]  # all are numbers


def test_a_chart_of_what_is_not_there(tracking: Tracking, run: Run) -> None:
    assert tracking.chart([run.id], "nope") == [Curve(run=run.id, key="nope", steps=[], times=[], values=[], count=0)]
    tracking.append(run.id, [series(0, 5000)])
    (curve,) = tracking.chart([run.id], "loss", first=9000, buckets=10)
    assert curve.steps == []
    with pytest.raises(NotFound):
        tracking.chart(["nope"], "loss")
    for buckets in (0, 20_001):
        with pytest.raises(InvalidInput):
            tracking.chart([run.id], "loss", buckets=buckets)


def test_a_chart_of_the_widest_steps(tracking: Tracking, run: Run) -> None:
    steps = [-(2**63), *range(100), 2**63 - 1]
    given = Series(key="loss", steps=steps, times=[T0] * 102, values=[float(place) for place in range(102)])
    tracking.append(run.id, [given])
    (curve,) = tracking.chart([run.id], "loss", buckets=3)
    assert (curve.steps[0], curve.steps[-1]) == (steps[0], steps[-1])


def test_columns_of_unequal_length_are_refused(tracking: Tracking, run: Run) -> None:
    with pytest.raises(InvalidInput, match="2 steps, 1 times and 1 values"):
        tracking.append(run.id, [Series(key="loss", steps=[1, 2], times=[1], values=[0.5])])


@pytest.mark.parametrize("at", [2**63, -(2**62), 1.5, True, None])
def test_a_time_that_is_none_is_refused(tracking: Tracking, run: Run, at: int) -> None:
    with pytest.raises(InvalidInput, match="time"):
        tracking.append(run.id, [Series(key="loss", steps=[1], times=[at], values=[0.5])])


@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_logged_in_any_parts_is_read_once_and_in_order(tracking: Tracking, data: st.DataObject) -> None:
    run = tracking.create_run("churn")
    steps = st.integers(0, 300)
    parts = data.draw(st.lists(st.tuples(steps, st.integers(1, 200), st.booleans()), min_size=1, max_size=6))
    wanted = set()
    for first, length, ends in parts:
        given = Series(
            key="loss",
            steps=list(range(first, first + length)),
            times=[T0 + step for step in range(first, first + length)],
            values=[step / 7 if step % 5 else None for step in range(first, first + length)],
        )
        tracking.append(run.id, [given])
        wanted |= {(s, from_micros(t), v) for s, t, v in zip(given.steps, given.times, given.values, strict=True)}
        if ends:
            tracking.update_run(run.id, state="finished")
            tracking.update_run(run.id, state="running")
    found = [(p.step, p.at, p.value) for p in tracking.metric_history(run.id, "loss", limit=5000)]
    assert found == sorted(wanted, key=lambda p: p[0])
    last = max(wanted, key=lambda p: p[0])
    assert tracking.get_run(run.id).metrics == {"loss": last[2]}


def test_moments_are_exact(tracking: Tracking, run: Run) -> None:
    at = START + timedelta(microseconds=123_457)
    tracking.log(run.id, metrics=[MetricPoint(key="loss", value=1.0, step=step, at=at) for step in range(100)])
    assert {p.at for p in tracking.metric_history(run.id, "loss")} == {at}
