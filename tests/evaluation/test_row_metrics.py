"""Metrics of one's own: functions of rows and expressions of SQL, wherever metrics are named."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flyball.errors import InvalidInput
from flyball.evaluation.own_metrics import metric
from flyball.evaluation.scores import METRICS, evaluate, find_metric

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.random(1_000) < 0.4
SCORE = np.clip(0.3 * TRUTH + RANDOM.random(1_000) * 0.7, 0, 1)
AMOUNT = RANDOM.gamma(2, 50, 1_000)
PROFIT = metric("profit", "sum(case when prediction and truth then 90 when prediction then -10 else 0 end)")


def profit() -> float:
    called = SCORE >= 0.5
    return float((90 * (called & TRUTH) - 10 * (called & ~TRUTH)).sum())


def test_an_expression_is_computed_of_the_rows() -> None:
    (found,) = evaluate(TRUTH, SCORE, metrics=[PROFIT]).metrics
    assert found.value == profit()
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_it_may_use_the_inputs() -> None:
    lost = metric("lost", "sum(amount) filter (truth and not prediction)", greater_is_better=False)
    (found,) = evaluate(TRUTH, SCORE, metrics=[lost], rows=pa.table({"amount": AMOUNT})).metrics
    assert found.value == pytest.approx(AMOUNT[TRUTH & (SCORE < 0.5)].sum())
    assert not find_metric(lost).greater_is_better


def test_it_stands_beside_metrics_of_the_house_and_by_slice() -> None:
    found = evaluate(TRUTH, SCORE, metrics=["roc_auc", PROFIT], slices={"half": ["a"] * 500 + ["b"] * 500})
    parts = [part.metrics[1].value for part in found.slices]
    assert sum(part for part in parts if part is not None) == profit()


def test_a_decorated_function_is_named_by_its_name() -> None:
    @metric(greater_is_better=False)
    def share_called(rows: pa.Table) -> float:
        return float(np.mean(rows["prediction"].to_numpy(zero_copy_only=False)))

    (found,) = evaluate(TRUTH, SCORE, metrics=["share_called"]).metrics
    assert found.value == pytest.approx(np.mean(SCORE >= 0.5))
    assert not METRICS.get("share_called").greater_is_better


def test_values_of_a_regression_are_taken_too() -> None:
    late = metric("late", "avg(case when prediction < truth then 1.0 else 0.0 end)")
    (found,) = evaluate([1.0, 2.5, 3.0, 4.0], [0.5, 3.0, 2.0, 5.0], metrics=[late], task="regression").metrics
    assert found.value == 0.5


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("roc_auc", "avg(truth)"),
        ("no name", "avg(truth)"),
        ("profit", ""),
        ("profit", "1; drop table rows"),
        ("p", "x" * 3_000),
    ],
)
def test_what_is_none_is_refused_at_once(name: str, expression: str) -> None:
    with pytest.raises(InvalidInput):
        metric(name, expression)


@pytest.mark.parametrize(
    "expression",
    ["avg(nothing)", "truth", "select 1", "(select count(*) from read_csv('/etc/passwd'))", "avg(probability"],
)
def test_what_cannot_be_computed_says_so(expression: str) -> None:
    with pytest.raises(InvalidInput, match="metric"):
        evaluate(TRUTH, SCORE, metrics=[metric("odd", expression)])


def test_an_undefined_number_is_none() -> None:
    (found,) = evaluate(TRUTH, SCORE, metrics=[metric("none", "avg(case when false then 1.0 end)")]).metrics
    assert found.value is None
