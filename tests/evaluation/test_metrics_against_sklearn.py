"""The metrics agree with scikit-learn's, ties and rare classes included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from flyball.evaluation.scores import METRICS
from tests.evaluation.samples import Values, many_classes, two_classes

SCORED = {
    "roc_auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
    "log_loss": sk.log_loss,
    "brier": sk.brier_score_loss,
}
LABELLED = {
    "accuracy": sk.accuracy_score,
    "f1": sk.f1_score,
    "precision": sk.precision_score,
    "recall": sk.recall_score,
}
VALUED = {
    "rmse": sk.root_mean_squared_error,
    "mae": sk.mean_absolute_error,
    "r2": sk.r2_score,
    "mape": sk.mean_absolute_percentage_error,
}


@st.composite
def _coarse(draw: st.DrawFn) -> tuple[Values, Values]:
    """Both classes, and scores with many ties."""
    rows = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=1, max_size=40))
    pairs = np.array([(0, draw(st.integers(0, 5))), (1, draw(st.integers(0, 5))), *rows], dtype=float)
    return pairs[:, 0], pairs[:, 1] / 5


@pytest.mark.parametrize("name", SCORED)
@settings(max_examples=60, deadline=None)
@given(sample=_coarse())
def test_scores_with_ties(name: str, sample: tuple[Values, Values]) -> None:
    assert METRICS.get(name).compute(*sample) == pytest.approx(SCORED[name](*sample), abs=1e-12)


@pytest.mark.parametrize("name", LABELLED)
def test_labels(name: str) -> None:
    truth, score = two_classes(1_000)
    labels = (score > 0.5).astype(float)
    assert METRICS.get(name).compute(truth, labels) == pytest.approx(LABELLED[name](truth, labels))


@pytest.mark.parametrize("name", VALUED)
def test_values(name: str) -> None:
    random = np.random.default_rng(0)
    truth = 5 + random.normal(size=300)
    predicted = truth + random.normal(size=300)
    assert METRICS.get(name).compute(truth, predicted) == pytest.approx(VALUED[name](truth, predicted))


def test_many_classes() -> None:
    truth, probability = many_classes(800)
    labels = probability.argmax(axis=1)
    one_hot = np.eye(4)[labels]
    auc = sk.roc_auc_score(truth, probability, multi_class="ovr")
    assert METRICS.get("roc_auc").compute(truth, probability) == pytest.approx(auc)
    assert METRICS.get("log_loss").compute(truth, probability) == pytest.approx(sk.log_loss(truth, probability))
    assert METRICS.get("accuracy").compute(truth, one_hot) == pytest.approx(sk.accuracy_score(truth, labels))
    assert METRICS.get("f1").compute(truth, one_hot) == pytest.approx(sk.f1_score(truth, labels, average="macro"))


def test_a_class_that_never_occurs_is_left_out_of_the_means() -> None:
    truth, probability = many_classes(200, classes=3)
    wider = np.hstack([probability, np.zeros((200, 1))])
    assert METRICS.get("roc_auc").compute(truth, wider) == pytest.approx(
        METRICS.get("roc_auc").compute(truth, probability)
    )


def test_calibration_error_of_two_bins_is_the_mean_of_their_gaps() -> None:
    truth = np.array([0.0, 0.0, 1.0, 1.0])
    probability = np.array([0.1, 0.1, 0.6, 0.6])
    assert METRICS.get("expected_calibration_error").compute(truth, probability) == pytest.approx((0.1 + 0.4) / 2)


def test_calibrated_probabilities_have_almost_no_calibration_error() -> None:
    random = np.random.default_rng(0)
    probability = random.random(100_000)
    truth = (random.random(100_000) < probability).astype(float)
    assert METRICS.get("expected_calibration_error").compute(truth, probability) < 0.01
