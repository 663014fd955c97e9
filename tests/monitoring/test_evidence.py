"""The decision: quiet windows stay quiet, faults are found and named."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from flyball import serialization
from flyball.errors import InvalidInput, NotFound
from flyball.monitoring.drift.base import DRIFT_METRICS
from flyball.monitoring.evidence import DriftReport, drift
from flyball.monitoring.profile import Reference, profile
from flyball.monitoring.quality import QualityFinding, quality
from flyball.monitoring.reference import fit_reference

Values = np.ndarray[Any, Any]
Fault = Callable[[dict[str, Values]], dict[str, Values]]
NAMES = np.array([f"level {i}" for i in range(30)])


def window(random: np.random.Generator, rows: int, *, day: int = 0, season: float = 0.0) -> dict[str, Values]:
    """Rows of one day; at the week's end everything is a little different by `season`."""
    move = season if day % 7 >= 5 else 0.0
    shares = 1 / np.arange(1, 31)
    shares[0] *= 1 + move
    some = random.poisson(3 + move, rows).astype(float)
    some[random.random(rows) < 0.02] = np.nan
    return {
        "amount": random.normal(50 + 10 * move, 10, rows),
        "price": np.exp(random.normal(move, 1, rows)),
        "seats": some,
        "carrier": NAMES[random.choice(30, rows, p=shares / shares.sum())],
        "delay": np.where(random.random(rows) < 0.3, 0, random.gamma(2, 2, rows)),
        "is_new": random.random(rows) < 0.2,
        "quiet": random.normal(0, 1, rows),
    }


def reference_of(random: np.random.Generator, rows: int, *, season: float = 0.0) -> Reference:
    days = [pa.table(window(random, rows, day=day, season=season)) for day in range(28)]
    return fit_reference(pa.concat_tables(days), windows=days)


def judge(reference: Reference, columns: dict[str, Values]) -> tuple[DriftReport, tuple[QualityFinding, ...]]:
    counted = profile(pa.table(columns), reference)
    return drift(reference, counted), quality(reference, counted)


@pytest.mark.parametrize(("rows", "season"), [(100, 0.0), (100, 0.5), (1000, 0.0), (1000, 0.5)])
def test_quiet_windows_stay_quiet_through_the_weeks(rows: int, season: float) -> None:
    random = np.random.default_rng(11)
    alarms = 0
    for _ in range(2):
        reference = reference_of(random, rows, season=season)
        for day in range(56):
            report, faults = judge(reference, window(random, rows, day=day, season=season))
            alarms += report.drifted or bool(faults)
    assert alarms <= 2  # of 112: the level is 1 %, the floor on the size brings it to about 0.3 %


def test_a_weekly_cycle_would_alarm_if_the_reference_had_not_learned_it() -> None:
    random = np.random.default_rng(12)
    days = [pa.table(window(random, 1000, day=day, season=0.5)) for day in range(28)]
    ignorant = fit_reference(pa.concat_tables(days))
    assert judge(ignorant, window(random, 1000, day=6, season=0.5))[0].drifted


def test_a_huge_window_does_not_alarm_for_a_change_that_does_not_matter() -> None:
    random = np.random.default_rng(13)
    reference = fit_reference(pa.table({"x": random.normal(0, 1, 200_000)}))
    (column,) = drift(reference, profile(pa.table({"x": random.normal(0.05, 1, 200_000)}), reference)).columns
    assert column.p_value < 1e-6
    assert not column.drifted
    assert column.cause == ""


REFERENCE = reference_of(np.random.default_rng(14), 1000)


def stuck(columns: dict[str, Values]) -> dict[str, Values]:
    values = columns["amount"].copy()
    values[: len(values) // 6] = 53.7
    return columns | {"amount": values}


DRIFTS: dict[str, tuple[Fault, str]] = {
    "a shift": (lambda c: c | {"amount": c["amount"] + 4}, r"amount: mean 50\.\d+ -> 5[34]\.\d+"),
    "a wider spread": (
        lambda c: c | {"amount": (c["amount"] - 50) * 1.6 + 50},
        r"amount: spread 9\.9|amount: spread 10",
    ),
    "another unit": (lambda c: c | {"price": c["price"] * 1000}, r"price: above .* -> (99\.\d|100\.0) % \(up to \d+\)"),
    "a category that grows": (
        lambda c: c | {"carrier": np.where(np.arange(len(c["carrier"])) % 6 == 0, "level 4", c["carrier"])},
        r"carrier: 'level 4' 5\.\d % -> 2\d\.\d %",
    ),
    "a flag that turns": (lambda c: c | {"is_new": c["amount"] > 50}, r"is_new: '(true|false)' \d+\.\d % -> "),
    "zeros": (
        lambda c: c | {"delay": np.where(c["amount"] > 55, 0, c["delay"])},
        r"delay: value 0: [23]\d\.\d % -> 5\d\.\d %",
    ),
}


@pytest.mark.parametrize("name", DRIFTS)
def test_drift_is_found_and_its_cause_named(name: str) -> None:
    fault, says = DRIFTS[name]
    report, _ = judge(REFERENCE, fault(window(np.random.default_rng(15), 1000)))
    assert report.drifted
    assert report.share == pytest.approx(1 / 7)
    assert report.columns[0].drifted
    assert re.search(says, report.reasons[0]), report.reasons


FAULTS: dict[str, tuple[Fault, str, str]] = {
    "missing": (
        lambda c: c | {"seats": np.where(np.arange(len(c["seats"])) % 14 == 0, np.nan, c["seats"])},
        "missing", r"missing [12]\.\d % -> [789]\.\d %",
    ),
    "gone": (lambda c: {name: values for name, values in c.items() if name != "quiet"}, "gone", r"the column is gone"),
    "another type": (lambda c: c | {"quiet": c["quiet"].astype(str)}, "unreadable", r"type 0\.0 % -> 100\.0 %"),
    "a misspelt category": (
        lambda c: c | {"carrier": np.where(np.arange(len(c["carrier"])) % 30 == 0, "Level 1", c["carrier"])},
        "misspelt", r"new level 'Level 1' 3\.\d % \(written otherwise: 'Level 1' for 'level 1'\)",
    ),
    "another unit": (lambda c: c | {"price": c["price"] * 1000}, "above", r"above .* -> "),
    "a sign": (lambda c: c | {"amount": -c["amount"]}, "below", r"below .* -> "),
    "a stuck sensor": (
        stuck, "repeated", r"a value between 5[23]\.\d+ and 5[345]\.\d+ repeats: 3\.\d % -> 1[6-9]\.\d %",
    ),
    "a dead sensor": (lambda c: c | {"amount": np.full(1000, 53.7)}, "repeated", r"53\.7 repeats: .* -> 100\.0 %"),
    "half the rows": (
        lambda c: {name: values[:400] for name, values in c.items()}, "volume", "400 rows where 1000 are usual",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_the_data_are_found_and_named(name: str) -> None:
    fault, kind, says = FAULTS[name]
    _, faults = judge(REFERENCE, fault(window(np.random.default_rng(16), 1000)))
    assert any(found.kind == kind and re.search(says, found.detail) for found in faults), faults


def test_a_shift_is_no_stuck_sensor() -> None:
    _, faults = judge(
        REFERENCE, {**window(np.random.default_rng(17), 1000), "amount": np.random.default_rng(18).normal(62, 3, 1000)}
    )
    assert not [found for found in faults if found.kind == "repeated"]


def test_a_shift_of_half_a_deviation_is_found_in_a_hundred_rows() -> None:
    random = np.random.default_rng(19)
    found = 0
    for _ in range(20):
        columns = window(random, 100)
        found += judge(REFERENCE, columns | {"amount": columns["amount"] + 5})[0].drifted
    assert found >= 14


@pytest.mark.parametrize("metric", DRIFT_METRICS.names())
def test_any_metric_may_measure_the_size(metric: str) -> None:
    columns = window(np.random.default_rng(20), 1000)
    quiet, loud = (
        drift(REFERENCE, profile(pa.table(c), REFERENCE), metric=metric)
        for c in (columns, columns | {"amount": columns["amount"] + 6})
    )
    assert not quiet.drifted
    assert loud.columns[0].column == "amount"
    assert loud.columns[0].drifted
    assert loud.columns[0].metric == metric
    used = next(each.metric for each in loud.columns if each.column == "carrier")
    assert used == (metric if "categorical" in DRIFT_METRICS.get(metric).kinds else "jensen_shannon")


def test_an_empty_window_is_no_drift_but_too_few_rows() -> None:
    empty = pa.table(window(np.random.default_rng(21), 0))
    counted = profile(empty, REFERENCE)
    report = drift(REFERENCE, counted)
    assert (report.drifted, report.n, report.columns[0].p_value) == (False, 0, 1.0)
    assert [found.kind for found in quality(REFERENCE, counted)] == ["volume"]


def test_rare_categories_of_a_small_reference_are_no_news() -> None:
    random = np.random.default_rng(22)

    def names(rows: int) -> pa.Table:
        return pa.table({"name": [f"n{i}" for i in random.zipf(1.6, rows)]})

    reference = fit_reference(names(500), columns=["name"], max_levels=1000)
    alarms = 0
    for _ in range(30):
        counted = profile(names(500), reference)
        alarms += drift(reference, counted).drifted or bool(quality(reference, counted))
    assert alarms <= 1


def test_reports_survive_json_and_strangers_are_refused() -> None:
    report, _ = judge(REFERENCE, window(np.random.default_rng(23), 300))
    assert serialization.from_json(serialization.to_json(report), DriftReport) == report
    with pytest.raises(InvalidInput, match="another reference"):
        drift(REFERENCE, fit_reference(pa.table({"amount": [1.0, 2.0]})).profile)
    with pytest.raises(NotFound, match="psi"):
        drift(REFERENCE, REFERENCE.profile, metric="psy")
