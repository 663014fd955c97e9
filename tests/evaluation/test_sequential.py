"""The canary's test: it may be asked after every batch."""

from __future__ import annotations

import math

import numpy as np
import pytest

from flyball import serialization
from flyball.errors import InvalidInput
from flyball.evaluation.sequential import Outcomes, SequentialTest


def first_alarm(
    random: np.random.Generator, *, champion: float, canary: float, batches: int, split: tuple[int, int] = (20, 20)
) -> int | None:
    """Requests of the canary until it is called worse; None if it never is."""
    test = SequentialTest()
    old, new = split
    for batch in range(batches):
        test = test.after(
            champion=Outcomes(n=old, bad=int(random.binomial(old, champion))),
            canary=Outcomes(n=new, bad=int(random.binomial(new, canary))),
        )
        if test.is_worse(alpha=0.05):
            return (batch + 1) * new
    return None


@pytest.mark.parametrize(("rate", "split"), [(0.01, (20, 20)), (0.3, (20, 20)), (0.05, (95, 5))])
def test_healthy_canaries_are_seldom_called_worse_however_often_one_looks(rate: float, split: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    runs = 300
    alarms = [first_alarm(random, champion=rate, canary=rate, batches=60, split=split) for _ in range(runs)]
    assert sum(alarm is not None for alarm in alarms) <= 0.05 * runs


def test_one_per_cent_to_five_is_found_within_five_hundred_requests() -> None:
    random = np.random.default_rng(2)
    alarms = [first_alarm(random, champion=0.01, canary=0.05, batches=25) for _ in range(200)]
    assert sum(alarm is not None for alarm in alarms) >= 0.8 * 200


def test_a_broken_canary_is_found_at_once() -> None:
    random = np.random.default_rng(3)
    alarms = [first_alarm(random, champion=0.01, canary=1.0, batches=3) for _ in range(50)]
    assert all(alarm is not None and alarm <= 20 for alarm in alarms)


def test_a_better_canary_is_not_called_worse() -> None:
    random = np.random.default_rng(4)
    assert first_alarm(random, champion=0.2, canary=0.1, batches=100) is None


def test_a_rate_that_wanders_for_both_is_no_alarm() -> None:
    random = np.random.default_rng(5)
    alarms = 0
    for _ in range(100):
        test = SequentialTest()
        for rate in np.linspace(0.01, 0.3, 30):
            old, new = 100, int(random.integers(5, 100))
            test = test.after(
                champion=Outcomes(n=old, bad=int(random.binomial(old, rate))),
                canary=Outcomes(n=new, bad=int(random.binomial(new, rate))),
            )
        alarms += test.is_worse()
    assert alarms <= 5


def test_the_e_value_of_one_batch_is_one_on_average() -> None:
    from scipy import stats

    chances = stats.hypergeom(60, 9, 20)
    mean = sum(
        chances.pmf(k)
        * SequentialTest().after(champion=Outcomes(n=40, bad=9 - k), canary=Outcomes(n=20, bad=k)).e_value
        for k in range(10)
    )
    assert mean == pytest.approx(1)


def test_outcomes_of_one_side_wait_for_the_other() -> None:
    alone = SequentialTest().after(champion=Outcomes(), canary=Outcomes(n=30, bad=20))
    assert alone.e_value == 1
    both = alone.after(champion=Outcomes(n=30), canary=Outcomes())
    at_once = SequentialTest().after(champion=Outcomes(n=30), canary=Outcomes(n=30, bad=20))
    assert both == at_once
    assert both.p_value == pytest.approx(1 / both.e_value)


def test_a_verdict_is_not_taken_back() -> None:
    test = SequentialTest().after(champion=Outcomes(n=50), canary=Outcomes(n=50, bad=25))
    for _ in range(50):
        test = test.after(champion=Outcomes(n=50, bad=5), canary=Outcomes(n=50, bad=1))
    assert test.e_value < 1
    assert test.is_worse()


def test_huge_counts_stay_finite_and_the_state_survives_json() -> None:
    test = SequentialTest().after(champion=Outcomes(n=10**6, bad=1000), canary=Outcomes(n=10**5, bad=5000))
    assert math.isfinite(test.e_value)
    assert serialization.from_json(serialization.to_json(test), SequentialTest) == test


def test_more_bad_than_all_is_refused() -> None:
    with pytest.raises(InvalidInput, match="3 bad outcomes of 2"):
        Outcomes(n=2, bad=3)
