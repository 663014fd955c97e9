from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flyball.evaluation.explain.booster import plugin
from tests.evaluation.explain.brute_force import Floats
from tests.evaluation.explain.subjects import as_table, ask, numbers

pytest.importorskip("sklearn")


def boosted(library: str, kind: str, truth: Any, values: Floats) -> Any:
    found = pytest.importorskip(library)
    model = getattr(found, ("XGB" if library == "xgboost" else "LGBM") + kind)
    quiet = {"verbosity": 0} if library == "xgboost" else {"verbose": -1}
    return model(n_estimators=10, n_jobs=1, **quiet).fit(values, truth)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("target", [0, 1])
def test_two_classes_are_explained_in_log_odds(library: str, target: int) -> None:
    values = numbers()
    model = boosted(library, "Classifier", (values[:, 0] > values[:, 1]).astype(int), values)
    table = as_table(values)
    answer = plugin.explain(ask(model, table.slice(0, 9), table, target=target, by="matrix"))
    assert answer is not None
    assert (answer.scale, answer.exact) == ("log-odds", True)
    odds = answer.contributions.sum(axis=1) + answer.base
    assert np.allclose(1 / (1 + np.exp(-odds)), model.predict_proba(values[:9])[:, target], atol=1e-4)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_each_of_many_classes_has_its_margin(library: str) -> None:
    values = numbers()
    model = boosted(library, "Classifier", np.digitize(values[:, 0], [-0.5, 0.5]), values)
    table = as_table(values)
    answers = [plugin.explain(ask(model, table, table, target=target, by="matrix")) for target in range(3)]
    margins = np.column_stack([answer.contributions.sum(axis=1) + answer.base for answer in answers if answer])
    chances = np.exp(margins) / np.exp(margins).sum(axis=1, keepdims=True)
    assert np.allclose(chances, model.predict_proba(values), atol=1e-4)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_values_add_up(library: str) -> None:
    values = numbers()
    model = boosted(library, "Regressor", values[:, 0] * 2, values)
    table = as_table(values)
    answer = plugin.explain(ask(model, table, table, by="matrix"))
    assert answer is not None
    assert answer.scale == "value"
    assert np.allclose(answer.contributions.sum(axis=1) + answer.base, model.predict(values), atol=1e-4)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_a_booster_on_a_frame_is_explained(library: str) -> None:
    values = numbers()
    table = as_table(values)
    model = boosted(library, "Regressor", values[:, 0] * 2, table.to_pandas())
    answer = plugin.explain(ask(model, table, table))
    assert answer is not None
    assert np.abs(answer.contributions).mean(axis=0).argmax() == 0


def test_others_are_left_to_others() -> None:
    from sklearn.linear_model import LinearRegression

    values = numbers(30)
    table = as_table(values)
    model = LinearRegression().fit(values, values[:, 0])
    assert plugin.explain(ask(model, table, table, by="matrix")) is None
