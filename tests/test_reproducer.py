"""Versions that are trained again, in real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flyball.errors import InvalidInput, NotFound
from flyball.governance.reproduction import environment_changes
from flyball.models.environment import Environment
from flyball.models.package import no_package
from flyball.pipelines.code_snapshot import load_project, snapshot_code
from flyball.pipelines.engine import run_pipeline
from flyball.reproducer import reproduce
from flyball.run_services import RunServices
from flyball.settings import load_settings
from flyball.workspace import Workspace

PROJECT = """
from pathlib import Path
import flyball as fb

rows = fb.dataset("rows", "rows.csv", key="id", label="yes")


@fb.step
def train(table: fb.Table, rate: float) -> fb.Model:
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    x, y = table.xy()
    NOISE
    return LogisticRegression(C=rate).fit(x.assign(a=x["a"] + noise), y)


@fb.pipeline
def small(rate: float = 1.0):
    past, recent = fb.split(fb.training_set(rows), holdout="30%")
    model = train(past, rate)
    return fb.register("small", model, fb.evaluate(model, recent))
"""
NOISES = {
    "none": "noise = 0.0",
    "chance": "noise = np.random.normal(size=len(x))",
    "file": 'noise = float(Path("noise.dat").read_text())',
}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flyball.toml").write_text('name = "small"\nmodule = "project.py"\n')
    (tmp_path / "noise.dat").write_text("0")
    write_rows(tmp_path, seed=0)
    with Workspace(load_settings(start=tmp_path)) as workspace:
        yield workspace


def write_rows(folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 400))
    pd.DataFrame({"id": range(400), "a": a, "b": b, "yes": a + b + rng.normal(size=400) > 0}).to_csv(
        folder / "rows.csv", index=False
    )


def train(workspace: Workspace, noise: str) -> str:
    root = workspace.root
    (root / "project.py").write_text(PROJECT.replace("NOISE", NOISES[noise]))
    code = snapshot_code(root, workspace.blobs)
    services = RunServices(workspace=workspace, project_root=root, source_root=root, code=code.digest)
    pipeline = load_project(root, "project.py").pipelines["small"]
    run_pipeline(pipeline, {"rate": 0.5}, services=services)
    return "models:/small/1"


def test_a_version_is_made_again_after_code_and_data_have_moved_on(workspace: Workspace) -> None:
    ref = train(workspace, "none")
    write_rows(workspace.root, seed=1)
    (workspace.root / "project.py").write_text("raise RuntimeError('not this one')")
    found = reproduce(workspace, ref)
    assert (found.outcome, found.reasons, found.environment) == ("identical", (), ())
    assert found.comparison.is_same_content
    assert found.comparison.rows > 100
    assert all(then == now for then, now in found.metrics.values())
    assert workspace.tracking.get_run(found.runs[0]).tags["reproduces"] == ref
    assert len(workspace.registry.list_versions("small")) == 1


@pytest.mark.slow
def test_chance_is_found_and_named(workspace: Workspace) -> None:
    found = reproduce(workspace, train(workspace, "chance"))
    assert found.outcome == "different"
    assert found.comparison.changed > 0
    assert found.reasons[0].startswith("Two trainings today differ from each other in ")
    assert "draws random numbers without a seed" in found.reasons[1]
    assert len(found.runs) == 4


def test_what_a_step_reads_by_itself_is_suspected(workspace: Workspace) -> None:
    ref = train(workspace, "file")
    (workspace.root / "noise.dat").write_text("0.7")
    found = reproduce(workspace, ref)
    assert found.outcome == "different"
    assert "a file, an address or a time that a step reads by itself" in found.reasons[1]


def test_a_large_tolerance_makes_near_models_equal(workspace: Workspace) -> None:
    ref = train(workspace, "file")
    (workspace.root / "noise.dat").write_text("0.001")
    assert reproduce(workspace, ref, tolerance=0.01).outcome == "equal"


def test_what_was_not_made_by_a_pipeline_is_told(workspace: Workspace) -> None:
    workspace.registry.register(model="small", package=no_package())
    with pytest.raises(InvalidInput, match="files of models:/small/1 are kept elsewhere"):
        reproduce(workspace, "models:/small/1")
    with pytest.raises(NotFound):
        reproduce(workspace, "models:/smal/1")


def test_each_change_of_the_environment_is_a_sentence() -> None:
    then = Environment(
        python="3.11.1", platform="linux-x86_64", packages={"numpy": "2.1", "scipy": "1.1"}, processor="A", cores=4,
        variables={"OMP_NUM_THREADS": "2"},
    )  # fmt: skip
    now = Environment(python="3.12.0", platform="linux-x86_64", packages={"numpy": "2.2"}, processor="B", cores=4)
    assert environment_changes(then, now) == [
        "Python went from 3.11.1 to 3.12.0",
        "numpy went from 2.1 to 2.2",
        "scipy 1.1 is not installed now",
        "the processor went from A to B",
        "OMP_NUM_THREADS went from 2 to unset",
    ]
    assert environment_changes(then, then) == []
