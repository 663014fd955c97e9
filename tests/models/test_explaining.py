"""Models that were kept and read back, explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from flyball.errors import InvalidInput
from flyball.models.explaining import explain_model, measure_importance
from flyball.models.frames import to_pandas
from flyball.models.package import LoadedModel, load_model, save_model
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs
from tests.models import functions

pytest.importorskip("sklearn")

from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

N = 200
RANDOM = np.random.default_rng(0)
ROWS = pa.table({
    "delay": RANDOM.normal(size=N), "carrier": RANDOM.choice(["AA", "B6", "EV"], N), "idle": RANDOM.integers(0, 9, N)
})  # fmt: skip
LATE = (ROWS["delay"].to_numpy() > 0.2) | (np.array(ROWS["carrier"].to_pylist()) == "EV")


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(LocalObjects(tmp_path / "objects", durable=False))


def encoded(last: Any, truth: Any = LATE) -> Any:
    prepare = make_column_transformer((OneHotEncoder(), ["carrier"]), remainder="passthrough")
    return make_pipeline(prepare, last).fit(ROWS.to_pandas(), truth)


def kept(model: Any, blobs: Blobs, **more: Any) -> LoadedModel:
    return load_model(save_model(model, blobs, example=ROWS, **more), blobs)


@pytest.mark.parametrize(
    ("last", "method", "scale"),
    [
        (LogisticRegression(), "linear", "log-odds"),
        (DecisionTreeClassifier(max_depth=4), "tree", "probability"),
        (HistGradientBoostingClassifier(max_iter=5), "tree", "log-odds"),
        (LinearSVC(), "linear", "margin"),
    ],
)
def test_text_that_was_encoded_is_one_column_again(blobs: Blobs, last: Any, method: str, scale: str) -> None:
    found = explain_model(kept(encoded(last), blobs), ROWS.slice(0, 10))
    assert (found.method, found.exact, found.scale, found.target) == (method, True, scale, True)
    assert {one.column for one in found.rows[0].contributions} == {"delay", "carrier", "idle"}
    assert found.columns[-1].column == "idle"
    for row in found.rows:
        assert found.base + sum(one.contribution for one in row.contributions) == pytest.approx(row.prediction)


def test_categories_that_a_model_takes_as_they_are_are_explained(blobs: Blobs) -> None:
    model = HistGradientBoostingClassifier(max_iter=8, categorical_features="from_dtype").fit(to_pandas(ROWS), LATE)
    found = explain_model(kept(model, blobs), ROWS.slice(0, 10))
    assert (found.method, found.exact) == ("tree", True)
    assert [one.column for one in found.columns] == ["delay", "carrier", "idle"]
    unseen = ROWS.slice(0, 1).set_column(1, "carrier", pa.array(["never seen"]))
    assert explain_model(kept(model, blobs), unseen).exact


def test_drawing_comes_to_what_is_exact(blobs: Blobs) -> None:
    model = kept(encoded(DecisionTreeClassifier(max_depth=4)), blobs)
    found = explain_model(model, ROWS.slice(0, 5), method="sampling", samples=400)
    said = model.predict(ROWS.slice(0, 5))["probability"].to_pylist()
    assert [row.prediction for row in found.rows] == pytest.approx(said)
    assert not found.exact
    assert found.rows[0].contributions[0].error is not None


def test_the_class_that_is_explained_can_be_named(blobs: Blobs) -> None:
    three = np.where(LATE, np.where(ROWS["delay"].to_numpy() > 1, "very", "late"), "on time")
    model = kept(encoded(DecisionTreeClassifier(max_depth=4), three), blobs)
    by_name = {name: explain_model(model, ROWS.slice(0, 3), target=name) for name in ("very", "late", "on time")}
    chances = [sum(found.rows[place].prediction for found in by_name.values()) for place in range(3)]
    assert chances == pytest.approx([1, 1, 1])
    drawn = explain_model(model, ROWS.slice(0, 3), target="late", method="sampling")
    assert [row.prediction for row in drawn.rows] == pytest.approx([row.prediction for row in by_name["late"].rows])
    assert explain_model(model, ROWS.slice(0, 1)).target == "very"
    with pytest.raises(InvalidInput, match="no class 'lat'") as refused:
        explain_model(model, ROWS, target="lat")
    assert "late" in refused.value.hint


def test_the_first_of_two_classes_is_the_other_way_round(blobs: Blobs) -> None:
    model = kept(encoded(DecisionTreeClassifier(max_depth=4)), blobs)
    for method in ("tree", "sampling"):
        first, last = (
            explain_model(model, ROWS.slice(0, 2), target=target, method=method) for target in ("False", "True")
        )
        assert first.target is False
        assert first.rows[0].prediction == pytest.approx(1 - last.rows[0].prediction)


def test_a_model_fitted_on_a_plain_array_is_explained(blobs: Blobs) -> None:
    values = RANDOM.normal(size=(50, 2))
    table = pa.table({"a": values[:, 0], "b": values[:, 1]})
    model = LogisticRegression().fit(values, values[:, 0] > 0)
    found = explain_model(load_model(save_model(model, blobs, example=table), blobs), table)
    assert (found.method, found.columns[0].column) == ("linear", "a")


def test_a_function_is_explained(blobs: Blobs) -> None:
    table = pa.table({"x": [1.0, 2.0, 3.0], "idle": [0.0, 5.0, 1.0]})
    package = save_model(functions.doubled, blobs, example=table)
    found = explain_model(load_model(package, blobs), table.slice(0, 1))
    assert (found.method, found.target, found.background) == ("sampling", None, 3)
    assert [one.contribution for one in found.rows[0].contributions] == pytest.approx([2.0 - found.base, 0.0])
    chances = load_model(save_model(functions.chances, blobs, example=table), blobs)
    assert explain_model(chances, table).scale == "probability"
    ruled = save_model(functions.words, blobs, example=table, classes=("low", "high"))
    hits = explain_model(load_model(ruled, blobs), table)
    assert (hits.target, [row.prediction for row in hits.rows]) == ("high", [1.0, 1.0, 1.0])


def test_bad_input_is_refused(blobs: Blobs) -> None:
    model = kept(encoded(LogisticRegression()), blobs)
    with pytest.raises(InvalidInput, match="no column 'carrier'"):
        explain_model(model, ROWS.select(["delay"]))
    with pytest.raises(InvalidInput, match="nothing to explain"):
        explain_model(model, ROWS.slice(0, 0))
    with pytest.raises(InvalidInput, match="no example rows to compare with"):
        explain_model(model, ROWS, background=ROWS.slice(0, 0))
    table = pa.table({"x": [1.0]})
    numbers = load_model(save_model(functions.words, blobs, example=table), blobs)
    with pytest.raises(InvalidInput, match="answers with string"):
        explain_model(numbers, table)
    with pytest.raises(InvalidInput, match="knows no classes"):
        explain_model(numbers, table, target="x")


def test_what_columns_are_worth_is_measured_on_a_kept_model(blobs: Blobs) -> None:
    found = measure_importance(kept(encoded(LogisticRegression()), blobs), ROWS, LATE)
    assert (found.metric, found.n) == ("log_loss", N)
    assert [one.column for one in found.columns][2] == "idle"
    few = measure_importance(kept(encoded(LogisticRegression()), blobs), ROWS, LATE, most_rows=50)
    assert few.n == 50


def test_what_columns_are_worth_to_many_classes(blobs: Blobs) -> None:
    three = LATE.astype(int) + (ROWS["delay"].to_numpy() > 1)
    found = measure_importance(kept(encoded(LogisticRegression(), three), blobs), ROWS, three)
    assert found.columns[0].column in ("delay", "carrier")
