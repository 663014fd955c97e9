from __future__ import annotations

import pickle
from typing import cast

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest

from flyball.errors import InvalidInput
from flyball.evaluation.metrics.base import Task
from flyball.evaluation.scores import Evaluation, MetricValue, evaluate
from tests.evaluation.samples import many_classes, two_classes


def _by_name(evaluation: Evaluation) -> dict[str, MetricValue]:
    return {metric.name: metric for metric in evaluation.metrics}


def test_the_usual_metrics_of_two_classes() -> None:
    truth, score = two_classes(500)
    found = evaluate(truth, score)
    assert found.task == "classification"
    assert found.primary == "roc_auc"
    assert found.positive_rate == pytest.approx(truth.mean())
    assert {"roc_auc", "log_loss", "brier", "accuracy", "f1"} <= set(_by_name(found))
    assert all(m.low is not None and m.value is not None and m.low <= m.value for m in found.metrics)


def test_the_usual_metrics_of_values() -> None:
    truth = np.random.default_rng(0).normal(size=100)
    found = evaluate(truth, truth + 0.1)
    assert (found.task, found.primary, found.positive_rate) == ("regression", "rmse", None)
    assert _by_name(found)["rmse"].value == pytest.approx(0.1)


def test_many_classes_have_the_metrics_that_take_them() -> None:
    found = evaluate(*many_classes(300))
    assert list(_by_name(found)) == ["roc_auc", "log_loss", "accuracy", "f1"]
    assert found.positive_rate is None
    assert all(m.low is not None and m.value is not None and m.low < m.value for m in found.metrics)


def test_a_matrix_of_two_columns_means_the_second() -> None:
    truth, score = two_classes(100)
    assert evaluate(truth, np.column_stack([1 - score, score])) == evaluate(truth, score)


def test_the_first_metric_asked_for_is_the_primary_one() -> None:
    truth, score = two_classes(100)
    found = evaluate(truth, score, metrics=["brier", "roc_auc", "brier"])
    assert found.primary == "brier"
    assert [metric.name for metric in found.metrics] == ["brier", "roc_auc"]


def test_the_threshold_decides_what_counts_as_called() -> None:
    truth, score = two_classes(200)
    low, high = (_by_name(evaluate(truth, score, threshold=t))["recall"].value for t in (0.1, 0.9))
    assert low is not None
    assert high is not None
    assert low > high


@pytest.mark.parametrize("wrap", [list, pd.Series, pa.array, lambda v: v.astype(bool), lambda v: v.astype(object)])
def test_truth_may_come_in_any_form_that_numpy_reads(wrap: object) -> None:
    truth, score = two_classes(60)
    assert evaluate(cast("npt.ArrayLike", wrap(truth)), score) == evaluate(truth, score)  # type: ignore[operator]  # the cases are functions


def test_a_metric_without_meaning_on_these_rows_is_none_in_json() -> None:
    found = evaluate([1, 1, 1], [0.5, 0.6, 0.7], metrics=["roc_auc", "log_loss"])
    assert _by_name(found)["roc_auc"] == MetricValue(name="roc_auc", value=None, low=None, high=None, n=3)
    data = msgspec.json.encode(found)
    assert b'"value":null' in data
    assert msgspec.json.decode(data, type=Evaluation) == found


def test_an_evaluation_goes_through_json_and_pickle() -> None:
    truth, score = two_classes(300)
    found = evaluate(truth, score, slices={"half": ["a", "b"] * 150})
    assert msgspec.json.decode(msgspec.json.encode(found), type=Evaluation) == found
    assert pickle.loads(pickle.dumps(found)) == found


def test_slices_score_their_own_rows_and_add_up() -> None:
    truth, score = two_classes(300)
    names = ["a"] * 200 + ["b"] * 80 + ["c"] * 12 + [None] * 8
    found = evaluate(truth, score, slices={"name": names})
    assert [(s.column, s.value, s.n) for s in found.slices] == [
        ("name", "a", 200),
        ("name", "b", 80),
        ("name", "(other)", 12),
        ("name", "(missing)", 8),
    ]
    assert found.slices[0].metrics == evaluate(truth[:200], score[:200]).metrics
    assert found.slices[2].metrics == ()


def test_an_interval_without_closed_form_is_bootstrapped_and_repeats_with_its_seed() -> None:
    truth, probability = many_classes(200)
    f1 = _by_name(evaluate(truth, probability, metrics=["f1"], seed=1))["f1"]
    assert f1 == _by_name(evaluate(truth, probability, metrics=["f1"], seed=1))["f1"]
    assert f1 != _by_name(evaluate(truth, probability, metrics=["f1"], seed=2))["f1"]


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        ([1, 0, 1], [0.5, 0.5], "3 rows of truth and 2 of predictions"),
        ([], [], "no rows"),
        ([1, None, 0], [0.1, 0.2, 0.3], "truth is missing in 1 of 3"),
        ([1.0, float("nan")], [0.1, 0.2], "truth is missing in 1 of 2"),
        ([1, 0], [0.1, float("nan")], "prediction is missing in 1 of 2"),
        ([1, 0], [0.1, float("inf")], "infinite"),
        (["yes", "no"], [0.1, 0.2], "not numbers"),
        ([1, 0], [0.1, 1.2], "1.2, outside 0 to 1"),
        ([1, 2] * 10, [0.1, 0.2] * 10, "classes or values"),
        ([0, 1, 5], [[0.2, 0.3, 0.5]] * 3, "truth of 3 classes holds 5"),
        ([0, 1, 2], [[0.2, 0.3, 0.9]] * 3, "do not add up"),
        ([[0], [1]], [0.1, 0.2], "shape"),
        ([0, 1], [[0.1], [0.2, 0.3]], "different lengths"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_hint(truth: object, prediction: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        evaluate(cast("npt.ArrayLike", truth), cast("npt.ArrayLike", prediction))
    assert caught.value.hint


def test_the_missing_value_of_pandas_is_missing() -> None:
    with pytest.raises(InvalidInput, match="missing in 1 of 2"):
        evaluate(pd.array([1, None], dtype="Int64"), [0.1, 0.2])


@pytest.mark.parametrize(
    ("metrics", "task", "message"),
    [
        (["roc_acu"], None, "Did you mean 'roc_auc'"),
        (["rmse"], None, "for regression, and this is classification. Use one of: roc_auc"),
        ([], None, "No metric"),
        (["mae"], "clasification", "Did you mean 'classification'"),
    ],
)
def test_a_wrong_metric_or_task_is_refused(metrics: list[str], task: Task | None, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        evaluate([0, 1], [0.1, 0.9], metrics=metrics, task=task)


def test_a_metric_of_two_classes_is_refused_for_many() -> None:
    with pytest.raises(InvalidInput, match="for two classes, and here are 4") as caught:
        evaluate(*many_classes(20), metrics=["brier"])
    assert "log_loss" in caught.value.hint


def test_a_slice_column_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'carrier' has 1 rows, the truth 2"):
        evaluate([0, 1], [0.1, 0.9], slices={"carrier": ["UA"]})


@pytest.mark.parametrize("task", ["regression", None])
def test_a_task_that_is_said_is_kept(task: Task | None) -> None:
    assert evaluate([0, 1], [0.1, 0.9], task=task).task == (task or "classification")
