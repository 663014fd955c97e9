"""The mathematics of chance, held against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from flyball.monitoring import significance


@pytest.mark.parametrize("degrees", [1, 2, 5, 20, 100, 500])
def test_the_chi_square_tail_is_right_from_the_middle_to_far_out(degrees: int) -> None:
    for value in (0.01, 0.5 * degrees, degrees, 1.5 * degrees, 3 * degrees + 10, 1200):
        expected = stats.chi2.sf(value, degrees)
        assert significance.chi_square_tail(value, degrees) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_the_chi_square_quantile_is_within_a_per_cent() -> None:
    for degrees in (2, 5, 20, 100):
        for share in (0.5, 0.9, 0.99):
            expected = stats.chi2.ppf(share, degrees)
            assert significance.chi_square_quantile(share, degrees) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    ("hits", "sample", "marked", "total"),
    [
        (3, 100, 4, 1000),
        (0, 5, 5, 10),
        (60, 500, 90, 1000),
        (5, 4, 9, 20),
        (9, 10, 9, 12),
        (80, 10**5, 400, 10**6),
        (10, 10**5, 10**6, 2 * 10**6),
    ],
)
def test_the_hypergeometric_tail_is_right(hits: int, sample: int, marked: int, total: int) -> None:
    expected = stats.hypergeom.sf(hits - 1, total, marked, sample)
    found = significance.hypergeometric_tail(hits, sample=sample, marked=marked, total=total)
    assert found == pytest.approx(expected, rel=1e-6)


def test_false_discovery_is_that_of_scipy() -> None:
    p_values = np.random.default_rng(0).random(30) ** 3
    assert significance.false_discovery(p_values.tolist()) == pytest.approx(stats.false_discovery_control(p_values))


def test_the_g_statistic_is_that_of_scipy_where_no_cell_is_rare() -> None:
    table = np.array([[500.0, 300, 200], [60, 20, 20]])
    statistic, degrees = significance.g_statistic(*table)
    expected = stats.chi2_contingency(table, lambda_="log-likelihood", correction=False)
    assert degrees == expected.dof
    assert statistic == pytest.approx(expected.statistic, rel=0.02)  # Williams' correction is what is between


@pytest.mark.parametrize("rows", [60, 300, 5000])
@pytest.mark.parametrize("name", ["g_statistic", "trend_statistic"])
def test_p_values_of_quiet_samples_are_honest(name: str, rows: int) -> None:
    random = np.random.default_rng(rows)
    shares = random.dirichlet(np.full(24, 0.7))
    low = 0
    for _ in range(500):
        before, after = (random.multinomial(n, shares).astype(float) for n in (4000, rows))
        low += significance.chi_square_tail(*getattr(significance, name)(before, after)) < 0.05
    assert 8 <= low <= 42  # 25 are expected; about 3.5 standard deviations


def test_windows_that_differ_by_chance_alone_have_little_excess_and_others_their_own() -> None:
    random = np.random.default_rng(3)
    shares = np.full(10, 0.1)
    quiet = [random.multinomial(1000, shares).astype(float) for _ in range(30)]
    restless = [random.multinomial(1000, random.dirichlet(shares * 1000)).astype(float) for _ in range(30)]
    assert 1000 * significance.excess_variance(quiet) < 0.6
    assert 0.7 < 1000 * significance.excess_variance(restless) < 2  # the Dirichlet's own variance is one per 1000 rows
    assert significance.excess_variance(quiet[:1]) == 0
