"""What accounts for a model doing worse: parts that add up, and the planted cause first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.alerts.alert import Alerts
from flyball.monitoring import monitor, readings
from flyball.monitoring.attribution import Attribution, attribute, cell_count, impact, measure, places_of
from flyball.monitoring.monitoring import Monitoring
from flyball.monitoring.profile import Reference, profile
from flyball.monitoring.reference import fit_reference
from flyball.serialization import from_json, to_json
from tests.monitoring.samples import DAY, START, Examine, Predict, inputs_of

TABLE = pa.table(
    {
        "amount": [0.0, 0.0, 0.0, 1.0, 2.5, 3.0, 7.0, None, float("nan"), -5.0, 99.0],
        "carrier": ["UA", "UA", "B6", None, "EV", "XX", "UA", "B6", "UA", "UA", "UA"],
        "is_late": [True, False, None, True, True, True, False, False, False, False, True],
    }
)


def losses(table: pa.Table, *, seed: int, hard: str = "", harder: float = 0.0) -> np.ndarray:
    """Losses around a tenth, higher for the rows of one carrier."""
    random = np.random.default_rng(seed)
    is_hard = np.array(table["carrier"].to_pylist()) == hard
    found: np.ndarray = random.exponential(0.1, table.num_rows) + harder * is_hard
    return found


@pytest.fixture(scope="module")
def reference() -> Reference:
    table = inputs_of(20_000, seed=1)
    fitted = fit_reference(table)
    return replace(fitted, losses=measure(table, losses(table, seed=1, hard="EV", harder=0.2), fitted))


def explained(reference: Reference, table: pa.Table, values: np.ndarray) -> tuple[Attribution, ...]:
    return attribute(reference, reference.losses, measure(table, values, reference))


def test_rows_lie_in_the_cells_that_a_profile_counts_them_in() -> None:
    known = pa.table(
        {"amount": [0.0] * 40 + list(range(100)), "carrier": ["UA", "B6"] * 70, "is_late": [True, False] * 70}
    )
    reference = fit_reference(known, columns=["amount", "carrier", "is_late"])
    counted = profile(TABLE, reference)
    for cells in reference.columns:
        places = np.bincount(places_of(TABLE[cells.column], cells), minlength=cell_count(cells))
        assert places.tolist() == readings.cell_counts(cells, counted.columns[cells.column]).tolist()


@given(st.lists(st.one_of(st.none(), st.floats(width=32), st.just(7.0)), max_size=40))
def test_every_row_has_the_cell_that_it_is_counted_in(values: list[float | None]) -> None:
    reference = fit_reference(pa.table({"x": [7.0] * 50 + [float(i) for i in range(200)]}))
    table = pa.table({"x": pa.array(values, pa.float64())})
    [cells] = reference.columns
    places = np.bincount(places_of(table["x"], cells), minlength=cell_count(cells))
    expected = readings.cell_counts(cells, profile(table, reference).columns["x"])
    assert places.tolist() == expected.tolist()


def test_a_column_of_another_type_is_unreadable() -> None:
    reference = fit_reference(pa.table({"x": [float(i) for i in range(200)]}))
    [cells] = reference.columns
    assert set(places_of(pa.table({"x": ["a", "b"]})["x"], cells).tolist()) == {cell_count(cells) - 1}


def test_more_rows_of_hard_cells_are_mix(reference: Reference) -> None:
    table = inputs_of(5_000, seed=2)
    shifted = table.set_column(1, "carrier", pa.array(["EV"] * 3_000 + table["carrier"].to_pylist()[3_000:]))
    found = {
        each.column: each for each in explained(reference, shifted, losses(shifted, seed=2, hard="EV", harder=0.2))
    }
    carrier = found["carrier"]
    assert carrier.cells[0].cell == "'EV'"
    assert carrier.mix == pytest.approx(carrier.change, rel=0.15)
    assert next(iter(found)) == "carrier"
    assert "'EV' (19.8 %" in carrier.sentence


def test_cells_that_got_harder_are_rate(reference: Reference) -> None:
    table = inputs_of(5_000, seed=3)
    found = explained(reference, table, losses(table, seed=3, hard="EV", harder=0.6))
    assert found[0].column == "carrier"
    assert found[0].rate == pytest.approx(found[0].change, rel=0.15)
    assert found[0].cells[0].part == pytest.approx(found[0].change, rel=0.2)


def test_the_parts_of_a_column_add_up(reference: Reference) -> None:
    table = inputs_of(5_000, seed=4, warmer=20)
    values = losses(table, seed=4, hard="UA", harder=0.3)
    for found in explained(reference, table, values):
        assert found.mix + found.rate == pytest.approx(found.change)
        before = reference.losses[found.column]
        assert found.change == pytest.approx(values.mean() - sum(before.sums) / sum(before.rows))


def test_a_fault_of_numbers_is_named_by_its_range(reference: Reference) -> None:
    table = inputs_of(5_000, seed=5)
    warm = np.array(table["temperature"]) > 65
    values = losses(table, seed=5, hard="EV", harder=0.2) + 0.5 * warm
    found = explained(reference, table, values)
    assert found[0].column == "temperature"
    assert float(found[0].cells[0].cell.split(" to ")[0]) > 60


def test_losses_of_windows_add_up(reference: Reference) -> None:
    table = inputs_of(1_000, seed=6)
    values = losses(table, seed=6)
    whole = measure(table, values, reference)
    parts = [measure(table.slice(a, 500), values[a : a + 500], reference) for a in (0, 500)]
    for name, column in whole.items():
        assert column.rows == tuple(np.add(parts[0][name].rows, parts[1][name].rows).tolist())
        assert column.sums == pytest.approx(np.add(parts[0][name].sums, parts[1][name].sums))


def test_rows_without_truth_are_passed_over(reference: Reference) -> None:
    table = inputs_of(100, seed=7)
    values = np.full(100, np.nan)
    assert explained(reference, table, values) == ()
    values[:10] = 0.1
    assert sum(measure(table, values, reference)["carrier"].rows) == 10


def test_what_drift_will_cost_is_known_without_truth(reference: Reference) -> None:
    quiet, shifted = inputs_of(5_000, seed=8), inputs_of(5_000, seed=8)
    shifted = shifted.set_column(1, "carrier", pa.array(["EV"] * 5_000))
    usual = impact(reference, reference.losses, profile(quiet, reference))
    costly = impact(reference, reference.losses, profile(shifted, reference))
    assert abs(usual["carrier"]) < 0.01
    assert costly["carrier"] == pytest.approx(0.16, abs=0.02)  # a fifth of the rows were of EV already


def test_a_reference_with_losses_can_be_kept(reference: Reference) -> None:
    assert from_json(to_json(reference), Reference) == reference


def test_the_alert_of_a_decay_says_where_it_comes_from(
    monitoring: Monitoring, predict: Predict, examine: Examine, alerts: Alerts
) -> None:
    held = inputs_of(5_000, seed=9)
    fitted = fit_reference(held)
    random = np.random.default_rng(9)

    def day(number: int, **fault: Any) -> Any:
        inputs = inputs_of(1_000, seed=20 + number)
        truth = random.random(1_000) < 0.5
        sure = np.where(truth, 0.85, 0.15) + random.normal(0, 0.05, 1_000).clip(-0.1, 0.1)
        if fault:
            turned = np.array(inputs["carrier"].to_pylist()) == "B6"
            sure = np.where(turned, 1 - sure, sure)
        at = START + number * DAY
        ids = predict({"prediction": sure > 0.5, "probability": sure}, at=at, inputs=inputs)
        monitoring.add_ground_truth("shop", ids, truth.tolist())
        window = examine(
            monitor.performance("accuracy"), start=at, champion=1, alerts=alerts,
            reference=replace(fitted, losses=measure(held, np.full(5_000, 0.025), fitted)),
        )  # fmt: skip
        monitoring.record_window(window)
        return window

    for number in range(3):
        assert day(number).findings == ()
    window = day(3, fault=True)
    assert window.attribution[0].column == "carrier"
    [alert] = alerts.list(state="active")
    assert "of it from carrier 'B6'" in alert.detail
    assert monitoring.get_window("shop", window.start.isoformat()).attribution == window.attribution
