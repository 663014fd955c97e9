"""Performance of a regression is told before its truth is known, by plain numbers that were learned of its errors."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flyball.errors import InvalidInput
from flyball.monitoring.boosting import Booster, grow, tell
from flyball.monitoring.loss_model import LossModels, estimate_losses, fit_losses
from flyball.serialization import from_json, to_json


def rows(n: int, *, seed: int, moved: float = 0.0) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """Inputs, what a model says, and what is true: the farther `x` from 0, the farther the truth from what is said."""
    random = np.random.default_rng(seed)
    x, kind = random.normal(size=n) + moved, random.choice(["easy", "hard"], n)
    said = 2 * x
    spread = (0.3 + np.abs(x)) * np.where(kind == "hard", 2.0, 1.0)
    return pa.table({"x": x, "kind": kind}), said, said + spread * random.normal(size=n)


@pytest.fixture(scope="module")
def learned() -> LossModels:
    return fit_losses(*rows(6_000, seed=0))


def test_a_booster_learns_steps_and_their_product() -> None:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(4_000, 4))
    target = np.where((matrix[:, 0] > 0) & (matrix[:, 2] > 0.5), 3.0, 1.0)
    booster = grow(matrix, target + random.normal(scale=0.1, size=4_000))
    fresh = random.normal(size=(1_000, 4))
    missed = tell(booster, fresh) - np.where((fresh[:, 0] > 0) & (fresh[:, 2] > 0.5), 3.0, 1.0)
    assert float(np.mean(missed**2)) < 0.05


def test_the_same_seed_grows_the_same_booster_and_it_can_be_kept() -> None:
    matrix = np.random.default_rng(0).normal(size=(500, 2))
    booster = grow(matrix, matrix[:, 0], trees=5)
    assert booster == grow(matrix, matrix[:, 0], trees=5)
    kept = from_json(to_json(booster), Booster)
    assert np.array_equal(tell(kept, matrix), tell(booster, matrix))


@pytest.mark.parametrize("target", [np.zeros(300), np.ones(300)])
def test_where_there_is_nothing_to_learn_the_mean_is_told(target: np.ndarray) -> None:
    matrix = np.random.default_rng(0).normal(size=(300, 2))
    assert tell(grow(matrix, target), matrix) == pytest.approx(target)


def test_a_column_of_one_value_is_never_asked() -> None:
    random = np.random.default_rng(0)
    matrix = np.stack([np.ones(1_000), random.normal(size=1_000)], axis=1)
    booster = grow(matrix, matrix[:, 1], trees=10)
    assert {feature for tree in booster.features for feature in tree} == {1}


@pytest.mark.parametrize("moved", [0.0, 0.8, 1.5])
def test_what_is_told_is_what_the_truth_shows_whatever_rows_come(learned: LossModels, moved: float) -> None:
    inputs, said, truth = rows(5_000, seed=7, moved=moved)
    errors = np.abs(truth - said)
    realised = {"mae": errors.mean(), "rmse": np.sqrt((errors**2).mean())}
    for found in estimate_losses(learned, inputs, said):
        assert found.value == pytest.approx(realised[found.name], rel=0.12)


def test_the_interval_holds_what_is_realised_about_as_often_as_it_says(learned: LossModels) -> None:
    held = 0
    for seed in range(100, 160):
        inputs, said, truth = rows(400, seed=seed)
        (found,) = estimate_losses(learned, inputs, said, metrics=["mae"])
        assert found.low is not None
        assert found.high is not None
        held += found.low <= np.abs(truth - said).mean() <= found.high
    assert held >= 51  # 57 are to be expected


def test_harder_rows_are_told_to_be_harder(learned: LossModels) -> None:
    inputs, said, _ = rows(1_000, seed=3)
    hard = inputs.set_column(1, "kind", pa.array(["hard"] * 1_000))
    easy = inputs.set_column(1, "kind", pa.array(["easy"] * 1_000))
    worse, better = (estimate_losses(learned, table, said, metrics=["mae"])[0].value or 0 for table in (hard, easy))
    assert worse > 1.5 * better


def test_no_rows_have_no_performance(learned: LossModels) -> None:
    inputs, said, _ = rows(10, seed=3)
    assert estimate_losses(learned, inputs.slice(0, 0), said[:0]) == ()


def test_too_few_rows_and_unknown_metrics_are_refused() -> None:
    inputs, said, truth = rows(300, seed=3)
    with pytest.raises(InvalidInput, match="at least 200 rows"):
        fit_losses(inputs.slice(0, 100), said[:100], truth[:100])
    with pytest.raises(InvalidInput, match="cannot be estimated"):
        fit_losses(inputs, said, truth, metrics=["r2"])
