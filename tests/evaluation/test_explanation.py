from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from flyball.errors import InvalidInput, NotFound, WorkFailed
from flyball.evaluation.explain.base import EXPLAINERS, Question
from flyball.evaluation.explanation import Explanation, explain
from flyball.serialization import from_json, to_json
from tests.evaluation.explain.brute_force import Floats
from tests.evaluation.explain.subjects import as_table, ask, numbers


def doubled(table: pa.Table) -> Floats:
    return np.asarray(table["x"].to_numpy(zero_copy_only=False), dtype=np.float64) * 2.0


ROWS = pa.table({"x": [1.0, 3.0], "city": ["a", None]})
QUESTION = Question(rows=ROWS, background=ROWS, score=doubled, scale="value", seed=0)


def test_a_model_that_can_only_be_asked_is_explained_by_drawing() -> None:
    found = explain(QUESTION, model="models:/double/1")
    assert (found.method, found.exact, found.scale, found.model) == ("sampling", False, "value", "models:/double/1")
    first = found.rows[0]
    assert first.prediction == 2.0
    assert [(one.column, one.value) for one in first.contributions] == [("x", 1.0), ("city", "a")]
    assert first.contributions[0].contribution == pytest.approx(2.0 - found.base)
    assert first.contributions[1].contribution == 0.0
    assert found.columns[0].column == "x"
    assert found.columns[0].size == pytest.approx(2.0)
    assert found.gap < 1e-12


def test_an_explanation_survives_json() -> None:
    found = explain(QUESTION)
    assert from_json(to_json(found), Explanation) == found


def test_what_can_be_exact_is_exact() -> None:
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LinearRegression
    from sklearn.tree import DecisionTreeRegressor

    values = numbers(60)
    table = as_table(values)
    for model, method in ((LinearRegression(), "linear"), (DecisionTreeRegressor(), "tree")):
        model.fit(values, values[:, 0])
        found = explain(ask(model, table, table, by="matrix"))
        assert (found.method, found.exact) == (method, True)
        assert found.rows[0].contributions[0].error is None


def test_a_model_behind_a_mixing_step_is_explained_by_drawing() -> None:
    pytest.importorskip("sklearn")
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline

    values = numbers(60)
    table = as_table(values)
    model = make_pipeline(PCA(2), LinearRegression()).fit(values, values[:, 0])
    found = explain(ask(model, table.slice(0, 2), table, by="matrix"))
    assert (found.method, found.exact) == ("sampling", False)


def test_a_method_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'tree' cannot explain"):
        explain(QUESTION, method="tree")
    with pytest.raises(NotFound, match="'trees'"):
        explain(QUESTION, method="trees")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rows": ROWS.slice(0, 0)}, "nothing to explain"),
        ({"rows": ROWS.select([])}, "nothing to explain"),
        ({"background": ROWS.slice(0, 0)}, "no rows to compare with"),
        ({"rows": pa.table({"x": np.zeros(10_001)})}, "10,001 rows are too many"),
        ({"samples": 1}, "samples is 1"),
        ({"samples": 1_000_000}, "samples is 1000000"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_bad_questions_are_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        explain(replace(QUESTION, **change))  # type: ignore[arg-type]  # what is refused


def test_contributions_that_do_not_add_up_are_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = EXPLAINERS.get("sampling").explain(QUESTION)
    assert answer is not None
    wrong = replace(answer, base=answer.base + 1)
    monkeypatch.setattr(type(EXPLAINERS.get("sampling")), "explain", lambda *_: wrong)
    with pytest.raises(WorkFailed, match="miss the prediction by 1"):
        explain(QUESTION)


def test_times_and_lists_are_told_as_text() -> None:
    from datetime import UTC, datetime

    rows = ROWS.append_column("at", pa.array([datetime(2026, 1, 2, tzinfo=UTC)] * 2))
    rows = rows.append_column("tags", pa.array([["a"], ["b"]])).append_column("gap", pa.array([float("nan"), 1.0]))
    found = explain(replace(QUESTION, rows=rows, background=rows))
    values = {one.column: one.value for one in found.rows[0].contributions}
    assert values["at"] == "2026-01-02T00:00:00+00:00"
    assert values["tags"] == "['a']"
    assert values["gap"] is None
