"""Estimated performance is that which the truth later shows, as long as scores keep their meaning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from flyball.alerts.alert import Alerts
from flyball.errors import InvalidInput
from flyball.evaluation.scores import evaluate
from flyball.monitoring import monitor
from flyball.monitoring.estimation import Calibration, calibrated, estimate, fit_calibration
from flyball.monitoring.monitoring import Monitoring
from flyball.monitoring.profile import Reference
from flyball.monitoring.reference import fit_reference
from flyball.serialization import from_json, to_json
from tests.monitoring.samples import DAY, START, Examine, Predict, inputs_of


def rows(n: int, *, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a model that is too sure of itself, and the truth."""
    random = np.random.default_rng(seed)
    signal = random.normal(shift, 1.0, n)
    truth = random.random(n) < 1 / (1 + np.exp(-signal))
    return 1 / (1 + np.exp(-2.5 * signal)), truth.astype(float)


SCORES, TRUTH = rows(20_000, seed=0)
CALIBRATION = fit_calibration(SCORES, TRUTH)
CALIBRATED = replace(fit_reference(inputs_of(200)), calibration=CALIBRATION)


def test_a_calibration_counts_every_row() -> None:
    assert sum(CALIBRATION.rows) == 20_000
    assert sum(CALIBRATION.positives) == TRUTH.sum()
    assert len(CALIBRATION.edges) + 1 == len(CALIBRATION.rows) == len(CALIBRATION.scores)
    assert list(CALIBRATION.edges) == sorted(CALIBRATION.edges)


def test_calibrated_scores_come_true_as_often_as_they_say() -> None:
    scores, truth = rows(200_000, seed=1)
    found = calibrated(CALIBRATION, scores)
    for low in np.arange(0, 1, 0.1):
        inside = (found >= low) & (found < low + 0.1)
        if inside.sum() > 500:
            assert truth[inside].mean() == pytest.approx(found[inside].mean(), abs=0.04)


def test_where_no_line_calibrates_the_bins_are_told_as_isotonic_regression_tells_them() -> None:
    random = np.random.default_rng(3)
    scores = random.random(20_000)
    known = fit_calibration(scores, random.random(20_000) < np.where(scores < 0.6, 0.2, 0.7))
    shares = (np.array(known.positives) + 0.5) / (np.array(known.rows) + 1)
    fitted = IsotonicRegression().fit(known.scores, shares, sample_weight=known.rows)
    gaps = np.abs(calibrated(known, known.scores) - fitted.predict(known.scores))
    assert gaps.mean() < 0.05
    assert gaps.max() < 0.1


def test_where_a_line_calibrates_it_is_told_without_the_noise_of_the_bins() -> None:
    odds = np.linspace(-5, 5, 21)
    said, true = 1 / (1 + np.exp(-2.5 * odds)), 1 / (1 + np.exp(-odds))
    assert calibrated(CALIBRATION, said) == pytest.approx(true, abs=0.01)


def test_calibrated_scores_never_fall_and_stay_shares() -> None:
    found = calibrated(CALIBRATION, np.linspace(0, 1, 1001))
    assert (np.diff(found) >= -1e-12).all()
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("shift", [-1.0, 0.0, 1.5])
def test_the_estimate_is_what_the_truth_shows_whatever_rows_come(shift: float) -> None:
    names = ["roc_auc", "log_loss", "brier", "accuracy", "precision", "recall", "f1"]
    scores, truth = rows(20_000, seed=2, shift=shift)
    realised = {metric.name: metric.value for metric in evaluate(truth, scores, metrics=names).metrics}
    for found in estimate(CALIBRATION, scores, metrics=names):
        assert found.value == pytest.approx(realised[found.name], abs=0.02)


def test_the_interval_holds_what_is_realised_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(40):
        scores, truth = rows(500, seed=100 + seed)
        [auc] = estimate(CALIBRATION, scores, metrics=["roc_auc"], seed=seed)
        [realised] = evaluate(truth, scores, metrics=["roc_auc"]).metrics
        assert auc.low is not None
        assert auc.high is not None
        assert realised.value is not None
        held += auc.low <= realised.value <= auc.high
    assert 34 <= held <= 40


def test_fewer_labelled_rows_give_a_wider_interval() -> None:
    few = fit_calibration(SCORES[:150], TRUTH[:150])
    scores, _ = rows(20_000, seed=3)
    [wide], [narrow] = (estimate(each, scores, metrics=["brier"]) for each in (few, CALIBRATION))
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)  # type: ignore[operator]  # both are there


def test_the_same_rows_give_the_same_estimate() -> None:
    assert estimate(CALIBRATION, SCORES[:1000]) == estimate(CALIBRATION, SCORES[:1000])


def test_a_calibration_can_be_kept() -> None:
    assert from_json(to_json(CALIBRATION), Calibration) == CALIBRATION


def test_a_model_that_says_one_thing_only_can_be_calibrated() -> None:
    flat = fit_calibration(np.full(200, 0.3), np.arange(200) % 4 == 0)
    assert calibrated(flat, [0.3]) == pytest.approx([0.25], abs=0.01)
    [auc] = estimate(flat, np.full(100, 0.3), metrics=["roc_auc"])
    assert auc.value == pytest.approx(0.5)


def test_no_rows_have_no_performance() -> None:
    assert estimate(CALIBRATION, []) == ()
    assert estimate(CALIBRATION, [np.nan]) == ()


@pytest.mark.parametrize(
    ("scores", "truth"),
    [(SCORES[:10], TRUTH[:10]), (SCORES, TRUTH + 1), (SCORES * 2, TRUTH), (SCORES, TRUTH[:-1])],
)
def test_what_cannot_be_calibrated_is_refused(scores: np.ndarray, truth: np.ndarray) -> None:
    with pytest.raises(InvalidInput):
        fit_calibration(scores, truth)


@pytest.mark.parametrize("metric", ["rmse", "no_such_metric"])
def test_what_cannot_be_estimated_is_refused(metric: str) -> None:
    with pytest.raises(InvalidInput):
        estimate(CALIBRATION, SCORES, metrics=[metric])


def test_a_window_without_any_truth_has_an_estimate(predict: Predict, examine: Examine) -> None:
    scores, truth = rows(2_000, seed=6)
    predict({"prediction": scores > 0.5, "probability": scores})
    window = examine(monitor.estimate("roc_auc"), reference=CALIBRATED, champion=1)
    [auc] = window.estimated
    [realised] = evaluate(truth, scores, metrics=["roc_auc"]).metrics
    assert auc.low is not None
    assert auc.high is not None
    assert realised.value is not None
    assert auc.low < realised.value < auc.high
    assert (window.labelled, auc.n) == (0, 2_000)


def test_only_the_champions_scores_are_estimated(predict: Predict, examine: Examine) -> None:
    scores, _ = rows(300, seed=5)
    predict({"prediction": scores > 0.5, "probability": scores})
    predict({"prediction": scores > 0.5, "probability": 1 - scores}, version=2)
    assert examine(monitor.estimate("roc_auc"), reference=CALIBRATED, champion=1).estimated[0].n == 300
    assert examine(monitor.estimate("roc_auc"), reference=CALIBRATED, champion=3).estimated == ()


def test_without_a_calibration_nothing_is_estimated(predict: Predict, examine: Examine, reference: Reference) -> None:
    scores, _ = rows(300, seed=5)
    predict({"prediction": scores > 0.5, "probability": scores})
    assert examine(monitor.estimate(), reference=reference).estimated == ()
    assert examine(monitor.estimate(), reference=None).estimated == ()


def test_harder_rows_open_an_alert_before_any_truth_is_known(
    monitoring: Monitoring, predict: Predict, examine: Examine, alerts: Alerts
) -> None:
    for day in range(4):
        scores, _ = rows(2_000, seed=10 + day)
        if day == 3:  # rows come that the model cannot tell apart
            scores = 0.5 + (scores - 0.5) * 0.2
        at = START + day * DAY
        predict({"prediction": scores > 0.5, "probability": scores}, at=at)
        watched = monitor.estimate("roc_auc")
        window = examine(watched, start=at, reference=CALIBRATED, champion=1, alerts=alerts, complete=False)
        monitoring.record_window(window)
        found = alerts.list(state="active")
        assert bool(found) == (day == 3)
    assert (found[0].cause, found[0].kind) == ("estimated-decay", "decay")
    assert "now probably" in found[0].detail


@pytest.mark.parametrize("give", [{"loss": 0}, {"loss": float("nan")}])
def test_a_loss_that_is_none_is_refused(give: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        monitor.estimate(**give)


def test_metrics_that_cannot_be_estimated_are_refused_when_declared() -> None:
    with pytest.raises(InvalidInput):
        monitor.estimate("r2")
