from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
import pytest
from scipy import stats

from flyball.errors import InvalidInput
from flyball.evaluation.compare import Comparison, compare
from flyball.evaluation.ranking import ranked_area
from flyball.evaluation.scores import METRICS
from tests.evaluation.samples import many_classes, two_models

CLASSIFYING = [name for name, metric in METRICS.all().items() if metric.kind == "classification"]
# A stronger model is not a better calibrated one.
ORDERING = [name for name in CLASSIFYING if name != "expected_calibration_error"]


def test_influences_give_delongs_covariance() -> None:
    truth, first, second = two_models(60, seed=3)
    first, second = first.round(1), second.round(1)  # with ties
    positive, negative = truth == 1, truth == 0

    def placements(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        wins = np.sign(score[positive][:, None] - score[negative][None, :]) / 2 + 0.5
        return wins.mean(axis=1), wins.mean(axis=0)

    (new10, new01), (old10, old01) = placements(first), placements(second)
    variance = (new10 - old10).var(ddof=1) / positive.sum() + (new01 - old01).var(ddof=1) / negative.sum()
    new, old = ranked_area(truth, first), ranked_area(truth, second)
    assert new.area == pytest.approx(new10.mean())
    assert ((new.influence - old.influence) ** 2).sum() == pytest.approx(variance)


def test_mcnemar_is_the_mid_p_of_a_binomial() -> None:
    # The candidate alone is right in 9 rows, the champion alone in 3.
    truth = np.ones(40)
    candidate, champion = np.ones(40), np.ones(40)
    champion[:9], candidate[9:12] = 0, 0
    found = compare(truth, candidate, champion, metric="accuracy")
    expected = stats.binom.sf(9, 12, 0.5) + stats.binom.pmf(9, 12, 0.5) / 2
    assert found.method == "McNemar"
    assert found.p_value == pytest.approx(expected)
    assert found.difference == pytest.approx(6 / 40)


@pytest.mark.parametrize("metric", ORDERING)
def test_a_clearly_better_candidate_is_called_better_and_the_other_way_round_worse(metric: str) -> None:
    truth, strong, weak = two_models(4_000, seed=0, candidate=2.0, champion=0.3)
    found, turned = compare(truth, strong, weak, metric=metric), compare(truth, weak, strong, metric=metric)
    assert (found.verdict, turned.verdict) == ("better", "worse")
    assert found.low > 0 > turned.high
    assert found.difference == pytest.approx(-turned.difference)
    assert (found.candidate, found.champion) == (turned.champion, turned.candidate)


@pytest.mark.parametrize("metric", CLASSIFYING)
def test_a_model_is_undecided_beside_itself(metric: str) -> None:
    truth, score, _ = two_models(500, seed=0)
    found = compare(truth, score, score, metric=metric)
    assert found.verdict == "undecided"
    assert found.p_value == pytest.approx(0.5)
    assert found.difference == 0


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2", "mape"])
def test_values_are_compared_too(metric: str) -> None:
    random = np.random.default_rng(0)
    truth = 10 + random.normal(size=600)
    found = compare(truth, truth + 0.5 * random.normal(size=600), truth + random.normal(size=600), metric=metric)
    assert found.verdict == "better"


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "accuracy", "f1"])
def test_many_classes_are_compared_too(metric: str) -> None:
    truth, probability = many_classes(600)
    blurred = 0.5 * probability + 0.5 * np.random.default_rng(1).permuted(probability, axis=1)
    assert compare(truth, probability, blurred, metric=metric).verdict == "better"


# Standard error of a share of 0.05 in 1,000 trials: 0.007; in 300 trials: 0.013.
@pytest.mark.parametrize(("metric", "trials", "low", "high"), [
    ("roc_auc", 1_000, 0.030, 0.070),
    ("accuracy", 1_000, 0.030, 0.070),
    ("brier", 300, 0.010, 0.090),
])  # fmt: skip
def test_equally_good_models_are_called_better_as_often_as_alpha_says(
    metric: str, trials: int, low: float, high: float
) -> None:
    verdicts = Counter(compare(*two_models(400, seed=s), metric=metric).verdict for s in range(trials))
    assert low <= verdicts["better"] / trials <= high
    assert low <= verdicts["worse"] / trials <= high


@pytest.mark.parametrize("metric", ["roc_auc", "brier"])
def test_a_difference_of_the_smallest_detectable_size_is_found_in_80_of_100_cases(metric: str) -> None:
    def trial(seed: int) -> Comparison:
        return compare(*two_models(600, seed=seed, candidate=1.2), metric=metric)

    trials = [trial(seed) for seed in range(200)]
    detectable = float(np.mean([t.smallest_detectable_difference for t in trials]))
    true_difference = float(np.mean([t.difference for t in trials]))
    error = detectable / (stats.norm.ppf(0.95) + stats.norm.ppf(0.8))
    expected = stats.norm.sf(stats.norm.ppf(0.95) - true_difference / error)
    assert np.mean([t.verdict == "better" for t in trials]) == pytest.approx(expected, abs=0.08)


def test_the_interval_leaves_out_zero_exactly_where_the_verdict_is_better() -> None:
    for seed in range(40):
        found = compare(*two_models(300, seed=seed, candidate=1.3), metric="roc_auc")
        assert (found.low > 0) == (found.verdict == "better")


def test_a_smaller_alpha_asks_for_more() -> None:
    pair = two_models(300, seed=1, candidate=1.4)
    loose, strict = (compare(*pair, metric="roc_auc", alpha=alpha) for alpha in (0.1, 0.001))
    assert loose.p_value == strict.p_value
    assert loose.smallest_detectable_difference < strict.smallest_detectable_difference
    assert strict.low < loose.low


def test_more_rows_find_smaller_differences() -> None:
    few, many = (compare(*two_models(n, seed=0), metric="brier") for n in (200, 20_000))
    assert many.smallest_detectable_difference < few.smallest_detectable_difference / 5


def test_a_handful_of_rows_without_variation_decides_nothing() -> None:
    found = compare([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], [0.5] * 4, metric="roc_auc")
    assert found.difference == 0.5
    assert found.verdict == "undecided"


def test_a_comparison_repeats_with_its_seed_and_goes_through_json() -> None:
    found, again = (compare(*two_models(300, seed=1), metric="brier", seed=5) for _ in range(2))
    assert found == again
    assert msgspec.json.decode(msgspec.json.encode(found), type=Comparison) == found


def test_a_metric_without_meaning_on_these_rows_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'roc_auc' is not defined on these 2 rows") as caught:
        compare([1, 1], [0.1, 0.2], [0.3, 0.4], metric="roc_auc")
    assert caught.value.hint


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'brier'"):
        compare([0, 1], [0.1, 0.2], [0.3, 0.4], metric="brierr")


def test_models_of_different_classes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="the same classes"):
        compare([0, 1], [0.1, 0.2], [[0.2, 0.3, 0.5]] * 2, metric="accuracy")


def test_an_alpha_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(InvalidInput, match="alpha is"):
        compare([0, 1], [0.1, 0.2], [0.3, 0.4], metric="brier", alpha=0.6)
