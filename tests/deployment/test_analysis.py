"""The analysis of a rollout: it finds what is worse, and does not cry wolf."""

from __future__ import annotations

import random

from flyball.deployment.analysis import ArmOutcomes, Batch, NotWorse, Worse, analyse


def _day(rng: random.Random, champion: float, challenger: float, share: float = 0.1, size: int = 400) -> Batch:
    def arm(count: int, rate: float) -> ArmOutcomes:
        wrong = sum(rng.random() < rate for _ in range(count))
        return ArmOutcomes(predictions=count, labelled=count, wrong=wrong)

    return Batch(champion=arm(int(size * (1 - share)), champion), challenger=arm(int(size * share), challenger))


def test_a_version_that_is_wrong_more_often_is_found() -> None:
    rng = random.Random(1)
    finding = analyse([_day(rng, 0.2, 0.45) for _ in range(10)], alpha=0.02)
    assert isinstance(finding, Worse)
    assert "is wrong in" in finding.reason


def test_failures_count_without_any_truth() -> None:
    batch = Batch(
        champion=ArmOutcomes(predictions=900, requests=900, failed=1),
        challenger=ArmOutcomes(predictions=100, requests=100, failed=20),
    )
    finding = analyse([batch, batch], alpha=0.02)
    assert isinstance(finding, Worse)
    assert "fails in 20.0%" in finding.reason


def test_an_equally_good_version_is_seldom_called_worse_however_often_one_looks() -> None:
    alarms = 0
    for seed in range(60):
        rng = random.Random(seed)
        days = [_day(rng, 0.2, 0.2) for _ in range(12)]
        alarms += any(isinstance(analyse(days[:seen], alpha=0.05), Worse) for seen in range(1, 13))
    assert alarms <= 6


def test_without_outcomes_nothing_is_said() -> None:
    finding = analyse([], alpha=0.02)
    assert isinstance(finding, NotWorse)
    assert finding.evidence["challenger_predictions"] == 0


def test_a_challenger_that_takes_far_longer_is_found() -> None:
    batch = Batch(
        champion=ArmOutcomes(predictions=900, requests=900, slow=3),
        challenger=ArmOutcomes(predictions=100, requests=100, slow=30),
    )
    finding = analyse([batch, batch], alpha=0.02)
    assert isinstance(finding, Worse)
    assert finding.reason.startswith("it is slow in 30.0% of 200 cases, the champion in 0.3% of 1,800")


def test_a_challenger_that_is_surely_better_is_said_to_be() -> None:
    rng = random.Random(3)
    finding = analyse([_day(rng, 0.45, 0.2) for _ in range(10)], alpha=0.02)
    assert isinstance(finding, NotWorse)
    assert finding.better.startswith("it is wrong in 16.8% of 400 cases, the champion in 45.8%")


def test_an_equal_challenger_is_hardly_ever_called_better() -> None:
    alarms = 0
    for seed in range(100):
        rng = random.Random(seed)
        days = [_day(rng, 0.3, 0.3) for _ in range(12)]
        looks = [analyse(days[:seen], alpha=0.05) for seen in range(1, 13)]
        alarms += any(isinstance(look, NotWorse) and bool(look.better) for look in looks)
    assert alarms <= 5
