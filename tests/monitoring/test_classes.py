"""A model of three named classes through the ready-made steps: scored, registered, judged, estimated."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flyball.errors import InvalidInput
from flyball.loops.judging import judge_version
from flyball.models.package import load_model
from flyball.models.scored import scores_of, truth_for
from flyball.monitoring import monitor
from flyball.monitoring.profile import Reference
from flyball.monitoring.tables import Roles, examine_table
from flyball.pipelines.code_snapshot import load_project, snapshot_code
from flyball.pipelines.engine import run_pipeline
from flyball.registry import gate
from flyball.registry.versions import ModelVersion
from flyball.run_services import RunServices
from flyball.serialization import from_json
from flyball.settings import load_settings
from flyball.workspace import Workspace

Learned = tuple[Workspace, ModelVersion]

NAMES = np.array(["bus", "car", "train"])
PROJECT = """
import flyball as fb
from sklearn.linear_model import LogisticRegression

trips = fb.dataset("trips", "trips.parquet", key="id", label="by")

@fb.step
def train(rows: fb.Table) -> fb.Model:
    x, y = rows.xy()
    return LogisticRegression().fit(x, y)

@fb.pipeline
def learn():
    past, recent = fb.split(fb.training_set(trips), holdout="40%")
    model = train(past)
    return fb.register("trips", model, fb.evaluate(model, recent), reference=past)
"""


def trips(n: int, *, seed: int, spread: float = 1.0) -> pa.Table:
    """Rows of which those between the classes are hard; with less spread there are more of them."""
    random = np.random.default_rng(seed)
    x, y = spread * random.normal(size=(2, n))
    odds = np.stack([3 * x, 3 * y, -2 * x - 2 * y], axis=1)
    chances = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    places = (random.random(n)[:, None] > np.cumsum(chances, axis=1)[:, :2]).sum(axis=1)
    return pa.table({"id": [f"{seed}-{row}" for row in range(n)], "x": x, "y": y, "by": NAMES[places]})


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Learned]:
    folder = tmp_path_factory.mktemp("trips")
    (folder / "flyball.toml").write_text('name = "trips"\nmodule = "project.py"\n')
    (folder / "project.py").write_text(PROJECT)
    pq.write_table(trips(3_000, seed=1), folder / "trips.parquet")
    workspace = Workspace(load_settings(start=folder))
    code = snapshot_code(folder, workspace.blobs).digest
    services = RunServices(workspace=workspace, project_root=folder, source_root=folder, code=code)
    run_pipeline(load_project(folder, "project.py").pipelines["learn"], {}, services=services)
    yield workspace, workspace.registry.get_version("models:/trips/1")
    workspace.close()


def predicted(learned: Learned, rows: pa.Table, *, with_truth: bool = True) -> pa.Table:
    workspace, version = learned
    said = load_model(version.package, workspace.blobs).predict(rows)
    table = pa.table({"x": rows["x"], "y": rows["y"], "said": said["prediction"], "chances": said["probabilities"]})
    return table.append_column("truth", rows["by"] if with_truth else pa.nulls(rows.num_rows, pa.string()))


ROLES = Roles(prediction="said", probability="chances", truth="truth")


def test_named_classes_are_scored_by_all_their_probabilities(learned: Learned) -> None:
    evaluation = learned[1].evaluation
    assert evaluation is not None
    assert evaluation.task == "classification"
    metrics = {metric.name: metric.value for metric in evaluation.metrics}
    assert 0.6 < (metrics["accuracy"] or 0) < 0.95
    assert 0 < (metrics["log_loss"] or 0) < 0.8


def test_its_reference_says_what_each_probability_is_worth(learned: Learned) -> None:
    workspace, version = learned
    reference = from_json(workspace.blobs.get(version.reference), Reference)
    assert len(reference.class_calibrations) == 3
    assert reference.calibration is None
    assert reference.losses.keys() == {"x", "y"}


def test_what_is_estimated_is_what_the_truth_shows(learned: Learned) -> None:
    workspace, version = learned
    reference = from_json(workspace.blobs.get(version.reference), Reference)
    harder = trips(4_000, seed=5, spread=0.4)
    unknown = examine_table(
        predicted(learned, harder, with_truth=False), reference, monitors=(monitor.estimate(),), roles=ROLES
    )
    known = examine_table(predicted(learned, harder), reference, monitors=(monitor.performance(),), roles=ROLES)
    realised = {metric.name: metric.value for metric in known.performance}
    guessed = {metric.name: metric for metric in unknown.estimated}
    assert set(guessed) == {"accuracy", "log_loss", "f1"}
    for name in ("accuracy", "log_loss"):
        found = guessed[name]
        assert found.value is not None
        assert abs(found.value - (realised[name] or 0)) < 0.04
    assert (realised["accuracy"] or 1) < 0.75  # the rows are harder than those it was tried on


def test_what_it_does_worse_is_attributed_to_inputs(learned: Learned) -> None:
    workspace, version = learned
    reference = from_json(workspace.blobs.get(version.reference), Reference)
    window = examine_table(
        predicted(learned, trips(4_000, seed=6, spread=0.4)), reference, monitors=(monitor.performance(),), roles=ROLES
    )
    assert {each.column for each in window.attribution} == {"x", "y"}
    assert window.attribution[0].change > 0


def test_it_passes_a_gate(learned: Learned) -> None:
    workspace, version = learned
    verdict = judge_version(
        version, None, [gate.at_least("accuracy", 0.5), gate.schema()], registry=workspace.registry,
        blobs=workspace.blobs, clock=workspace.time,
    )  # fmt: skip
    assert verdict.passed


def test_a_class_that_it_has_never_seen_is_named(learned: Learned) -> None:
    workspace, version = learned
    model = load_model(version.package, workspace.blobs)
    assert scores_of(model, trips(10, seed=2)).shape == (10, 3)
    with pytest.raises(InvalidInput, match=r"'trein'.*never seen"):
        truth_for(model, pa.chunked_array([["bus", "trein"]]))
