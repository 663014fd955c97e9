from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from flyball.evaluation.explain.base import Answer
from flyball.evaluation.explain.tree import plugin
from tests.evaluation.explain.brute_force import Floats, histogram_path_dependent, path_dependent, shapley
from tests.evaluation.explain.subjects import as_frame, as_table, ask, numbers

pytest.importorskip("sklearn")

from sklearn import ensemble, tree
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler


def truth(values: Floats) -> Floats:
    return np.where(values[:, 0] > 0, 2 * values[:, 1], values[:, 2] * values[:, 0]) + 0.3 * values[:, 3]


def few(kind: str) -> Any:
    rounds = "max_iter" if kind.startswith("Hist") else "n_estimators"
    return getattr(ensemble, kind)(random_state=0, **{rounds: 8})


def explained(model: Any, values: Floats, *, target: int | None = None, rows: int = 5) -> Answer:
    table = as_table(values)
    answer = plugin.explain(ask(model, table.slice(0, rows), table, target=target, by="matrix"))
    assert answer is not None
    return answer


def assert_adds_up(answer: Answer) -> None:
    assert np.allclose(answer.contributions.sum(axis=1) + answer.base, answer.predictions)


def test_a_tree_is_explained_as_by_the_definition() -> None:
    values = numbers()
    model = tree.DecisionTreeRegressor(max_depth=6, random_state=0).fit(values, truth(values))
    answer = explained(model, values)
    grown = model.tree_
    for row, found in zip(values, answer.contributions, strict=False):

        def worth(known: frozenset[int], row: Floats = row) -> float:
            return path_dependent(grown, row, known, [0, 1, 2, 3], lambda node: float(grown.value[node, 0, 0]))

        assert np.allclose(found, shapley(4, worth), atol=1e-12)
        assert answer.base == pytest.approx(worth(frozenset()))
    assert_adds_up(answer)
    assert (answer.exact, answer.scale, answer.background) == (True, "value", 0)


def test_a_class_of_a_tree_with_weights_and_gaps_is_explained_as_by_the_definition() -> None:
    values = numbers()
    values[::7, 1] = np.nan
    labels = np.digitize(np.nan_to_num(values[:, 1]) + values[:, 0], [-0.5, 0.5])
    weights = np.random.default_rng(0).random(len(values))
    model = tree.DecisionTreeClassifier(max_depth=5, random_state=0).fit(values, labels, sample_weight=weights)
    answer = explained(model, values, target=1, rows=9)
    grown = model.tree_
    for row, found in zip(values, answer.contributions, strict=False):

        def worth(known: frozenset[int], row: Floats = row) -> float:
            return path_dependent(
                grown, row, known, [0, 1, 2, 3], lambda node: float(grown.value[node, 0, 1] / grown.value[node].sum())
            )

        assert np.allclose(found, shapley(4, worth), atol=1e-12)
    assert answer.scale == "probability"


def test_columns_that_one_input_became_are_one_player() -> None:
    random = np.random.default_rng(3)
    cities = random.choice(["Oslo", "Rome", "Bonn"], 300)
    warmth = random.normal(size=300)
    told = np.where(cities == "Rome", 2 * warmth, (cities == "Oslo") - warmth)
    table = pa.table({"warmth": warmth, "city": cities})
    prepare = make_column_transformer((OneHotEncoder(), ["city"]), (StandardScaler(), ["warmth"]))
    model = make_pipeline(prepare, tree.DecisionTreeRegressor(max_depth=5, random_state=0)).fit(as_frame(table), told)
    answer = plugin.explain(ask(model, table.slice(0, 4), table))
    assert answer is not None
    grown, seen = model[-1].tree_, np.asarray(model[:-1].transform(as_frame(table)))
    for row, found in zip(seen, answer.contributions, strict=False):

        def worth(known: frozenset[int], row: Floats = row) -> float:
            return path_dependent(grown, row, known, [1, 1, 1, 0], lambda node: float(grown.value[node, 0, 0]))

        assert np.allclose(found, shapley(2, worth), atol=1e-12)


@pytest.mark.parametrize("kind", ["RandomForestRegressor", "ExtraTreesRegressor", "GradientBoostingRegressor"])
def test_forests_of_values_add_up(kind: str) -> None:
    values = numbers()
    model = getattr(ensemble, kind)(n_estimators=12, random_state=0).fit(values, truth(values))
    answer = explained(model, values, rows=30)
    assert_adds_up(answer)
    assert np.allclose(answer.predictions, model.predict(values[:30]))


@pytest.mark.parametrize("kind", ["RandomForestClassifier", "ExtraTreesClassifier"])
@pytest.mark.parametrize("target", [0, 2])
def test_forests_of_classes_add_up_to_the_probability(kind: str, target: int) -> None:
    values = numbers()
    labels = np.digitize(truth(values), [-0.5, 0.5])
    model = getattr(ensemble, kind)(n_estimators=12, random_state=0).fit(values, labels)
    answer = explained(model, values, target=target, rows=30)
    assert_adds_up(answer)
    assert np.allclose(answer.predictions, model.predict_proba(values[:30])[:, target])


def test_a_forest_is_the_mean_of_its_trees() -> None:
    values = numbers()
    model = ensemble.RandomForestRegressor(n_estimators=5, random_state=0).fit(values, truth(values))
    each = [explained(member, values).contributions for member in model.estimators_]
    assert np.allclose(explained(model, values).contributions, np.mean(each, axis=0))


@pytest.mark.parametrize("kind", ["GradientBoostingClassifier", "HistGradientBoostingClassifier"])
def test_two_boosted_classes_are_explained_in_log_odds_with_opposite_signs(kind: str) -> None:
    values = numbers()
    model = few(kind).fit(values, truth(values) > 0)
    for_it, against = explained(model, values, target=1), explained(model, values, target=0)
    assert_adds_up(for_it)
    assert for_it.scale == "log-odds"
    assert np.allclose(1 / (1 + np.exp(-for_it.predictions)), model.predict_proba(values[:5])[:, 1])
    assert np.allclose(against.contributions, -for_it.contributions)
    assert against.base == pytest.approx(-for_it.base)


@pytest.mark.parametrize("kind", ["GradientBoostingClassifier", "HistGradientBoostingClassifier"])
def test_each_of_many_boosted_classes_has_its_margin(kind: str) -> None:
    values = numbers()
    model = few(kind).fit(values, np.digitize(truth(values), [-0.5, 0.5]))
    answer = explained(model, values, target=1)
    assert_adds_up(answer)
    assert answer.scale == "margin"
    assert np.allclose(answer.predictions, model.decision_function(values[:5])[:, 1])


def test_histogram_boosting_is_explained_as_by_the_definition() -> None:
    values = numbers()
    values[::5, 2] = np.nan
    told = np.nan_to_num(values[:, 2]) * values[:, 0] + values[:, 1]
    model = ensemble.HistGradientBoostingRegressor(max_iter=8, min_samples_leaf=5).fit(values, told)
    answer = explained(model, values, rows=6)
    for row, found in zip(values, answer.contributions, strict=False):

        def worth(known: frozenset[int], row: Floats = row) -> float:
            return sum(histogram_path_dependent(stage[0].nodes, row, known) for stage in model._predictors)

        assert np.allclose(found, shapley(4, worth), atol=1e-10)
    assert_adds_up(answer)


def test_categories_of_histogram_boosting_come_back_to_their_columns() -> None:
    import pandas as pd

    random = np.random.default_rng(0)
    frame = pd.DataFrame({
        "idle": random.normal(size=400),
        "city": pd.Categorical(random.choice(["a", "b", "c", "d"], 400)),
        "warmth": random.normal(size=400),
    })  # fmt: skip
    told = frame["warmth"] * (frame["city"] == "b") + 3.0 * (frame["city"] == "c")
    model = ensemble.HistGradientBoostingRegressor(categorical_features="from_dtype", max_iter=20).fit(frame, told)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    new = pa.table({
        "idle": [0.0, 0.0], "city": pa.array(["never seen", None]).dictionary_encode(), "warmth": [1.0, 1.0]
    })  # fmt: skip
    question = replace(ask(model, table, table), frame=lambda table: table.to_pandas())
    answer, of_new = plugin.explain(question), plugin.explain(replace(question, rows=new))
    assert answer is not None
    assert of_new is not None
    assert_adds_up(answer)
    assert_adds_up(of_new)
    size = np.abs(answer.contributions).mean(axis=0)
    assert size[1] > size[2] > 5 * size[0]


def test_a_logarithmic_link_is_explained_in_the_logarithm() -> None:
    values = numbers()
    model = ensemble.HistGradientBoostingRegressor(loss="poisson", max_iter=10).fit(values, np.exp(values[:, 0]))
    answer = explained(model, values)
    assert answer.scale == "log"
    assert np.allclose(np.exp(answer.predictions), model.predict(values[:5]))


def test_a_tree_without_a_split_says_its_base() -> None:
    values = numbers(30)
    model = tree.DecisionTreeRegressor().fit(values, np.ones(30))
    answer = explained(model, values)
    assert answer.base == 1.0
    assert not answer.contributions.any()


def test_a_chain_of_known_steps_is_followed() -> None:
    values = numbers()
    values[::9, 0] = np.nan
    prepare = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    model = make_pipeline(prepare, tree.DecisionTreeRegressor(max_depth=5, random_state=0)).fit(values, values[:, 1])
    answer = explained(model, values, rows=20)
    assert answer.contributions.shape == (20, 4)
    assert_adds_up(answer)


def test_what_mixes_columns_is_not_explained() -> None:
    from sklearn.decomposition import PCA

    values = numbers()
    model = make_pipeline(PCA(2), tree.DecisionTreeRegressor()).fit(values, values[:, 0])
    table = as_table(values)
    assert plugin.explain(ask(model, table, table, by="matrix")) is None


def test_a_sum_that_does_not_add_up_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    values = numbers()
    model = ensemble.HistGradientBoostingRegressor(max_iter=3).fit(values, values[:, 0])
    table = as_table(values)
    monkeypatch.setattr(model, "predict", lambda rows: np.full(len(rows), 5.0))
    assert plugin.explain(ask(model, table, table, by="matrix")) is None


def test_an_ordinal_encoder_keeps_columns_apart() -> None:
    table = pa.table({"city": ["a", "b", "c"] * 20, "idle": np.zeros(60)})
    prepare = make_column_transformer((OrdinalEncoder(), ["city"]), remainder="passthrough")
    model = make_pipeline(prepare, ensemble.RandomForestClassifier(5, random_state=0)).fit(
        as_frame(table), [True, False, False] * 20
    )
    answer = plugin.explain(ask(model, table.slice(0, 3), table, target=1))
    assert answer is not None
    assert answer.contributions[:, 0].tolist() == pytest.approx([2 / 3, -1 / 3, -1 / 3], abs=0.1)
    assert not answer.contributions[:, 1].any()


def test_a_release_without_what_is_read_is_not_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    values = numbers()
    model = few("HistGradientBoostingRegressor").fit(values, values[:, 0])
    table = as_table(values)
    monkeypatch.delattr(model, "_bin_mapper")
    assert plugin.explain(ask(model, table, table, by="matrix")) is None


def test_an_exponential_loss_has_a_margin_that_is_no_log_odds() -> None:
    values = numbers()
    model = ensemble.GradientBoostingClassifier(loss="exponential", n_estimators=5).fit(values, values[:, 0] > 0)
    answer = explained(model, values, target=1)
    assert answer.scale == "margin"
    assert_adds_up(answer)


def test_a_forest_too_large_to_wait_for_is_left_to_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    from flyball.evaluation.explain import tree as module

    values = numbers()
    model = few("RandomForestRegressor").fit(values, values[:, 0])
    table = as_table(values)
    monkeypatch.setattr(module, "_MOST_WORK", 10)
    assert plugin.explain(ask(model, table, table, by="matrix")) is None


def test_many_rows_and_few_are_explained_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    from flyball.evaluation.explain import _paths

    values = numbers()
    model = few("RandomForestRegressor").fit(values, truth(values))
    whole = explained(model, values, rows=50)
    monkeypatch.setattr(_paths, "_BLOCK_SLOTS", 100)
    monkeypatch.setattr(_paths, "_BLOCK_NUMBERS", 3_000)
    parts = explained(model, values, rows=50)
    assert np.allclose(whole.contributions, parts.contributions)
    assert whole.base == pytest.approx(parts.base)
