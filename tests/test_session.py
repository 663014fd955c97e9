"""What a notebook does: `fb.run`, `fb.log`, `fb.snapshot`, `fb.load_model`, `fb.predict`, in the folder it stands in."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

import flyball as fb
from flyball import session
from flyball.data.snapshot import load_snapshot
from flyball.errors import InvalidInput, NotFound
from flyball.models.package import save_model

ROWS = pa.table({"age": [20.0, 40.0, 60.0, 80.0], "bought": [False, False, True, True]})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One stands in an empty folder."""
    for name in [name for name in os.environ if name.startswith("FLYBALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "_opened", {})
    return tmp_path


def test_the_workspace_is_made_in_the_folder_one_stands_in(folder: Path) -> None:
    with fb.run():
        pass
    assert (folder / ".flyball" / "flyball.db").is_file()


def test_one_workspace_is_opened_once() -> None:
    assert fb.connect() is fb.connect()


def test_a_run_keeps_what_was_given_and_logged() -> None:
    with fb.run("prices", name="first try", tags={"who": "Ada"}, depth=3) as run:
        fb.log(loss=0.5)
        fb.log(loss=0.25, params={"width": 7}, tags={"why": "trying"})
    found = fb.connect().tracking.get_run(run.id)
    assert (found.experiment, found.name, found.state) == ("prices", "first try", "finished")
    assert found.params == {"depth": 3, "width": 7}
    assert found.tags == {"who": "Ada", "why": "trying"}
    assert found.metrics == {"loss": 0.25}


def test_steps_of_a_metric_are_counted_on_from_the_last() -> None:
    with fb.run() as run:
        fb.log(loss=3.0)
        fb.log(loss=2.0, step=10)
        fb.log(loss=1.0)
        fb.log(other=1.0)
    history = fb.connect().tracking.metric_history(run.id, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 3.0), (10, 2.0), (11, 1.0)]


def test_a_run_in_a_run_is_its_child() -> None:
    with fb.run() as outer, fb.run() as inner:
        fb.log(loss=1.0)
    tracking = fb.connect().tracking
    assert tracking.get_run(inner.id).parent == outer.id
    assert tracking.get_run(outer.id).metrics == {}


def test_a_run_whose_work_fails_says_why_and_lets_the_error_pass() -> None:
    with pytest.raises(ZeroDivisionError), fb.run() as run:
        raise ZeroDivisionError("no such share")
    found = fb.connect().tracking.get_run(run.id)
    assert (found.state, found.error) == ("failed", "ZeroDivisionError: no such share")


def test_logging_outside_a_run_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no run to log to"):
        fb.log(loss=1.0)


def test_a_metric_that_is_no_number_is_refused() -> None:
    with fb.run() as run, pytest.raises(InvalidInput, match="Metric 'loss' is 'low'"):
        fb.log(loss="low")  # type: ignore[arg-type]  # what is refused
    assert fb.connect().tracking.get_run(run.id).metrics == {}


def test_a_snapshot_of_a_table_gives_its_rows_back() -> None:
    taken = fb.snapshot("buyers", ROWS)
    here = fb.connect()
    assert here.data.get_snapshot("buyers").id == taken.id
    assert here.data.get("buyers").name == "buyers"
    assert load_snapshot(here.blobs, taken).equals(ROWS)


def test_a_snapshot_of_a_path_and_of_a_pandas_frame_are_taken_too(folder: Path) -> None:
    (folder / "buyers.csv").write_text("age,bought\n20,false\n60,true\n", encoding="utf-8")
    assert fb.snapshot("buyers", folder / "buyers.csv").rows == 2
    assert fb.snapshot("buyers", ROWS.to_pandas()).rows == 4


def test_the_same_rows_are_the_same_snapshot() -> None:
    assert fb.snapshot("buyers", ROWS).id == fb.snapshot("buyers", ROWS).id


def _register() -> None:
    from sklearn.tree import DecisionTreeClassifier

    here, rows = fb.connect(), fb.Table(ROWS, label="bought")
    package = save_model(DecisionTreeClassifier().fit(*rows.xy()), here.blobs, example=rows.inputs())
    here.registry.register(
        model="buyers", package=package, run="", evaluation=None, holdout="", label="bought", slices=(), reference="",
        snapshots=(), code="", params={},
    )  # fmt: skip


def test_a_registered_model_predicts() -> None:
    _register()
    assert fb.predict("models:/buyers/1", ROWS)["prediction"].to_pylist() == [False, False, True, True]
    assert fb.load_model("buyers/1").predict(ROWS).num_rows == 4


def test_predictions_are_made_for_a_pandas_frame_too() -> None:
    _register()
    assert fb.predict("buyers/1", ROWS.to_pandas())["prediction"].to_pylist() == [False, False, True, True]


def test_a_model_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound, match="no model 'buyers'"):
        fb.load_model("models:/buyers@champion")


def test_rows_without_the_models_columns_are_refused() -> None:
    _register()
    with pytest.raises(InvalidInput, match="age"):
        fb.predict("buyers/1", pa.table({"years": [1.0]}))
