"""What the flights loop's monitors find of faults injected into a real half-year: `python scorecard.py` after `python prepare.py`.

A model learns from February to July 2013 and answers from August to Christmas. Every other week something goes wrong with the
flights it is asked about. The flights are real, and so is what the year itself does to them: a week without a fault that alarms
is listed with what was said of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from sklearn.ensemble import HistGradientBoostingClassifier

import flyball as fb
from flyball.monitoring.estimation import fit_calibration
from flyball.monitoring.learned import with_outcomes
from flyball.monitoring.outcome_reference import outcome_table
from flyball.monitoring.reference import fit_reference, windows_of
from flyball.monitoring.tables import Roles, examine_series

HERE = Path(__file__).parent
WEEK = timedelta(days=7)
LEARN_FROM, WATCH_FROM = datetime(2013, 2, 4, tzinfo=UTC), datetime(2013, 8, 5, tzinfo=UTC)
WEEKS = 20
INPUTS = ["carrier", "origin", "distance", "departs_minute", "arrives_minute", "weekday"]
MONITORS = [
    fb.monitor.drift(),
    fb.monitor.quality(),
    fb.monitor.prediction_drift(),
    fb.monitor.performance("roc_auc", "log_loss"),
    fb.monitor.estimate("roc_auc", "log_loss"),
]

Rows = pa.Table
Spoil = Callable[[Rows, np.random.Generator], Rows]


def _with(rows: Rows, name: str, values: object) -> Rows:
    return rows.set_column(rows.column_names.index(name), name, pa.chunked_array([pa.array(values)]))


def _some(rows: Rows, random: np.random.Generator, share: float) -> np.ndarray:
    return random.random(rows.num_rows) < share


def _scaled(rows: Rows, _random: np.random.Generator) -> Rows:
    return _with(rows, "distance", rows["distance"].to_numpy() * 1.609344)


def _in_utc(rows: Rows, _random: np.random.Generator) -> Rows:
    return _with(rows, "departs_minute", (rows["departs_minute"].to_numpy() + 240) % 1440)


def _renamed(rows: Rows, _random: np.random.Generator) -> Rows:
    return _with(rows, "origin", pc.replace_substring(rows["origin"], "LGA", "LG1").combine_chunks())


def _missing(rows: Rows, random: np.random.Generator) -> Rows:
    values = np.where(_some(rows, random, 0.1), np.nan, rows["arrives_minute"].to_numpy())
    return _with(rows, "arrives_minute", pa.array(values, from_pandas=True))


def _stuck(rows: Rows, random: np.random.Generator) -> Rows:
    return _with(rows, "distance", np.where(_some(rows, random, 0.33), 1089.5, rows["distance"].to_numpy()))


def _lost(rows: Rows, random: np.random.Generator) -> Rows:
    return rows.filter(pa.array(_some(rows, random, 0.45)))


def _twice(rows: Rows, _random: np.random.Generator) -> Rows:
    return pa.concat_tables([rows, rows.take(list(range(0, rows.num_rows, 4)))])


def _without_one(rows: Rows, _random: np.random.Generator) -> Rows:
    return rows.filter(pc.not_equal(rows["carrier"], "UA"))


def _turned(rows: Rows, _random: np.random.Generator) -> Rows:
    return _with(rows, "late", pc.invert(rows["late"]).combine_chunks())


# By the week that they happen in; the weeks between are quiet.
FAULTS: dict[int, tuple[str, Spoil]] = {
    1: ("distance in kilometres", _scaled),
    3: ("departures in UTC", _in_utc),
    5: ("an airport has a new code", _renamed),
    7: ("arrivals missing in one of ten", _missing),
    9: ("distance stuck in a third", _stuck),
    11: ("half of the flights lost", _lost),
    13: ("every fourth flight twice", _twice),
    15: ("one airline's flights gone", _without_one),
    17: ("what is late turns round", _turned),
}


@dataclass(frozen=True)
class Line:
    """What was said of one week."""

    week: int
    fault: str
    causes: tuple[str, ...]
    said: str


def scorecard(folder: Path = HERE, *, every: int = 2, seed: int = 0) -> list[Line]:
    """Learns, spoils, watches; every nth flight is enough."""
    random = np.random.default_rng(seed)
    rows = _flights(folder, every)
    learned = _between(rows, LEARN_FROM, WATCH_FROM)
    held = learned.filter(pc.greater_equal(learned["scheduled_at"], pa.scalar(WATCH_FROM - 6 * WEEK)))
    past = learned.filter(pc.less(learned["scheduled_at"], pa.scalar(WATCH_FROM - 6 * WEEK)))
    model = HistGradientBoostingClassifier(
        categorical_features="from_dtype", max_iter=60, min_samples_leaf=100, random_state=0
    )
    model.fit(_frame(past), past["late"].to_numpy(zero_copy_only=False))
    reference = _reference(model, learned, held)
    spans = [(WATCH_FROM + n * WEEK, WATCH_FROM + (n + 1) * WEEK) for n in range(WEEKS)]
    weeks = []
    for number, (start, end) in enumerate(spans):
        week = _between(rows, start, end)
        weeks.append(_scored(model, FAULTS[number][1](week, random) if number in FAULTS else week))
    windows = examine_series(
        weeks,
        reference,
        monitors=MONITORS,
        name="late-flights",
        roles=Roles(truth="late", time="scheduled_at"),
        spans=spans,
    )
    return [
        Line(
            week=number, fault=FAULTS[number][0] if number in FAULTS else "", causes=window.causes,
            said=window.findings[0] if window.causes else "",
        )
        for number, window in enumerate(windows)
    ]  # fmt: skip


def _flights(folder: Path, every: int) -> Rows:
    files = [*sorted((folder / "data" / "flights").glob("2013-01*.parquet")), folder / "data" / "history.parquet"]
    rows = ds.dataset(files).to_table(columns=[*INPUTS, "flight_id", "scheduled_at", "late"])
    rows = rows.filter(
        pc.equal(pc.subtract(rows["flight_id"], pc.multiply(pc.divide(rows["flight_id"], every), every)), 0)
    )
    return _with(
        rows,
        "scheduled_at",
        rows["scheduled_at"].cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC")).combine_chunks(),
    )


def _between(rows: Rows, start: datetime, end: datetime) -> Rows:
    at = rows["scheduled_at"]
    return rows.filter(pc.and_(pc.greater_equal(at, pa.scalar(start)), pc.less(at, pa.scalar(end)))).sort_by(
        "scheduled_at"
    )


def _frame(rows: Rows):
    import pandas as pd

    frame = rows.select(INPUTS).to_pandas()
    known = {"carrier": CARRIERS, "origin": ["EWR", "JFK", "LGA"]}
    return frame.assign(
        **{
            name: pd.Categorical(frame[name].where(frame[name].isin(names)), categories=names)
            for name, names in known.items()
        }
    )


CARRIERS = ["9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL", "HA", "MQ", "OO", "UA", "US", "VX", "WN", "YV"]


def _reference(model, learned: Rows, held: Rows):
    own = windows_of(learned, time="scheduled_at", period=WEEK)
    inputs = [week.select(INPUTS) for week in own]
    fitted = fit_reference(pa.concat_tables(inputs), windows=inputs)
    said, truth = model.predict_proba(_frame(held))[:, 1], held["late"].to_numpy(zero_copy_only=False).astype(int)
    fitted = replace(fitted, calibration=fit_calibration(said, truth))
    return with_outcomes(
        fitted, held.select(INPUTS), outcome_table(said, truth, is_classifier=True), is_classifier=True,
        times=held["scheduled_at"], period=WEEK,
    )  # fmt: skip


def _scored(model, week: Rows) -> Rows:
    said = model.predict_proba(_frame(week))[:, 1]
    kept = week.select([*INPUTS, "scheduled_at", "late"])
    return kept.append_column("probability", pa.array(said)).append_column("prediction", pa.array(said >= 0.5))


if __name__ == "__main__":
    lines = scorecard()
    for line in lines:
        told = ", ".join(line.causes) or ("NOT FOUND" if line.fault else "quiet")
        print(f"week {line.week:>2}  {line.fault or '-':<32} {told:<28} {line.said[:90]}")
    faults, quiet = [line for line in lines if line.fault], [line for line in lines if not line.fault]
    print()
    print(f"{sum(bool(line.causes) for line in faults)} of {len(faults)} faults found in their week")
    print(f"{sum(bool(line.causes) for line in quiet)} of {len(quiet)} weeks without one alarmed")
