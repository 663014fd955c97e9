"""Streams of windows in which something happens from a known window on, and streams in which nothing does.

A loan-like process with eight inputs, two of them correlated, a model's probability for each row, and what turned out to be
true. Everything is drawn from seeds: the same name, size and seed give the same rows.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Frame = dict[str, npt.NDArray[np.generic]]

FIRST = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)
ONSET = 4
WINDOWS = 12
REFERENCE_WINDOWS = 28
SIZES = (200, 20_000)
LARGE = 1_000
INPUTS = ("age", "income", "distance", "balance", "temperature", "humidity", "carrier", "city", "observed_at")
_CITIES = np.array([f"city-{n:02d}" for n in range(60)])
_CITY_SHARES = (1 / np.arange(1, 61)) / (1 / np.arange(1, 61)).sum()
_CARRIERS = np.array(["UA", "B6", "EV", "DL", "AA"])
_CARRIER_SHARES = np.array([0.35, 0.25, 0.2, 0.15, 0.05])


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Windows in order of time.

    Attributes:
        windows: Tables with the inputs, `probability`, `prediction`, `truth` and the time of the prediction, `at`.
        faulty: The windows in which something is wrong, by place.
    """

    name: str
    size: int
    seed: int
    windows: tuple[pa.Table, ...]
    faulty: frozenset[int]


def _draw(random: np.random.Generator, n: int) -> Frame:
    temperature = random.normal(15, 8, n)
    balance = np.where(random.random(n) < 0.4, 0.0, random.exponential(900, n))
    return {
        "age": random.normal(42, 12, n),
        "income": np.exp(random.normal(10.3, 0.5, n)),
        "distance": random.gamma(2.0, 400.0, n),
        "balance": balance,
        "temperature": temperature,
        "humidity": 60 - 1.4 * temperature + random.normal(0, 11, n),
        "carrier": random.choice(_CARRIERS, n, p=_CARRIER_SHARES),
        "city": random.choice(_CITIES, n, p=_CITY_SHARES),
    }


def _log_odds(rows: Frame, *, age_weight: float = 0.6) -> Floats:
    age = (rows["age"].astype(float) - 42) / 12
    income = (np.log(np.maximum(rows["income"].astype(float), 1.0)) - 10.3) / 0.5
    warm = (rows["temperature"].astype(float) - 15) / 8
    hard = np.where(rows["carrier"] == "EV", 0.8, 0.0)
    found: Floats = -0.9 + age_weight * age - 0.9 * income + 0.4 * warm + hard
    return found


def _chance(log_odds: Floats) -> Floats:
    return 1 / (1 + np.exp(-log_odds))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Day:
    """What a fault may change of one window; `step` counts windows since it began, from 0."""

    rows: Frame
    random: np.random.Generator
    step: int
    before: Frame


Fault = Callable[[_Day], Frame]


def _only(day: _Day, share: float) -> npt.NDArray[np.bool_]:
    return day.random.random(len(day.rows["age"])) < share


def _abrupt(day: _Day) -> Frame:
    return {**day.rows, "age": day.rows["age"].astype(float) + 7}


def _abrupt_category(day: _Day) -> Frame:
    shares = np.array([0.2, 0.2, 0.4, 0.15, 0.05])
    return {**day.rows, "carrier": day.random.choice(_CARRIERS, len(day.rows["age"]), p=shares)}


def _gradual(day: _Day) -> Frame:
    moved = _only(day, min(1.0, (day.step + 1) / 6))
    return {**day.rows, "income": np.where(moved, day.rows["income"].astype(float) * 1.8, day.rows["income"])}


def _incremental(day: _Day) -> Frame:
    return {**day.rows, "temperature": day.rows["temperature"].astype(float) + 1.2 * (day.step + 1)}


def _recurring(day: _Day) -> Frame:
    return _abrupt(day) if day.step % 4 < 2 else day.rows


def _missing(day: _Day) -> Frame:
    return {**day.rows, "humidity": np.where(_only(day, 0.06), np.nan, day.rows["humidity"].astype(float))}


def _new_category(day: _Day) -> Frame:
    return {**day.rows, "carrier": np.where(_only(day, 0.04), "ZZ", day.rows["carrier"])}


def _misspelt(day: _Day) -> Frame:
    wrong = (day.rows["carrier"] == "UA") & _only(day, 0.15)
    return {**day.rows, "carrier": np.where(wrong, "Ua", day.rows["carrier"])}


def _unit(day: _Day) -> Frame:
    return {**day.rows, "distance": day.rows["distance"].astype(float) * 1.609}


def _factor(day: _Day) -> Frame:
    return {**day.rows, "balance": day.rows["balance"].astype(float) * 100}


def _stuck(day: _Day) -> Frame:
    return {**day.rows, "temperature": np.where(_only(day, 0.25), 17.3, day.rows["temperature"].astype(float))}


def _range(day: _Day) -> Frame:
    return {**day.rows, "age": np.where(_only(day, 0.03), 999.0, day.rows["age"].astype(float))}


def _joint(day: _Day) -> Frame:
    return {**day.rows, "humidity": day.random.permutation(day.rows["humidity"])}


def _duplicated(day: _Day) -> Frame:
    n = len(day.rows["age"])
    source = np.arange(n)
    again = _only(day, 0.25)
    source[again] = day.random.integers(0, n, int(again.sum()))
    return {name: values[source] for name, values in day.rows.items()}


def _volume(day: _Day) -> Frame:
    kept = _only(day, 0.4)
    return {name: values[kept] for name, values in day.rows.items()}


def _late(day: _Day) -> Frame:
    old = _only(day, 0.3)
    seen = day.rows["observed_at"].astype("datetime64[us]")
    hours = (day.random.integers(20, 60, len(seen)) * 3600 * 1_000_000).astype("timedelta64[us]")
    return {**day.rows, "observed_at": np.where(old, seen - hours, seen)}


def _gone(day: _Day) -> Frame:
    return {name: values for name, values in day.rows.items() if name != "balance"}


def _nothing(day: _Day) -> Frame:
    return day.rows


FAULTS: dict[str, Fault] = {
    "abrupt shift": _abrupt,
    "abrupt shift of a category": _abrupt_category,
    "gradual shift": _gradual,
    "incremental shift": _incremental,
    "recurring shift": _recurring,
    "prior shift": _nothing,
    "concept drift": _nothing,
    "broken joint": _joint,
    "missing values": _missing,
    "new category": _new_category,
    "misspelt category": _misspelt,
    "unit change": _unit,
    "factor of 100": _factor,
    "stuck sensor": _stuck,
    "out of range": _range,
    "duplicated rows": _duplicated,
    "volume": _volume,
    "late data": _late,
    "column gone": _gone,
}


def fault_stream(name: str, size: int, seed: int) -> Stream:
    """Twelve windows, eight of large ones; the fault begins with the fifth."""
    random = _random(name, size, seed)
    count = WINDOWS if size < LARGE else ONSET + 4
    windows = [_window(random, size, day, name=name, step=day - ONSET) for day in range(count)]
    faulty = [place for place in range(ONSET, count) if name != "recurring shift" or (place - ONSET) % 4 < 2]
    return Stream(name=name, size=size, seed=seed, windows=tuple(windows), faulty=frozenset(faulty))


def quiet_stream(size: int, count: int, seed: int, *, weekly: bool = False) -> Stream:
    """Windows in which nothing is wrong; with `weekly`, weekends are unlike working days, as in the reference."""
    name = "weekly season" if weekly else "quiet"
    random = _random(name, size, seed)
    windows = [_window(random, size, day, weekly=weekly) for day in range(count)]
    return Stream(name=name, size=size, seed=seed, windows=tuple(windows), faulty=frozenset())


def reference_windows(size: int, *, weekly: bool = False) -> list[pa.Table]:
    """The four weeks of windows before the streams begin."""
    random = _random("reference weekly" if weekly else "reference", size, 0)
    return [_window(random, size, day, weekly=weekly) for day in range(-REFERENCE_WINDOWS, 0)]


def _random(*key: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def _window(
    random: np.random.Generator, size: int, day: int, *, name: str = "", step: int = -1, weekly: bool = False
) -> pa.Table:
    start = FIRST + day * DAY
    n = int(random.poisson(size))
    is_prior = name == "prior shift" and step >= 0
    rows = _draw(random, 4 * n if is_prior else n)
    if weekly and start.weekday() >= 5:
        rows["temperature"] = rows["temperature"].astype(float) + 5
        fewer = random.random(len(rows["carrier"])) < 0.4
        rows["carrier"] = np.where(fewer & (rows["carrier"] == "UA"), "B6", rows["carrier"])
    log_odds = _log_odds(rows, age_weight=-0.6 if name == "concept drift" and step >= 0 else 0.6)
    truth = random.random(len(log_odds)) < _chance(log_odds)
    if is_prior:  # half of the rows are positive, those of each class are what they were
        positive, negative = np.flatnonzero(truth)[: n - n // 2], np.flatnonzero(~truth)[: n // 2]
        kept = random.permutation(np.concatenate([positive, negative]))
        rows, truth = {key: values[kept] for key, values in rows.items()}, truth[kept]
    moments = np.sort(random.integers(0, 86_400, n)) * 1_000_000
    at = np.datetime64(start.replace(tzinfo=None), "us") + moments.astype("timedelta64[us]")
    rows |= {"observed_at": at - (random.exponential(600, n) * 1e6).astype("timedelta64[us]"), "truth": truth, "at": at}
    if step >= 0:
        rows = FAULTS[name](_Day(rows=rows, random=random, step=step, before=rows))
    return _scored(rows)


def _scored(rows: Frame) -> pa.Table:
    # The model knows the relation as it was, and takes what it is given.
    log_odds = np.nan_to_num(_log_odds(rows), nan=math.log(0.4))
    probability = _chance(log_odds)
    order = np.argsort(rows["at"], kind="stable")
    table = {name: pa.array(values[order], from_pandas=True) for name, values in rows.items()}
    table |= {"probability": pa.array(probability[order]), "prediction": pa.array(probability[order] >= 0.5)}
    return pa.table(table)
