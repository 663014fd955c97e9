"""The contract of every drift metric, and the value of each where it is known."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from flyball.monitoring.drift.base import DRIFT_METRICS, Cells, DriftMetric

METRICS = DRIFT_METRICS.names()


@pytest.fixture(params=METRICS)
def metric(request: pytest.FixtureRequest) -> DriftMetric:
    return DRIFT_METRICS.get(request.param)


def cells(*counts: float, positions: tuple[float, ...] | None = None) -> Cells:
    places = tuple(range(len(counts))) if positions is None else positions
    return Cells(counts=np.array(counts, dtype=np.float64), positions=np.array(places, dtype=np.float64))


def normal(*, mean: float, n: int = 10_000) -> Cells:
    edges = np.linspace(-8, 8, 81)
    shares = np.diff(stats.norm(mean).cdf(edges))
    return Cells(counts=shares * n, positions=(edges[:-1] + edges[1:]) / 2)


def test_the_metrics_of_the_house_are_found() -> None:
    assert METRICS == [
        "chi_square", "energy", "hellinger", "jensen_shannon", "kolmogorov_smirnov", "psi", "total_variation",
        "wasserstein",
    ]  # fmt: skip


def test_equal_shares_are_no_distance(metric: DriftMetric) -> None:
    assert metric.distance(normal(mean=0), normal(mean=0, n=9000)) == pytest.approx(0, abs=1e-4)


def test_it_is_symmetric_and_grows_with_the_shift(metric: DriftMetric) -> None:
    distances = [metric.distance(normal(mean=0), normal(mean=shift)) for shift in (0, 0.2, 0.5, 1, 2)]
    assert all(one < other for one, other in pairwise(distances))
    assert distances[3] == pytest.approx(metric.distance(normal(mean=1), normal(mean=0)))


def test_a_shift_of_half_a_deviation_matters_and_one_of_a_twentieth_does_not(metric: DriftMetric) -> None:
    assert metric.distance(normal(mean=0), normal(mean=0.5)) > metric.threshold
    assert metric.distance(normal(mean=0), normal(mean=0.05)) < metric.threshold


def test_disjoint_and_empty_samples_give_finite_numbers(metric: DriftMetric) -> None:
    for one, other in [((10, 0), (0, 10)), ((0, 0), (0, 10)), ((10, 0), (0, 0)), ((0, 0), (0, 0))]:
        distance = metric.distance(cells(*one), cells(*other))
        assert math.isfinite(distance)
        assert distance >= 0


def test_it_names_the_kinds_it_compares_and_its_source(metric: DriftMetric) -> None:
    import sys

    assert metric.kinds in ({"numeric"}, {"numeric", "categorical"})
    text = sys.modules[type(metric).__module__].__doc__ or ""
    assert "Source:" in text
    assert "\n    " in text


def test_metrics_that_compare_categories_need_no_positions(metric: DriftMetric) -> None:
    if "categorical" in metric.kinds:
        assert metric.distance(cells(5, 5, positions=()), cells(9, 1, positions=())) > 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("total_variation", 0.3),
        ("kolmogorov_smirnov", 0.3),
        ("hellinger", math.sqrt(1 - (math.sqrt(0.5 * 0.2) + math.sqrt(0.3 * 0.5) + math.sqrt(0.2 * 0.3)))),
        ("psi", 0.3 * math.log(0.5 / 0.2) + 0.2 * math.log(0.5 / 0.3) + 0.1 * math.log(0.3 / 0.2)),
        ("chi_square", math.sqrt((0.09 / 0.7 + 0.04 / 0.8 + 0.01 / 0.5) / 2)),
        ("wasserstein", 0.3 * 1 + 0.1 * 1),
        ("energy", math.sqrt(2 * (0.09 + 0.01))),
    ],
)
def test_its_value_is_that_of_the_formula(name: str, expected: float) -> None:
    before, after = cells(5e6, 3e6, 2e6), cells(2e6, 5e6, 3e6)
    assert DRIFT_METRICS.get(name).distance(before, after) == pytest.approx(expected, rel=1e-5)


def test_jensen_shannon_is_that_of_scipy() -> None:
    from scipy.spatial.distance import jensenshannon

    before, after = cells(5, 3, 2, 0), cells(0, 5, 3, 2)
    expected = jensenshannon(before.counts, after.counts, base=2)
    assert DRIFT_METRICS.get("jensen_shannon").distance(before, after) == pytest.approx(expected)


def test_wasserstein_and_energy_are_those_of_scipy() -> None:
    before, after = cells(5, 3, 2), cells(1, 5, 4, positions=(-1.5, 1, 7))
    places = before.positions, after.positions, before.counts, after.counts
    assert DRIFT_METRICS.get("wasserstein").distance(before, after) == pytest.approx(
        stats.wasserstein_distance(*places)
    )
    assert DRIFT_METRICS.get("energy").distance(before, after) == pytest.approx(stats.energy_distance(*places))


def test_missing_values_have_no_place_on_the_line() -> None:
    before, after = cells(5, 5, 0, positions=(0, 1)), cells(3, 3, 90, positions=(0, 1))
    for name in ("kolmogorov_smirnov", "wasserstein", "energy"):
        assert DRIFT_METRICS.get(name).distance(before, after) == 0
