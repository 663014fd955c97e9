from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyball.alerts.alert import Alerts
from flyball.monitoring import monitor
from flyball.monitoring.examine import examine_window, labelled_predictions
from flyball.monitoring.monitoring import Monitoring
from flyball.monitoring.profile import Reference
from flyball.monitoring.reference import fit_reference
from flyball.storage.local_objects import LocalObjects
from tests.monitoring.samples import DAY, START, Examine, Predict, inputs_of

HOUR = timedelta(hours=1)
BINARY = {"prediction": [True, False, True], "probability": [0.9, 0.2, 0.6]}


def labelled(store: LocalObjects, monitoring: Monitoring, *, with_shadow: bool = False) -> pa.Table:
    end = START + DAY
    return labelled_predictions(store, monitoring, "shop", start=START, end=end, with_shadow=with_shadow)


# Predictions with their truth


def test_rows_have_their_truth_and_their_inputs_by_plain_name(
    store: LocalObjects, monitoring: Monitoring, predict: Predict
) -> None:
    predict(BINARY, ids=["a", "b", "c"], inputs=pa.table({"x": [1.0, 2.0, 3.0]}))
    monitoring.add_ground_truth("shop", ["c", "a", "nobody's"], [False, True, True])

    rows = labelled(store, monitoring)
    assert rows["prediction_id"].to_pylist() == ["a", "b", "c"]
    assert rows["truth"].to_pylist() == [True, None, False]
    assert rows["truth"].type == rows["prediction"].type
    assert rows["x"].to_pylist() == [1.0, 2.0, 3.0]
    assert rows["model_version"].to_pylist() == [1, 1, 1]


def test_only_the_window_is_read(store: LocalObjects, monitoring: Monitoring, predict: Predict) -> None:
    for hours in (-1, 0, 23, 24):
        predict(BINARY, at=START + hours * HOUR)

    assert labelled(store, monitoring).num_rows == 6


def test_a_prediction_that_was_sent_twice_is_there_once(
    store: LocalObjects, monitoring: Monitoring, predict: Predict
) -> None:
    for _ in range(2):
        predict(BINARY, ids=["a", "b", "c"])

    assert labelled(store, monitoring).num_rows == 3


def test_shadows_are_left_out_unless_asked_for(store: LocalObjects, monitoring: Monitoring, predict: Predict) -> None:
    predict(BINARY, ids=["a", "b", "c"])
    predict(BINARY, ids=["a", "b", "c"], version=2, role="shadow")
    monitoring.add_ground_truth("shop", ["a"], [True])

    assert set(labelled(store, monitoring)["model_version"].to_pylist()) == {1}
    both = labelled(store, monitoring, with_shadow=True)
    assert both["model_version"].to_pylist() == [1, 2, 1, 2, 1, 2]
    assert both["truth"].to_pylist() == [True, True, None, None, None, None]


def test_no_predictions_are_a_table_without_rows(store: LocalObjects, monitoring: Monitoring) -> None:
    rows = labelled(store, monitoring)

    assert rows.num_rows == 0
    assert {"prediction_id", "at", "model_version", "prediction", "probability", "truth"} <= set(rows.column_names)


def test_an_input_called_like_a_column_of_the_log_keeps_its_prefix(
    store: LocalObjects, monitoring: Monitoring, predict: Predict
) -> None:
    predict(BINARY, inputs=pa.table({"truth": [1, 2, 3]}))

    rows = labelled(store, monitoring)
    assert rows["input.truth"].to_pylist() == [1, 2, 3]
    assert rows["truth"].null_count == 3


def test_inputs_that_are_not_asked_for_are_not_read(
    store: LocalObjects, monitoring: Monitoring, predict: Predict
) -> None:
    predict(BINARY, inputs=pa.table({"x": [1, 2, 3], "y": [1, 2, 3]}))

    rows = labelled_predictions(store, monitoring, "shop", start=START, end=START + DAY, inputs=["y"])
    assert "x" not in rows.column_names
    assert rows["y"].to_pylist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("said", "told", "kept"),
    [
        ([1, 0], [True, False], [1, 0]),
        ([True, False], [1, 0.0], [True, False]),
        ([1.5, 2.5], [1, 2], [1.0, 2.0]),
        (["1", "2"], [1, 2], ["1", "2"]),
        ([True, False], [True, "late"], [True, None]),
        ([True, False], [2, 1], [None, True]),
        ([3, 4], [3.5, 4.0], [None, 4]),
        ([3, 4], [10**30, 4], [None, 4]),
    ],
)
def test_truth_is_read_as_predictions_are(
    monitoring: Monitoring, predict: Predict, examine: Examine, store: LocalObjects, said: list[object],
    told: list[object], kept: list[object],
) -> None:  # fmt: skip
    predict({"prediction": said}, ids=["a", "b"])
    monitoring.add_ground_truth("shop", ["a", "b"], told)

    assert labelled(store, monitoring)["truth"].to_pylist() == kept
    unfit = kept.count(None)
    window = examine()
    assert window.labelled == 2 - unfit
    assert any(f"{unfit} labels cannot be read" in finding for finding in window.findings) == bool(unfit)


class Distant:
    """A service on a server, as far as reading truth goes: not the class itself, and asked in small parts."""

    def __init__(self, monitoring: Monitoring) -> None:
        self._monitoring = monitoring
        self.asked: list[int] = []

    def truth_of(self, deployment: str, ids: list[str]) -> dict[str, object]:
        self.asked.append(sum(len(f"&ids={name}") for name in ids))
        return self._monitoring.truth_of(deployment, ids)


def test_a_service_on_a_server_is_asked_in_addresses_of_fair_length(
    store: LocalObjects, monitoring: Monitoring, predict: Predict
) -> None:
    ids = predict({"prediction": [0.5] * 2000})
    monitoring.add_ground_truth("shop", ids, [0.5] * 2000)
    distant = Distant(monitoring)

    rows = labelled_predictions(store, distant, "shop", start=START, end=START + DAY)  # type: ignore[arg-type]  # a store by its shape alone
    assert rows["truth"].null_count == 0
    assert len(distant.asked) > 1
    assert max(distant.asked) < 8_000


# Windows


def test_a_window_counts_versions_and_labels(monitoring: Monitoring, predict: Predict, examine: Examine) -> None:
    predict(BINARY, ids=["a", "b", "c"])
    predict(BINARY, ids=["d", "e", "f"], version=10)
    monitoring.add_ground_truth("shop", ["a", "f"], [True, False])

    window = examine()
    assert (window.predictions, window.labelled) == (6, 2)
    assert window.versions == {"1": 3, "10": 3}


def test_an_empty_window_is_quiet(reference: Reference, examine: Examine, alerts: Alerts) -> None:
    monitors = [monitor.drift(), monitor.quality(), monitor.performance(), monitor.bias("carrier")]
    window = examine(*monitors, reference=reference, alerts=alerts)

    assert (window.predictions, window.drift, window.findings, window.performance) == (0, None, (), ())
    assert alerts.list() == []


def test_examining_again_finds_the_same(
    monitoring: Monitoring, predict: Predict, examine: Examine, reference: Reference
) -> None:
    ids = predict({"prediction": [0.5] * 300, "probability": np.linspace(0, 1, 300)}, inputs=inputs_of(300, warmer=13))
    monitoring.add_ground_truth("shop", ids, [float(row % 3 == 0) for row in range(300)])
    monitors = [monitor.drift(), monitor.quality(), monitor.performance(), monitor.bias("carrier")]

    assert examine(*monitors, reference=reference) == examine(*monitors, reference=reference)


@given(order=st.permutations(range(6)))
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_which_replica_wrote_first_changes_nothing(
    store: LocalObjects, monitoring: Monitoring, predict: Predict, examine: Examine, reference: Reference,
    order: list[int],
) -> None:  # fmt: skip
    scores = np.random.default_rng(1).random(60)
    inputs, ids = inputs_of(60), [f"p{row}" for row in range(60)]
    monitoring.add_ground_truth("shop", ids, [row % 2 == 0 for row in range(60)])
    found = []
    for parts in (range(6), order):
        for item in list(store.list("predictions/")):
            store.delete(item.key)
        for part in parts:
            rows = slice(10 * part, 10 * part + 10)
            answer = {"prediction": scores[rows] > 0.5, "probability": scores[rows]}
            predict(answer, ids=ids[rows], inputs=inputs.slice(10 * part, 10))
        monitors = [monitor.drift(), monitor.performance(), monitor.bias("carrier", min_group=5)]
        found.append(examine(*monitors, reference=reference))
    assert found[0] == found[1]


# Drift and quality


def test_drift_is_found_and_told_why(predict: Predict, examine: Examine, reference: Reference) -> None:
    predict({"prediction": [1.0] * 1000}, inputs=inputs_of(1000, warmer=13))

    window = examine(monitor.drift(), reference=reference)
    assert window.drift is not None
    assert window.drift.drifted
    assert window.findings[0].startswith("temperature drifted: mean 51")
    assert window.profile is not None
    assert window.profile.n == 1000


def test_a_quiet_window_has_no_findings(predict: Predict, examine: Examine, reference: Reference) -> None:
    predict({"prediction": [1.0] * 1000}, inputs=inputs_of(1000, seed=5))

    window = examine(monitor.drift(), monitor.quality(), reference=reference)
    assert window.drift is not None
    assert not window.drift.drifted
    assert (window.findings, window.quality) == ((), ())


def test_only_the_columns_asked_for_are_compared(predict: Predict, examine: Examine, reference: Reference) -> None:
    predict({"prediction": [1.0] * 1000}, inputs=inputs_of(1000, warmer=13))

    window = examine(monitor.drift(columns=["carrier", "wind"]), reference=reference)
    assert window.drift is not None
    assert [column.column for column in window.drift.columns] == ["carrier"]
    assert window.findings == ("drift: the reference has no column 'wind'",)
    assert examine(monitor.drift(columns=["wind"]), reference=reference).drift is None


def test_inputs_the_reference_does_not_know_are_passed_over(
    predict: Predict, examine: Examine, reference: Reference
) -> None:
    predict({"prediction": [1.0] * 500}, inputs=inputs_of(500).append_column("wind", pa.array(range(500))))

    window = examine(monitor.drift(), reference=reference)
    assert window.drift is not None
    assert {column.column for column in window.drift.columns} == {"temperature", "carrier"}


def test_without_logged_inputs_nothing_is_said_of_them(
    predict: Predict, examine: Examine, reference: Reference
) -> None:
    predict({"prediction": [1.0] * 500})

    window = examine(monitor.drift(), monitor.quality(), reference=reference)
    assert (window.drift, window.quality, window.findings) == (None, (), ())


def test_faults_of_the_data_are_found(predict: Predict, examine: Examine, reference: Reference) -> None:
    spelt = inputs_of(1000).to_pydict()
    spelt["carrier"][:40] = ["Ua"] * 40
    predict({"prediction": [1.0] * 1000}, inputs=pa.table(spelt))

    window = examine(monitor.quality(), reference=reference)
    assert [fault.kind for fault in window.quality] == ["misspelt"]
    assert window.findings[0].startswith("carrier: new level 'Ua' 4.0 %")


def test_too_few_rows_are_a_fault_but_not_in_the_first_window(
    monitoring: Monitoring, predict: Predict, examine: Examine, reference: Reference
) -> None:
    for day in range(2):
        predict({"prediction": [1.0] * 200}, at=START + day * DAY, inputs=inputs_of(200))

    first = monitoring.record_window(examine(monitor.quality(), reference=reference))
    assert first.findings == ()
    second = examine(monitor.quality(), start=START + DAY, reference=reference)
    assert second.findings == ("200 rows where 1000 are usual",)
    silent = examine(monitor.quality(), start=START + 2 * DAY, reference=reference)
    assert silent.findings == ("0 rows where 1000 are usual",)


def test_a_window_of_many_rows_is_examined(monitoring: Monitoring, predict: Predict, store: LocalObjects) -> None:
    random = np.random.default_rng(3)
    rows = 7_000
    columns = {f"x{place}": random.normal(size=rows) for place in range(15)}
    columns |= {f"c{place}": random.choice(["a", "b", "c"], rows) for place in range(5)}
    inputs = pa.table(columns)
    probability = random.random(rows)
    ids = predict({"prediction": probability > 0.5, "probability": probability}, inputs=inputs)
    monitoring.add_ground_truth("shop", ids, (random.random(rows) < probability).tolist())
    monitors = [monitor.drift(), monitor.quality(), monitor.performance("roc_auc", "log_loss"), monitor.bias("c0")]
    known = fit_reference(inputs, windows=10)

    window = examine_window(
        store, monitoring, deployment="shop", start=START, end=START + DAY, reference=known, monitors=monitors,
        complete=True,
    )  # fmt: skip
    assert window.predictions == window.labelled == rows
