"""Metrics from counts are those of the rows that were counted."""

from __future__ import annotations

import numpy as np
import pytest

from flyball.evaluation.sample import Sample
from flyball.evaluation.scores import find_metric
from flyball.monitoring.counted import COUNTED, group_scores, metric_of_draws


def drawn(scores: np.ndarray, *, most: int) -> dict[str, tuple[float, float]]:
    """Each metric by counts and by rows, of one draw."""
    random = np.random.default_rng(1)
    groups = group_scores(scores, threshold=0.5, most=most)
    positives = random.binomial(groups.rows, groups.scores)
    ordered = np.sort(scores)
    truth = np.concatenate([np.arange(n) < hits for n, hits in zip(groups.rows, positives, strict=True)]).astype(float)
    sample = Sample(task="classification", truth=truth, prediction=ordered)
    found = {}
    for name in sorted(COUNTED):
        metric = find_metric(name)
        by_rows = metric.compute(truth, sample.predicted_for(metric, threshold=0.5))
        found[name] = float(metric_of_draws(name, groups, positives[None, :])[0]), by_rows
    return found


def test_of_few_scores_counts_give_the_same_to_the_last_digits() -> None:
    for by_counts, by_rows in drawn(np.random.default_rng(0).integers(0, 40, 3_000) / 40, most=2_000).values():
        assert by_counts == pytest.approx(by_rows, rel=1e-12)


@pytest.mark.parametrize("name", sorted(COUNTED))
def test_of_many_scores_neighbours_are_put_together_and_little_is_lost(name: str) -> None:
    by_counts, by_rows = drawn(np.random.default_rng(0).beta(0.5, 2, 20_000), most=1_000)[name]
    assert by_counts == pytest.approx(by_rows, abs=2e-3)


@pytest.mark.parametrize("n", [1, 5, 999, 5_000])
def test_every_row_is_in_one_group_and_none_lies_on_both_sides_of_the_threshold(n: int) -> None:
    scores = np.random.default_rng(n).random(n)
    groups = group_scores(scores, threshold=0.5, most=100)
    assert groups.rows.sum() == n
    assert groups.rows[groups.is_called].sum() == (scores >= 0.5).sum()
    assert len(groups.rows) <= 102


def test_what_is_not_defined_is_no_number() -> None:
    groups = group_scores(np.array([0.1, 0.2]), threshold=0.5)
    nothing = np.zeros((1, 2), dtype=np.int64)
    assert np.isnan(metric_of_draws("roc_auc", groups, nothing)).all()
    assert np.isnan(metric_of_draws("precision", groups, nothing)).all()
