from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flyball.errors import InvalidInput
from flyball.evaluation.importance import Importance, permutation_importance
from flyball.serialization import from_json, to_json
from tests.evaluation.explain.brute_force import Floats


def rows_of(count: int = 2_000, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table({
        "strong": random.normal(size=count), "weak": random.normal(size=count), "idle": random.normal(size=count)
    })  # fmt: skip


def value(rows: pa.Table) -> Floats:
    return np.asarray(2.0 * rows["strong"].to_numpy() + 0.5 * rows["weak"].to_numpy(), dtype=np.float64)


def chance(rows: pa.Table) -> Floats:
    return 1 / (1 + np.exp(-value(rows)))


def test_columns_are_worth_what_they_say() -> None:
    rows = rows_of()
    found = permutation_importance(value, rows, value(rows) + np.random.default_rng(1).normal(size=2_000))
    assert [one.column for one in found.columns] == ["strong", "weak", "idle"]
    assert found.metric == "mae"
    assert found.loss == pytest.approx(np.sqrt(2 / np.pi), rel=0.05)
    # The error of a normal value of variance 1 + 2 (2 strong)^2 instead of 1.
    assert found.columns[0].low < 3 * np.sqrt(2 / np.pi) - np.sqrt(2 / np.pi) < found.columns[0].high
    assert (found.columns[2].value, found.columns[2].low, found.columns[2].high) == (0.0, 0.0, 0.0)


def test_classes_are_measured_in_log_loss() -> None:
    rows = rows_of()
    truth = np.random.default_rng(1).random(2_000) < chance(rows)
    found = permutation_importance(chance, rows, truth, repeats=3)
    assert found.metric == "log_loss"
    assert found.columns[0].low > found.columns[1].high
    assert found.columns[1].low > 0


def test_many_classes_are_measured() -> None:
    rows = rows_of(400)
    truth = np.digitize(rows["strong"].to_numpy(), [-0.5, 0.5])

    def score(table: pa.Table) -> Floats:
        said = np.full((table.num_rows, 3), 0.1)
        said[np.arange(table.num_rows), np.digitize(table["strong"].to_numpy(), [-0.5, 0.5])] = 0.8
        return said

    found = permutation_importance(score, rows, truth)
    assert found.columns[0].column == "strong"
    assert found.loss == pytest.approx(-np.log(0.8))


def test_the_same_seed_gives_the_same() -> None:
    rows = rows_of(200)
    one, again, other = (permutation_importance(value, rows, value(rows), seed=seed) for seed in (1, 1, 2))
    assert one == again != other
    assert from_json(to_json(one), Importance) == one


def test_intervals_hold_the_worth_as_often_as_they_say() -> None:
    worth = 3 * np.sqrt(2 / np.pi) - np.sqrt(2 / np.pi)
    held = 0
    for seed in range(100):
        rows = rows_of(300, seed)
        truth = value(rows) + np.random.default_rng([seed, 1]).normal(size=300)
        first = permutation_importance(value, rows, truth, seed=seed).columns[0]
        held += first.low < worth < first.high
    assert held >= 87


def test_text_and_missing_values_change_places() -> None:
    rows = pa.table({"city": ["a", None, "b", "a"]})
    found = permutation_importance(
        lambda table: np.array([float(city == "a") for city in table["city"].to_pylist()]), rows, [1.5, 0.2, 0.1, 1.4]
    )
    assert found.columns[0].value > 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"repeats": 0}, "repeats"),
        ({"level": 1.0}, "level"),
        ({"seed": -1}, "seed"),
        ({"truth": [1.0]}, "rows of truth"),
    ],
)
def test_bad_questions_are_refused(change: dict[str, object], says: str) -> None:
    rows = rows_of(5)
    given = {"truth": value(rows), **change}
    with pytest.raises(InvalidInput, match=says):
        permutation_importance(value, rows, **given)  # type: ignore[arg-type]  # what is refused


def test_a_single_row_is_refused() -> None:
    with pytest.raises(InvalidInput, match="fewer than two rows"):
        permutation_importance(value, rows_of(1), [1.0])
