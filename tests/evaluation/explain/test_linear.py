from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from flyball.evaluation.explain.linear import plugin
from tests.evaluation.explain.brute_force import Floats, against_background, shapley
from tests.evaluation.explain.subjects import as_frame, as_table, ask, numbers

pytest.importorskip("sklearn")

from sklearn import linear_model, svm
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, SplineTransformer, StandardScaler


def test_a_linear_model_is_explained_as_by_the_definition() -> None:
    values = numbers(40)
    model = linear_model.LinearRegression().fit(values, values @ [1.0, -2.0, 0.0, 0.5] + 3)
    table = as_table(values)
    answer = plugin.explain(ask(model, table.slice(0, 3), table, by="matrix"))
    assert answer is not None
    for row, found in zip(values, answer.contributions, strict=False):

        def worth(known: frozenset[int], row: Floats = row) -> float:
            return against_background(model.predict, row, values, known)

        assert np.allclose(found, shapley(4, worth))
    assert (answer.exact, answer.scale, answer.background) == (True, "value", 40)
    assert np.allclose(answer.contributions.sum(axis=1) + answer.base, model.predict(values[:3]))


def test_columns_that_one_input_became_are_added_up_to_its_own_value() -> None:
    random = np.random.default_rng(3)
    cities, warmth = random.choice(["Oslo", "Rome", "Bonn"], 60), random.normal(size=60)
    table = pa.table({"warmth": warmth, "city": cities})
    prepare = make_column_transformer((OneHotEncoder(), ["city"]), (StandardScaler(), ["warmth"]))
    told = (cities == "Rome") ^ (warmth > 0.3)
    model = make_pipeline(prepare, linear_model.LogisticRegression()).fit(as_frame(table), told)
    answer = plugin.explain(ask(model, table.slice(0, 3), table, target=1))
    assert answer is not None
    frame = as_frame(table)
    for place, found in enumerate(answer.contributions):

        def worth(known: frozenset[int], place: int = place) -> float:
            mixed = frame.copy()
            for column in known:
                mixed.iloc[:, column] = frame.iloc[place, column]
            return float(model.decision_function(mixed).mean())

        assert np.allclose(found, shapley(2, worth))
    assert answer.scale == "log-odds"


@pytest.mark.parametrize("target", [0, 1, 2])
def test_each_of_many_classes_has_its_margin(target: int) -> None:
    values = numbers()
    model = linear_model.LogisticRegression().fit(values, np.digitize(values[:, 0], [-0.5, 0.5]))
    table = as_table(values)
    answer = plugin.explain(ask(model, table, table, target=target, by="matrix"))
    assert answer is not None
    assert answer.scale == "margin"
    assert np.allclose(answer.contributions.sum(axis=1) + answer.base, model.decision_function(values)[:, target])


def test_the_two_classes_have_opposite_contributions() -> None:
    values = numbers()
    model = linear_model.LogisticRegression().fit(values, values[:, 0] > 0)
    table = as_table(values)
    two = [plugin.explain(ask(model, table, table, target=target, by="matrix")) for target in (0, 1)]
    assert two[0] is not None
    assert two[1] is not None
    assert np.allclose(two[0].contributions, -two[1].contributions)


def test_a_logarithmic_link_is_explained_in_the_logarithm() -> None:
    values = numbers()
    model = linear_model.PoissonRegressor().fit(values, np.exp(values[:, 0]))
    table = as_table(values)
    answer = plugin.explain(ask(model, table, table, by="matrix"))
    assert answer is not None
    assert answer.scale == "log"
    assert np.allclose(np.exp(answer.contributions.sum(axis=1) + answer.base), model.predict(values))


@pytest.mark.parametrize("step", [SplineTransformer(), KBinsDiscretizer(4), KBinsDiscretizer(4, encode="ordinal")])
def test_steps_that_make_several_columns_of_one_are_followed(step: Any) -> None:
    values = numbers()
    model = make_pipeline(step, linear_model.Ridge()).fit(values, np.sin(values[:, 0]))
    table = as_table(values)
    answer = plugin.explain(ask(model, table, table, by="matrix"))
    assert answer is not None
    assert np.allclose(answer.contributions.sum(axis=1) + answer.base, model.predict(values))
    assert np.abs(answer.contributions).mean(axis=0).argmax() == 0


def test_a_kernel_machine_is_not_linear() -> None:
    values = numbers(60)
    model = svm.SVR().fit(values, values[:, 0])
    table = as_table(values)
    assert plugin.explain(ask(model, table, table, by="matrix")) is None


def test_a_tree_is_not_linear_and_nothing_is_no_model() -> None:
    from sklearn.tree import DecisionTreeRegressor

    values = numbers(60)
    table = as_table(values)
    model = DecisionTreeRegressor().fit(values, values[:, 0])
    question = ask(model, table, table, by="matrix")
    assert plugin.explain(question) is None
    assert plugin.explain(type(question)(rows=table, background=table, score=question.score, scale="value")) is None
