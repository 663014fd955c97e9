from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from flyball.evaluation.explain.base import Question
from flyball.evaluation.explain.sampling import plugin
from tests.evaluation.explain.brute_force import Floats, against_background, shapley
from tests.evaluation.explain.subjects import as_table, numbers


def said(values: Floats) -> Floats:
    return np.sin(2 * values[:, 0]) * values[:, 1] + np.where(values[:, 2] > 0, values[:, 0], 1.0)


def question(rows: Floats, background: Floats, samples: int = 64) -> Question:
    def score(table: pa.Table) -> Floats:
        return said(np.column_stack([column.to_numpy() for column in table.columns]))

    return Question(
        rows=as_table(rows), background=as_table(background), score=score, scale="value", samples=samples, seed=1
    )


def test_contributions_are_those_of_the_definition_within_their_errors() -> None:
    background, rows = numbers(50), numbers(8, seed=1)
    answer = plugin.explain(question(rows, background, 4_000))
    assert answer is not None
    assert answer.errors is not None
    for row, found, error in zip(rows, answer.contributions, answer.errors, strict=True):

        def worth(known: frozenset[int], row: Floats = row) -> float:
            return against_background(said, row, background, known)

        assert (np.abs(found - shapley(4, worth)) < 4 * error + 1e-9).all()
    assert answer.errors[:, :3].max() < 0.05
    assert (answer.exact, answer.background) == (False, 50)


def test_contributions_always_add_up() -> None:
    rows = numbers(30, seed=1)
    answer = plugin.explain(question(rows, numbers(20), 8))
    assert answer is not None
    assert np.allclose(answer.contributions.sum(axis=1) + answer.base, said(rows))


def test_a_column_without_effect_contributes_nothing() -> None:
    answer = plugin.explain(question(numbers(5, seed=1), numbers()))
    assert answer is not None
    assert np.allclose(answer.contributions[:, 3], 0)


def test_errors_shrink_with_the_square_root_of_the_draws() -> None:
    rows, background = numbers(20, seed=1), numbers()
    few, many = (plugin.explain(question(rows, background, samples)) for samples in (200, 3_200))
    assert few is not None
    assert many is not None
    assert few.errors is not None
    assert many.errors is not None
    assert few.errors[:, 0].mean() / many.errors[:, 0].mean() == pytest.approx(4, rel=0.25)


def test_the_same_seed_gives_the_same_and_another_gives_another() -> None:
    asked = question(numbers(3, seed=1), numbers())
    one, again, other = (plugin.explain(replace(asked, seed=seed)) for seed in (1, 1, 2))
    assert one is not None
    assert again is not None
    assert other is not None
    assert (one.contributions == again.contributions).all()
    assert (one.contributions != other.contributions).any()


def test_a_row_is_explained_alike_alone_and_before_others() -> None:
    rows = numbers(300, seed=1)
    alone, together = (plugin.explain(question(part, numbers())) for part in (rows[:1], rows))
    assert alone is not None
    assert together is not None
    assert np.allclose(alone.contributions[0], together.contributions[0])


def test_a_single_column_takes_all() -> None:
    table = pa.table({"x": [1.0, 3.0]})
    asked = Question(rows=table, background=table, score=lambda rows: rows["x"].to_numpy() * 2.0, scale="value")
    answer = plugin.explain(asked)
    assert answer is not None
    assert answer.base == 4.0
    assert answer.contributions.tolist() == [[-2.0], [2.0]]
