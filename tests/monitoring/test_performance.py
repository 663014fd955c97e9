"""Performance and bias of windows, from the log and the ground truth alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from flyball.evaluation.scores import evaluate
from flyball.monitoring import monitor
from flyball.monitoring.monitoring import Monitoring
from flyball.monitoring.windows import GroupRates, Window
from tests.monitoring.samples import DAY, START, Examine, Predict

RANDOM = np.random.default_rng(7)
CHANCES = RANDOM.random(400)
LATE = RANDOM.random(400) < CHANCES


def values(window: Window) -> dict[str, float | None]:
    return {metric.name: metric.value for metric in window.performance}


def test_only_labelled_predictions_are_scored(monitoring: Monitoring, predict: Predict, examine: Examine) -> None:
    ids = predict({"prediction": CHANCES > 0.5, "probability": CHANCES})
    monitoring.add_ground_truth("shop", ids[:300], LATE[:300].tolist())

    window = examine(monitor.performance("roc_auc", "log_loss"))
    expected = evaluate(LATE[:300], CHANCES[:300], metrics=["roc_auc", "log_loss"]).metrics
    assert [metric.name for metric in window.performance] == ["roc_auc", "log_loss"]
    assert window.performance[0].value == pytest.approx(expected[0].value)
    assert {metric.n for metric in window.performance} == {300}
    assert window.performance_by_version == {"1": window.performance}


def test_metrics_are_those_of_the_task_by_default(monitoring: Monitoring, predict: Predict, examine: Examine) -> None:
    ids = predict({"prediction": CHANCES})
    monitoring.add_ground_truth("shop", ids, (CHANCES + 10).tolist())

    assert values(examine(monitor.performance()))["mae"] == pytest.approx(10)


def test_versions_are_scored_by_themselves(monitoring: Monitoring, predict: Predict, examine: Examine) -> None:
    good = predict({"prediction": LATE})
    bad = predict({"prediction": ~LATE[:60]}, version=2)
    few = predict({"prediction": LATE[:20]}, version=3)
    for ids in (good, bad, few):
        monitoring.add_ground_truth("shop", ids, LATE[: len(ids)].tolist())

    found = examine(monitor.performance("accuracy")).performance_by_version
    assert {version: metrics[0].value for version, metrics in found.items()} == {"1": 1.0, "2": 0.0}


def test_a_window_without_truth_has_no_performance(predict: Predict, examine: Examine) -> None:
    predict({"prediction": LATE})

    assert examine(monitor.performance()).performance == ()


@pytest.mark.parametrize(("labels", "shown"), [(49, False), (50, True)])
def test_an_unfinished_window_is_scored_once_it_has_enough_labels(
    monitoring: Monitoring, predict: Predict, examine: Examine, labels: int, shown: bool
) -> None:
    ids = predict({"prediction": LATE})
    monitoring.add_ground_truth("shop", ids[:labels], LATE[:labels].tolist())

    window = examine(monitor.performance("accuracy"), complete=False)
    assert bool(window.performance) is shown
    assert not window.complete


def test_late_labels_change_a_window_that_is_examined_again(
    monitoring: Monitoring, predict: Predict, examine: Examine
) -> None:
    ids = predict({"prediction": LATE})
    monitoring.add_ground_truth("shop", ids[:100], LATE[:100].tolist())
    early = monitoring.record_window(examine(monitor.performance("accuracy"), complete=False))
    monitoring.add_ground_truth("shop", ids[100:], (~LATE[100:]).tolist())
    final = monitoring.record_window(examine(monitor.performance("accuracy")))

    assert (values(early), values(final)) == ({"accuracy": 1.0}, {"accuracy": 0.25})


ANSWERS: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("true and false", {"prediction": [True, False, True, True]}, [True, False, False, True]),
    ("0 and 1", {"prediction": [1, 0, 1, 1]}, [1, 0, 0, 1]),
    ("probabilities alone", {"prediction": [0.9, 0.2, 0.7, 0.6]}, [True, False, False, True]),
    ("two names", {"prediction": ["late", "early", "late", "late"]}, ["late", "early", "early", "late"]),
    (
        "two names with probabilities",
        {"prediction": ["late", "early", "late", "late"], "probability": [0.1, 0.8, 0.4, 0.3]},
        ["late", "early", "early", "late"],
    ),
    (
        "three names with probabilities",
        {
            "prediction": ["c", "a", "b", "c"],
            "probabilities": [[0.1, 0.8, 0.1], [0.9, 0, 0.1], [0, 0.1, 0.9], [0, 1, 0]],
        },
        ["c", "a", "c", "c"],
    ),
    ("a name that only the truth has", {"prediction": ["a", "a", "a", "b"]}, ["a", "a", "c", "b"]),
]


@pytest.mark.parametrize(("answer", "truth"), [pytest.param(a, t, id=name) for name, a, t in ANSWERS])
def test_any_form_of_answer_is_scored(
    monitoring: Monitoring, predict: Predict, examine: Examine, answer: dict[str, Any], truth: list[Any]
) -> None:
    monitoring.add_ground_truth("shop", predict(answer), truth)

    window = examine(monitor.performance("accuracy"))
    assert (values(window), window.findings) == ({"accuracy": 0.75}, ())


def test_predictions_that_are_missing_are_not_scored(
    monitoring: Monitoring, predict: Predict, examine: Examine
) -> None:
    ids = predict({"prediction": [1.5, float("nan"), None, 2.5]})
    monitoring.add_ground_truth("shop", ids, [1, 1, 1, 2])

    (found,) = examine(monitor.performance("mae")).performance
    assert (found.value, found.n) == (0.5, 2)


def test_a_metric_of_another_task_is_told_and_breaks_nothing(
    monitoring: Monitoring, predict: Predict, examine: Examine
) -> None:
    monitoring.add_ground_truth("shop", predict({"prediction": [1.5, 2.5]}), [1, 2])

    window = examine(monitor.performance("roc_auc"))
    assert window.performance == ()
    assert window.findings[0].startswith("performance could not be scored: The truth of 2 classes holds 2")


def test_a_version_that_does_worse_than_it_used_to_is_told(
    monitoring: Monitoring, predict: Predict, examine: Examine
) -> None:
    found = []
    for day, wrong in enumerate([20, 25, 120, 30]):
        said = LATE.copy()
        said[:wrong] = ~said[:wrong]
        ids = predict({"prediction": said}, at=START + day * DAY)
        monitoring.add_ground_truth("shop", ids, LATE.tolist())
        look = examine(monitor.performance("accuracy"), start=START + day * DAY)
        found.append(monitoring.record_window(look).findings)

    assert found == [(), (), ("accuracy of version 1: usually 0.944, now 0.700",), ()]


# Bias


def groups(window: Window) -> dict[str, GroupRates]:
    return {rates.group: rates for rates in window.bias}


def two_groups(predict: Predict, *, n: int = 200, share: float = 0.5) -> tuple[list[str], list[bool]]:
    """One group is approved as often as not; of the other, that share of it as many."""
    said = [row < n / 2 for row in range(n)] + [row < n / 2 * share for row in range(n)]
    return predict({"prediction": said}, inputs=pa.table({"town": ["a"] * n + ["b"] * n})), said


def test_each_group_has_its_rates(monitoring: Monitoring, predict: Predict, examine: Examine) -> None:
    ids, said = two_groups(predict)
    truth = [not one if row % 10 == 0 else one for row, one in enumerate(said)]
    monitoring.add_ground_truth("shop", ids, truth)

    found = groups(examine(monitor.bias("town")))
    assert (found["a"].n, found["a"].labelled, found["a"].positive_rate) == (200, 200, 0.5)
    assert (found["b"].positive_rate, found["b"].ratio, found["b"].is_apart) == (0.25, 0.5, True)
    assert found["b"].accuracy == 0.9
    assert found["b"].true_positive_rate == pytest.approx(45 / 60)
    assert found["b"].false_positive_rate == pytest.approx(5 / 140)


def test_a_group_below_four_fifths_is_told(predict: Predict, examine: Examine) -> None:
    two_groups(predict)

    assert examine(monitor.bias("town")).findings == ("town b: positive rate 0.250, 0.50 of the best group's",)


@pytest.mark.parametrize(("n", "share"), [(2000, 0.85), (60, 0.7)], ids=["four fifths and more", "chance"])
def test_a_group_within_four_fifths_or_chance_is_not(predict: Predict, examine: Examine, n: int, share: float) -> None:
    two_groups(predict, n=n, share=share)

    window = examine(monitor.bias("town"))
    assert window.findings == ()
    assert groups(window)["b"].ratio == pytest.approx(share)


def test_small_groups_are_shown_and_not_judged(predict: Predict, examine: Examine) -> None:
    two_groups(predict, n=40)

    window = examine(monitor.bias("town"))
    assert [(rates.group, rates.n, rates.ratio) for rates in window.bias] == [("(other)", 80, None)]


def test_rates_of_truth_are_judged_by_their_own_rows(
    monitoring: Monitoring, predict: Predict, examine: Examine
) -> None:
    ids, said = two_groups(predict)
    monitoring.add_ground_truth("shop", ids[:230], said[:230])

    found = groups(examine(monitor.bias("town", metric="accuracy")))
    assert (found["b"].labelled, found["b"].ratio) == (30, None)


def test_false_alarms_are_worse_the_more_there_are(monitoring: Monitoring, predict: Predict, examine: Examine) -> None:
    ids, _ = two_groups(predict)
    monitoring.add_ground_truth("shop", ids, [False] * 400)

    window = examine(monitor.bias("town", metric="false_positive_rate"))
    assert groups(window)["a"].is_apart
    assert groups(window)["b"].ratio == 1.0
    assert window.findings == ("town a: false positive rate 0.500, the best group's is 0.50 of it",)


def test_numbers_have_groups_by_class_alone(predict: Predict, examine: Examine) -> None:
    predict({"prediction": [1.5, 2.5] * 100}, inputs=pa.table({"town": ["a", "b"] * 100}))

    assert {rates.positive_rate for rates in examine(monitor.bias("town")).bias} == {None}


def test_a_column_that_was_not_logged_is_told(predict: Predict, examine: Examine) -> None:
    two_groups(predict)

    assert examine(monitor.bias("city")).findings == ("bias: no input 'city' was logged",)
