"""Whole searches: real libraries, real processes, real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import flyball as fb
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.model_search.run import AutoMlResult, automl
from flyball.model_search.search import Wanted
from flyball.models.package import load_model
from flyball.workspace import Workspace
from tests.model_search.conftest import QUICK, orders, run_file, sales, services_in


def test_the_winner_beats_the_baseline(found: AutoMlResult) -> None:
    result = found.search.result
    assert result is not None
    assert result.baseline == pytest.approx(0.5)
    assert (result.holdout or 0.0) > 0.6
    assert found.best.score is not None


def test_the_baseline_is_always_a_line_of_the_leaderboard(found: AutoMlResult) -> None:
    base = next(one for one in found.leaderboard if one.number == 0)
    assert base.family == "baseline"
    assert base.score == pytest.approx(0.5)


def test_each_judged_candidate_says_what_it_costs(found: AutoMlResult) -> None:
    judged = [one for one in found.leaderboard if one.state == "finished"]
    assert judged
    assert all((one.predict_ms or 0) > 0 and (one.size or 0) > 0 for one in judged)
    assert all("make_pipeline" in one.code for one in judged if one.family in QUICK)


def test_candidates_climb(found: AutoMlResult) -> None:
    climbed = [one for one in found.leaderboard if len(one.rungs) == 2 and one.family in QUICK]
    assert climbed
    assert all(one.rungs[1].folds > one.rungs[0].folds for one in climbed)


def test_what_was_left_out_is_said(found: AutoMlResult) -> None:
    notes = " ".join(found.search.notes)
    assert "'country' is left out: it is the same in every row." in notes
    assert "order_id" not in found.file.replace('key="order_id"', "")


def test_it_is_explained(found: AutoMlResult) -> None:
    assert found.search.result is not None
    worth = found.search.result.importance
    assert worth is not None
    assert worth.columns[0].column in ("message", "amount")


def test_judged_candidates_are_runs(found: AutoMlResult, shared: Workspace) -> None:
    best = next(one for one in found.leaderboard if one.run)
    run = shared.tracking.get_run(best.run)
    assert run.metrics["roc_auc"] == best.score
    assert run.tags["automl"] == "returns"


def test_the_file_gives_the_same_model(found: AutoMlResult, shared: Workspace, tmp_path: Path) -> None:
    version = run_file(found, shared, tmp_path / "mine")
    rows = fb.Table(orders()).arrow
    theirs = load_model(version.package, shared.blobs).predict(rows)
    ours = found.predict(rows)
    assert theirs["probability"].to_pylist() == pytest.approx(ours["probability"].to_pylist(), abs=1e-9)
    scores = {metric.name: metric.value for metric in version.evaluation.metrics}
    assert scores["roc_auc"] == pytest.approx(found.best.holdout)


def test_a_search_that_has_finished_is_not_done_again(found: AutoMlResult, shared: Workspace) -> None:
    rows = fb.Table(orders(), key="order_id", label="returned")
    again = automl(rows, "returned", services=services_in(shared), time_budget=12, families=QUICK, name="returns")
    assert again.search == found.search


def test_a_file_is_not_written_over(found: AutoMlResult, tmp_path: Path) -> None:
    (tmp_path / "project.py").write_text("# mine")
    with pytest.raises(Conflict):
        found.write(tmp_path / "project.py")
    found.write(tmp_path / "other.py")
    assert (tmp_path / "other.py").read_text() == found.file


def test_a_forecast_follows_week_and_trend(shared: Workspace, tmp_path: Path) -> None:
    result = automl(
        sales(), "sold", services=services_in(shared), task="forecasting", time="day", groups="shop", horizon=14,
        time_budget=6, families=QUICK, name="sales",
    )  # fmt: skip
    told = result.search.result
    assert told is not None
    assert told.holdout is not None
    assert told.baseline is not None
    assert told.holdout < told.baseline
    version = run_file(result, shared, tmp_path / "mine")
    ahead = pd.DataFrame({"day": pd.date_range("2026-05-31", periods=10), "shop": "s1"})
    ours = result.predict(ahead)["prediction"].to_pylist()
    theirs = load_model(version.package, shared.blobs).predict(fb.Table(ahead).arrow)["prediction"].to_pylist()
    assert theirs == pytest.approx(ours, abs=1e-9)
    assert 100 < np.mean(ours) < 150


def test_values_are_learned_by_groups(shared: Workspace, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.random(400)
    frame = pd.DataFrame(
        {"patient": random.integers(0, 40, 400), "dose": x, "after": 3 * x + random.normal(0, 0.1, 400)}
    )
    result = automl(
        frame,
        "after",
        services=services_in(shared),
        groups="patient",
        time_budget=4,
        families=("linear",),
        name="doses",
    )
    assert result.search.task == "regression"
    assert (result.best.holdout or 9.0) < 0.2
    version = run_file(result, shared, tmp_path / "mine")
    rows = fb.Table(frame).arrow
    theirs = load_model(version.package, shared.blobs).predict(rows)
    assert theirs["prediction"].to_pylist() == pytest.approx(result.predict(rows)["prediction"].to_pylist(), abs=1e-9)
    assert "patient" not in [column.name for column in version.package.signature.inputs.columns]


def test_what_came_later_judges_where_there_is_a_time(shared: Workspace, tmp_path: Path) -> None:
    frame = orders(300)
    frame["ordered"] = pd.to_datetime(frame["ordered"])
    rows = fb.Table(frame, label="returned")
    result = automl(
        rows,
        "returned",
        services=services_in(shared),
        time="ordered",
        time_budget=3,
        families=("linear",),
        name="later",
    )
    assert 'fb.split(rows, holdout="20%")' in result.file
    version = run_file(result, shared, tmp_path / "mine")
    theirs = load_model(version.package, shared.blobs).predict(rows.arrow)
    assert theirs["probability"].to_pylist() == pytest.approx(
        result.predict(frame)["probability"].to_pylist(), abs=1e-9
    )


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ([None] * 30, "missing in all rows"),
        (["yes"] * 30, "in every row"),
        (["yes"] * 29 + ["no"], "1 row only"),
        ([float(n) for n in range(29)] + [float("inf")], "infinite or no number"),
        ([f"name {n}" for n in range(300)], "300 classes"),
        ([[1]] * 30, "of type list"),
    ],
    ids=["missing", "constant", "rare", "infinite", "names", "lists"],
)
def test_a_label_that_cannot_be_learned_is_refused(
    shared: Workspace, label: list[object], said: str, request: pytest.FixtureRequest
) -> None:
    import pyarrow as pa

    rows = pa.table({"x": [float(n) for n in range(len(label))], "y": pa.array(label)})
    name = f"bad-{request.node.callspec.id}"
    with pytest.raises(InvalidInput, match=said):
        automl(rows, "y", services=services_in(shared), time_budget=5, name=name)
    assert shared.automl.get(name).state == "failed"


def test_a_metric_of_another_task_is_refused(shared: Workspace) -> None:
    with pytest.raises(InvalidInput, match="rmse"):
        automl(orders(50), "returned", services=services_in(shared), metric="rmse", name="wrong-metric")


def test_a_label_that_is_not_there_is_refused(shared: Workspace) -> None:
    with pytest.raises(InvalidInput, match="returnd"):
        automl(orders(50), "returnd", services=services_in(shared), name="wrong-label")


def test_a_dataset_that_is_not_there_is_refused(shared: Workspace) -> None:
    with pytest.raises(NotFound):
        automl("nothing", "y", services=services_in(shared))


def test_a_kind_of_model_that_is_not_there_is_refused(shared: Workspace) -> None:
    with pytest.raises(InvalidInput, match="linaer"):
        automl(orders(60), "returned", services=services_in(shared), families=("linaer",), name="wrong-kind")


def test_too_short_a_time_still_gives_a_model(shared: Workspace) -> None:
    result = automl(
        orders(200), "returned", services=services_in(shared), time_budget=1, families=("linear",), name="short"
    )
    assert result.best.family == "linear"


def test_a_search_for_a_worker_waits(shared: Workspace) -> None:
    begun = shared.automl.start("waits", Wanted(dataset="returns", label="returned"))
    assert (begun.state, begun.place) == ("queued", "worker")
