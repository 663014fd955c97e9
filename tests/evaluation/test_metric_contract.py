"""What every metric keeps, those of third parties too."""

from __future__ import annotations

import importlib
import inspect
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flyball.evaluation.metrics.base import HasInterval, Metric
from flyball.evaluation.scores import METRICS
from tests.evaluation.samples import Values, many_classes, two_classes


@pytest.fixture(params=METRICS.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def metric(name: str) -> Metric:
    return METRICS.get(name)


def _given(metric: Metric, truth: Values, noise: float) -> Values:
    """A prediction that is the further from the truth the more noise there is."""
    random = np.random.default_rng(1)
    if metric.needs == "value":
        return truth + noise * random.normal(size=len(truth))
    if metric.needs == "label":
        return np.where(random.random(len(truth)) < noise / 2, 1 - truth, truth)
    return np.abs(truth - noise * random.random(len(truth)))


def _truth(metric: Metric, n: int = 400) -> Values:
    truth, value = two_classes(n)
    return truth if metric.kind == "classification" else 1 + value


def test_a_class_bears_the_name_of_its_file(name: str, metric: Metric) -> None:
    assert type(metric).__name__.lower() == name.replace("_", "")


def test_a_docstring_gives_formula_and_source(metric: Metric) -> None:
    page = inspect.getdoc(importlib.import_module(type(metric).__module__)) or ""
    assert "\n    " in page
    assert " = " in page
    assert "Source: " in page


def test_a_perfect_prediction_scores_best_and_a_worse_one_worse(metric: Metric) -> None:
    truth = _truth(metric)
    scores = [metric.compute(truth, _given(metric, truth, noise)) for noise in (0.0, 0.7, 0.9)]
    assert scores == sorted(scores, reverse=metric.greater_is_better)
    assert len(set(scores)) == 3
    assert scores[0] == pytest.approx(1.0 if metric.greater_is_better else 0.0, abs=1e-9)


def test_the_page_of_the_room_names_it(name: str) -> None:
    page = Path(__file__).parents[2] / "docs" / "evaluation.md"
    assert f"\n| `{name}` |" in page.read_text(encoding="utf-8")


def test_the_order_of_the_rows_does_not_matter(metric: Metric) -> None:
    truth = _truth(metric)
    prediction = _given(metric, truth, 0.7)
    assert metric.compute(truth[::-1], prediction[::-1]) == pytest.approx(metric.compute(truth, prediction))


@pytest.mark.parametrize("fill", [0.0, 1.0])
@pytest.mark.parametrize("n", [1, 2, 30])
def test_a_truth_and_prediction_without_variation_give_a_number_or_nan(metric: Metric, n: int, fill: float) -> None:
    truth = np.full(n, fill)
    assert isinstance(metric.compute(truth, truth), float)
    assert isinstance(metric.compute(truth, np.full(n, 0.0)), float)
    assert isinstance(metric.compute(truth, np.full(n, 1.0)), float)


def test_no_rows_give_nan(metric: Metric) -> None:
    assert math.isnan(metric.compute(np.empty(0), np.empty(0)))


@pytest.mark.parametrize("n", [1, 2, 3, 30])
@pytest.mark.parametrize("noise", [0.0, 0.7])
@pytest.mark.parametrize("name", [name for name, metric in METRICS.all().items() if isinstance(metric, HasInterval)])
def test_an_interval_holds_the_value_or_is_not_given(name: str, n: int, noise: float) -> None:
    metric = METRICS.get(name)
    assert isinstance(metric, HasInterval)
    truth = _truth(metric, n)
    prediction = _given(metric, truth, noise)
    value, limits = metric.compute(truth, prediction), metric.interval(truth, prediction, 0.95)
    if limits is not None and not math.isnan(value):
        assert limits[0] - 1e-9 <= value <= limits[1] + 1e-9


@pytest.mark.parametrize("name", [name for name, metric in METRICS.all().items() if metric.multiclass])
def test_a_metric_of_many_classes_prefers_the_better_matrix(name: str) -> None:
    metric = METRICS.get(name)
    truth, probability = many_classes(500)
    best = np.eye(4)[truth.astype(int)]
    given = np.eye(4)[probability.argmax(axis=1)] if metric.needs == "label" else probability
    better, worse = metric.compute(truth, best), metric.compute(truth, given)
    assert (better > worse) == metric.greater_is_better


def test_importing_the_room_imports_no_numpy() -> None:
    modules = "scores, compare, slices, sample, intervals, ranking"
    code = f"import sys; from flyball.evaluation import {modules}; from flyball.evaluation.scores import METRICS; "
    code += "METRICS.all(); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
