"""Fairness: our counts say what Fairlearn says of the rows; what is beyond chance; mitigation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fairlearn import metrics as fairlearn
from sklearn.metrics import precision_score

from flyball.errors import InvalidInput
from flyball.evaluation.fair import assess, combined, count_groups, score_groups
from flyball.evaluation.fairness.base import FAIRNESS, GroupCounts, merge_counts
from flyball.evaluation.mitigation import group_thresholds, reweighing
from flyball.evaluation.scores import evaluate

N = 4_000
RANDOM = np.random.default_rng(0)
GROUP = RANDOM.choice(["a", "b", "c"], N, p=[0.5, 0.3, 0.2])
TRUTH = (RANDOM.random(N) < np.where(GROUP == "a", 0.5, 0.35)).astype(int)
SCORE = np.clip(0.3 * TRUTH + 0.35 + RANDOM.normal(0, 0.2, N) - 0.1 * (GROUP == "c"), 0, 1)
CALLED = (SCORE >= 0.5).astype(int)
ALIKE = RANDOM.choice(["x", "y", "z"], N)


def scores(values: Any = GROUP, **more: Any) -> dict[str, Any]:
    return {found.measure: found for found in assess(TRUTH, SCORE, {"group": values.tolist()}, **more)}


@pytest.mark.parametrize(
    ("measure", "theirs"),
    [
        ("demographic_parity", fairlearn.demographic_parity_difference),
        ("disparate_impact", fairlearn.demographic_parity_ratio),
        ("equal_opportunity", fairlearn.equal_opportunity_difference),
        ("equalised_odds", fairlearn.equalized_odds_difference),
    ],
)
def test_it_is_what_fairlearn_computes_of_the_rows(measure: str, theirs: Any) -> None:
    for groups in (GROUP, ALIKE):
        ours = scores(groups)[measure]
        assert ours.value == pytest.approx(theirs(TRUTH, CALLED, sensitive_features=groups))
        assert ours.low <= ours.value <= ours.high


def test_predictive_parity_is_the_difference_of_the_precisions_that_metric_frame_gives() -> None:
    frame = fairlearn.MetricFrame(metrics=precision_score, y_true=TRUTH, y_pred=CALLED, sensitive_features=GROUP)
    ours = scores()["predictive_parity"]
    assert ours.value == pytest.approx(frame.difference())
    assert ours.rates == pytest.approx(frame.by_group.to_dict())


def test_calibration_is_the_difference_of_what_is_said_and_what_is_so() -> None:
    gaps = [SCORE[name == GROUP].mean() - TRUTH[name == GROUP].mean() for name in "abc"]
    assert scores()["calibration"].value == pytest.approx(max(gaps) - min(gaps))


@pytest.mark.parametrize("measure", FAIRNESS.names())
def test_groups_that_are_treated_alike_are_called_so(measure: str) -> None:
    assert not scores(ALIKE)[measure].is_unfair


@pytest.mark.parametrize("measure", FAIRNESS.names())
def test_groups_that_are_not_are_found(measure: str) -> None:
    assert scores()[measure].is_unfair


@pytest.mark.parametrize("measure", FAIRNESS.names())
def test_counts_of_parts_add_up(measure: str) -> None:
    def count(rows: slice) -> tuple[GroupCounts, ...]:
        return count_groups(TRUTH[rows].astype(float), SCORE[rows], GROUP[rows].tolist(), least_group=1)

    merged = score_groups("group", measure, merge_counts([count(slice(0, 700)), count(slice(700, N))]))
    whole = score_groups("group", measure, count(slice(0, N)))
    assert merged.value == pytest.approx(whole.value)
    assert merged.p_value == pytest.approx(whole.p_value, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("measure", FAIRNESS.names())
def test_no_rows_and_one_group_are_not_judged(measure: str) -> None:
    assert score_groups("group", measure, ()).value is None
    one = count_groups(TRUTH.astype(float), SCORE, ["same"] * N)
    assert score_groups("group", measure, one).value is None


def test_false_alarms_over_many_quiet_samples_stay_below_alpha() -> None:
    alarms = 0
    for seed in range(150):
        random = np.random.default_rng(seed)
        truth, said = random.random(400) < 0.3, random.random(400)
        groups = random.choice(list("abcdef"), 400).tolist()
        found = assess(truth, said, {"g": groups}, measures=["disparate_impact"], threshold=0.8)
        alarms += found[0].is_unfair
    assert alarms <= 9


def test_intersections_are_combinations_of_columns() -> None:
    sex = np.where(RANDOM.random(N) < 0.5, "f", "m")
    said = SCORE - 0.3 * ((GROUP == "b") & (sex == "f"))
    columns = {"group": GROUP.tolist(), "sex": sex.tolist()}
    (found,) = assess(TRUTH, said.clip(0, 1), columns, groups=["group*sex"], measures=["demographic_parity"])
    assert found.lowest == "b and f"
    assert found.column == "group*sex"


def test_a_missing_value_of_either_column_is_no_combination() -> None:
    assert combined({"a": ["x", None], "b": ["u", "v"]}, "a*b") == ["x and u", None]


def test_evaluate_measures_it() -> None:
    found = evaluate(TRUTH == 1, SCORE, fairness={"group": GROUP.tolist()})
    assert {score.measure for score in found.fairness} == set(FAIRNESS.names())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"measures": ["fairnes"]}, "no measure of fairness"),
        ({"groups": ["sex"]}, "no column 'sex'"),
    ],
)
def test_what_cannot_be_measured_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        scores(**more)


def test_fairness_of_a_regression_is_refused() -> None:
    with pytest.raises(InvalidInput, match="regression"):
        evaluate([1.0, 2.5, 3.0], [1.0, 2.0, 3.0], fairness={"g": ["a", "b", "a"]})


def test_reweighing_makes_group_and_label_independent() -> None:
    weights = reweighing(GROUP.tolist(), TRUTH.tolist())
    rates = [np.average(TRUTH[name == GROUP], weights=weights[name == GROUP]) for name in "abc"]
    assert rates == pytest.approx([TRUTH.mean()] * 3)
    assert weights.mean() == pytest.approx(1)


def test_reweighing_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="0 groups"):
        reweighing([], [])


@pytest.mark.parametrize(
    ("constraint", "gap"),
    [
        ("demographic_parity", fairlearn.demographic_parity_difference),
        ("equal_opportunity", fairlearn.equal_opportunity_difference),
    ],
)
def test_thresholds_by_group_close_the_gap(constraint: Any, gap: Any) -> None:
    limits = group_thresholds(SCORE, TRUTH, GROUP.tolist(), constraint=constraint)
    called = (np.array([limits[name] for name in GROUP]) <= SCORE).astype(int)
    assert gap(TRUTH, called, sensitive_features=GROUP) < 0.01 < gap(TRUTH, CALLED, sensitive_features=GROUP)
    assert np.mean(called == TRUTH) > np.mean(CALLED == TRUTH) - 0.05


def test_an_unknown_constraint_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no constraint"):
        group_thresholds(SCORE, TRUTH, GROUP.tolist(), constraint="fairness")  # type: ignore[arg-type]  # what a user may write


def test_a_classifier_with_thresholds_by_group_is_an_estimator_like_others() -> None:
    import pandas as pd
    from sklearn.base import is_classifier
    from sklearn.linear_model import LogisticRegression

    from flyball.evaluation.group_thresholds import GroupThresholdClassifier

    rows = pd.DataFrame({"score": SCORE, "group": GROUP})
    inner = LogisticRegression().fit(rows[["score"]], TRUTH)
    limits = {"a": 0.6, "b": 0.3, "c": 0.5}
    model = GroupThresholdClassifier(inner, "group", limits)
    said = inner.predict_proba(rows[["score"]])[:, 1]
    assert is_classifier(model)
    assert list(model.feature_names_in_) == ["score", "group"]
    assert (model.predict(rows) == (said >= np.array([limits[name] for name in GROUP]))).all()
    for name in "abc":
        own = name == GROUP
        assert (
            np.argsort(said[own], kind="stable") == np.argsort(model.predict_proba(rows)[own, 1], kind="stable")
        ).all()
