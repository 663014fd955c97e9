"""Tables watched like predictions, faults that only they show, and one alert for each cause."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from flyball.cli.monitor import monitor as command
from flyball.cli.monitor_tables import spark
from flyball.errors import InvalidInput
from flyball.monitoring import monitor
from flyball.monitoring.outcome_reference import fit_outcomes, outcome_table
from flyball.monitoring.profile import Reference, merge, profile
from flyball.monitoring.quality import quality
from flyball.monitoring.reference import fit_reference
from flyball.monitoring.rows import KEPT, merge_samples, sample_rows
from flyball.monitoring.spelling import near
from flyball.monitoring.tables import Roles, cut_windows, examine_series, examine_table, segments_of, windows_by_count

START = datetime(2026, 1, 5, tzinfo=UTC)


def flights(n: int, *, seed: int, **changed: Any) -> pa.Table:
    random = np.random.default_rng(seed)
    made: dict[str, Any] = {
        "temperature": random.normal(12, 8, n),
        "distance": random.gamma(2.0, 400.0, n),
        "carrier": random.choice(["UA", "B6", "EV", "Delta Air"], n),
        "seen": [START + timedelta(seconds=int(s)) for s in range(n)],
    }
    return pa.table({name: values for name, values in {**made, **changed}.items() if values is not None})


def numbers(table: pa.Table, name: str) -> Any:
    return table[name].to_numpy()


REFERENCE: Reference = fit_reference(flights(8_000, seed=0), windows=20)


def faults(table: pa.Table) -> dict[str, str]:
    return {found.kind: found.detail for found in quality(REFERENCE, profile(table, REFERENCE))}


def test_quiet_tables_have_no_faults() -> None:
    assert not any(faults(flights(400, seed=seed)) for seed in range(1, 20))


@pytest.mark.parametrize(
    ("factor", "offset", "said"),
    [(1.609344, 0, "kilometres"), (0.01, 0, "hundredth"), (1000, 0, "1000 times"), (100, 0, "100 times")],
)
def test_another_unit_is_told(factor: float, offset: float, said: str) -> None:
    table = flights(400, seed=1)
    found = faults(flights(400, seed=1, distance=numbers(table, "distance") * factor + offset))
    assert said in found["unit"]


def test_fahrenheit_is_told_from_celsius() -> None:
    table = flights(400, seed=1)
    found = faults(flights(400, seed=1, temperature=numbers(table, "temperature") * 1.8 + 32))
    assert "Fahrenheit" in found["unit"]


@pytest.mark.parametrize("shift", [3.0, 8.0, 30.0])
def test_a_shift_is_no_unit(shift: float) -> None:
    table = flights(400, seed=1)
    assert "unit" not in faults(flights(400, seed=1, temperature=numbers(table, "temperature") + shift))


def test_repeated_rows_are_told() -> None:
    table = flights(400, seed=1)
    again = pa.concat_tables([table, table.slice(0, 100)])
    assert faults(again)["duplicated"].startswith("rows that repeat another 0.0 % -> 20.0 %")


def test_columns_that_are_gone_and_new_are_told_by_name() -> None:
    found = quality(REFERENCE, profile(flights(400, seed=1, distance=None, gate=["A"] * 400), REFERENCE))
    assert [(fault.kind, fault.column) for fault in found] == [("gone", "distance"), ("new_column", "gate")]


def test_a_category_written_otherwise_is_told_with_the_known_one() -> None:
    names = numbers(flights(400, seed=1), "carrier").copy()
    names[:40] = "delta-air"
    assert "'delta-air' for 'Delta Air'" in faults(flights(400, seed=1, carrier=names))["misspelt"]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Ua", "UA"),
        ("Bostn", "Boston"),
        ("Botson", "Boston"),
        ("Zürich", "Zurich"),
        ("ZZ", None),
        ("1234", None),
        ("B7", None),
    ],
)
def test_what_is_near_to_a_known_category(name: str, known: str | None) -> None:
    assert near({name: 1}, ["UA", "B6", "Boston", "Zurich", "1235"]).get(name) == known


# Rows that repeat


@pytest.mark.parametrize("n", [10, 3_000, 200_000])
def test_samples_of_parts_merge_into_that_of_the_whole(n: int) -> None:
    table = flights(10, seed=0, temperature=np.arange(10.0), distance=np.arange(10.0)) if n == 10 else pa.table(
        {"temperature": np.arange(n) % (n // 2) * 1.0, "distance": np.arange(n) % (n // 2) * 2.0}
    )  # fmt: skip
    columns = ("temperature", "distance")
    parts = [sample_rows(part, columns) for part in (table.slice(0, n // 3), table.slice(n // 3))]
    whole = sample_rows(table, columns)
    assert merge_samples(parts) == merge_samples(parts[::-1]) == whole
    assert whole is not None
    assert whole.distinct == pytest.approx(len({*numbers(table, "temperature").tolist()}), rel=0.2)
    assert len(whole.hashes) <= KEPT


def test_profiles_with_all_of_it_merge_exactly() -> None:
    table = flights(900, seed=3, distance=numbers(flights(900, seed=3), "distance") * 50)
    parts = [profile(table.slice(0, 123), REFERENCE), profile(table.slice(123), REFERENCE)]
    assert merge(parts) == profile(table, REFERENCE)


# Windows of tables


def test_a_drifted_table_is_told_as_a_window_is() -> None:
    window = examine_table(
        flights(600, seed=1, temperature=np.random.default_rng(1).normal(18, 8, 600)), REFERENCE, name="april"
    )
    assert (window.deployment, window.causes, window.predictions) == ("april", ("drift",), 600)


def test_windows_are_cut_by_count_and_by_time() -> None:
    table = flights(1_000, seed=1)
    assert [part.num_rows for part in windows_by_count(table, rows=300)] == [300, 300, 300, 100]
    assert [part.num_rows for part in cut_windows(table, every=timedelta(seconds=200), time="seen")] == [200] * 5


def test_segments_are_the_values_of_a_column() -> None:
    parts = segments_of(flights(1_000, seed=1), "carrier")
    assert sorted(parts) == ["B6", "Delta Air", "EV", "UA"]
    assert sum(part.num_rows for part in parts.values()) == 1_000


def test_a_model_that_grows_worse_is_told_over_a_series() -> None:
    random = np.random.default_rng(0)
    windows = []
    for place in range(8):
        score = random.random(400)
        flip = random.random(400) < (0.45 if place == 7 else 0.1)
        windows.append(pa.table({"probability": score, "prediction": score >= 0.5, "truth": (score >= 0.5) ^ flip}))
    found = examine_series(windows, None, monitors=[monitor.performance("accuracy")], roles=Roles())
    assert [bool(window.causes) for window in found] == [False] * 7 + [True]


@pytest.mark.parametrize(
    "call",
    [
        lambda: windows_by_count(flights(10, seed=0), rows=0),
        lambda: cut_windows(flights(10, seed=0), every=timedelta(days=1)),
        lambda: segments_of(flights(10, seed=0), "carier"),
        lambda: examine_table(flights(10, seed=0), REFERENCE, roles=Roles(time="when")),
        lambda: examine_table(flights(10, seed=0), REFERENCE, roles=Roles(time="carrier")),
    ],
)
def test_what_cannot_be_cut_is_refused(call: Any) -> None:
    with pytest.raises(InvalidInput):
        call()


# Lateness


def test_old_values_are_told_with_how_old_they_are() -> None:
    seen = [START - timedelta(hours=30 if n % 4 == 0 else 0, minutes=n % 60) for n in range(400)]
    spec = monitor.freshness("seen", max_age="2h")
    roles = Roles(time="at")
    table = flights(400, seed=1, seen=seen).append_column("at", pa.array([START] * 400))
    window = examine_table(table, None, monitors=[spec], roles=roles)
    assert window.causes == ("freshness:seen",)
    assert window.findings[0].startswith("seen: 25.0 % of the rows are older than 2 h")


def test_fresh_values_and_texts_of_times_are_quiet() -> None:
    texts = [(START - timedelta(minutes=5)).isoformat()] * 50
    table = pa.table({"seen": texts, "at": [START] * 50})
    window = examine_table(table, None, monitors=[monitor.freshness("seen", max_age="1h")], roles=Roles(time="at"))
    assert (window.causes, window.findings) == ((), ())


def test_a_column_without_times_is_told_and_alarms_nobody() -> None:
    window = examine_table(flights(50, seed=1), None, monitors=[monitor.freshness("carrier", max_age="1h")])
    assert (window.causes, window.findings) == ((), ("freshness: column 'carrier' holds no times",))


# Outcomes


def outcomes(n: int, rate: float, *, seed: int) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    truth = random.random(n) < rate
    return np.clip(0.35 * truth + 0.65 * random.random(n), 0, 1), truth


def test_classes_that_grow_more_frequent_are_a_drift_of_the_target_and_of_what_is_predicted() -> None:
    reference = Reference(numeric=(), categorical=(), profile=REFERENCE.profile)
    from dataclasses import replace

    held = outcomes(4_000, 0.3, seed=0)
    learned = replace(reference, outcomes=fit_outcomes(outcome_table(*held, is_classifier=True)))

    def causes(rate: float) -> tuple[str, ...]:
        said, truth = outcomes(500, rate, seed=1)
        table = pa.table({"probability": said, "prediction": said >= 0.5, "truth": truth})
        specs = [monitor.prediction_drift(), monitor.target_drift()]
        return examine_table(table, learned, monitors=specs, roles=Roles()).causes

    assert causes(0.3) == ()
    assert causes(0.6) == ("prediction-drift", "target-drift")


# One alert for each cause


def test_what_a_stuck_sensor_does_is_one_alert() -> None:
    values = numbers(flights(600, seed=1), "temperature").copy()
    values[:240] = 13.37
    window = examine_table(flights(600, seed=1, temperature=values), REFERENCE)
    assert window.causes == ("quality",)
    assert any("temperature drifted" in sentence for sentence in window.findings)


def test_values_out_of_range_follow_from_a_shift() -> None:
    values = numbers(flights(600, seed=1), "temperature") + 16
    window = examine_table(flights(600, seed=1, temperature=values), REFERENCE)
    assert window.causes == ("drift",)
    assert any("temperature: above" in sentence for sentence in window.findings)


# On a terminal


def test_bars_show_numbers() -> None:
    assert spark([1, 4, None, 8]) == "▁▄·█"
    assert len(spark(list(range(100)))) <= 25


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pq.write_table(flights(2_000, seed=0), "march.parquet")
    pq.write_table(flights(800, seed=1, temperature=np.random.default_rng(1).normal(22, 8, 800)), "april.parquet")
    return tmp_path


def test_two_files_are_compared_in_a_shell(files: Path) -> None:
    done = CliRunner().invoke(command, ["table", "march.parquet", "april.parquet", "--fail"])
    assert done.exit_code == 1, done.output
    assert "temperature drifted: mean" in done.output


def test_json_holds_the_windows(files: Path) -> None:
    done = CliRunner().invoke(
        command, ["table", "march.parquet", "april.parquet", "--every", "400", "--json", "--no-joint"]
    )
    found = json.loads(done.output)
    assert [window["predictions"] for window in found] == [400, 400]
    assert all(window["causes"] == ["drift"] for window in found)


def test_a_name_that_is_nothing_is_refused(files: Path) -> None:
    done = CliRunner().invoke(command, ["table", "march.parquet", "may"])
    assert isinstance(done.exception, InvalidInput)
    assert "no file, and no dataset" in str(done.exception)
