from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from flyball.evaluation import intervals
from flyball.evaluation.metrics.base import HasInterval
from flyball.evaluation.scores import METRICS
from tests.evaluation.samples import two_classes


@pytest.mark.parametrize(("hits", "n"), [(0, 8), (3, 8), (8, 8), (990, 1000)])
def test_wilson_agrees_with_scipy(hits: int, n: int) -> None:
    expected = stats.binomtest(hits, n).proportion_ci(0.9, method="wilson")
    assert intervals.wilson(hits, n, 0.9) == pytest.approx((expected.low, expected.high))


def test_the_bootstrap_of_a_mean_has_the_error_of_a_mean() -> None:
    values = np.random.default_rng(0).exponential(size=30_000)
    spread = intervals.deviations(lambda rows: float(values[rows].mean()), len(values), seed=1)
    assert spread is not None
    assert spread.std() == pytest.approx(values.std() / np.sqrt(len(values)), rel=0.15)


def test_the_bootstrap_repeats_with_its_seed() -> None:
    values = np.arange(100.0)

    def draw(seed: int) -> tuple[float, float] | None:
        return intervals.bootstrapped(lambda rows: float(values[rows].mean()), 49.5, 100, level=0.95, seed=seed)

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


def test_a_statistic_that_is_seldom_defined_has_no_bootstrap() -> None:
    assert intervals.deviations(lambda rows: float("nan"), 50, seed=0) is None


# Chance lifts the calibration error of few rows above the true one.
ROWS = {"expected_calibration_error": 5_000}


@pytest.mark.parametrize(
    "name", [n for n, m in METRICS.all().items() if m.kind == "classification" and isinstance(m, HasInterval)]
)
def test_intervals_hold_the_true_value_as_often_as_they_say(name: str) -> None:
    metric = METRICS.get(name)
    assert isinstance(metric, HasInterval)

    def sample(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        truth, score = two_classes(n, seed=seed)
        return truth, (score > 0.5).astype(float) if metric.needs == "label" else score

    true_value = metric.compute(*sample(400_000, 10_000))
    limits = [metric.interval(*sample(ROWS.get(name, 500), seed), 0.9) for seed in range(400)]
    covered = np.mean([low <= true_value <= high for low, high in filter(None, limits)])
    assert 0.85 <= covered <= 0.95


def test_a_flawless_order_of_few_rows_is_not_called_certain() -> None:
    truth = np.array([0.0, 0, 0, 1, 1, 1])
    metric = METRICS.get("roc_auc")
    assert isinstance(metric, HasInterval)
    limits = metric.interval(truth, truth, 0.95)
    assert limits is not None
    assert limits[0] < 0.5
    assert limits[1] == 1
