"""Trainings with PyTorch Lightning, Keras and transformers are logged: the libraries themselves, not their shapes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flyball.settings import load_settings
from flyball.tracking.runs import Run
from flyball.workspace import Workspace
from tests.servers.absent import found
from tools import environments

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SCRIPT = Path(__file__).parent / "scripts/deep_trainings.py"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The workspace in which the script has trained."""
    python = found(environments.TORCH_CLIENT)
    (packages,) = python.parents[1].glob("[lL]ib/**/site-packages")
    folder = tmp_path_factory.mktemp("deep")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLYBALL_", "MLFLOW_"))}
    quiet = {
        "KERAS_BACKEND": "torch",
        "KERAS_HOME": str(folder / "keras"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(packages)],
        env={**kept, **quiet, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "could not be logged" not in done.stderr
    return Workspace(load_settings({"workspace": str(folder / ".flyball")}, environment={}))


def run_of(workspace: Workspace, name: str) -> Run:
    """The one run of that name."""
    (run,) = [run for run in workspace.tracking.list_runs() if run.name == name]
    assert run.state == "finished"
    return run


def steps(workspace: Workspace, run: Run, key: str) -> list[int]:
    """The steps at which a metric was logged."""
    return [point.step for point in workspace.tracking.metric_history(run.id, key)]


def test_lightning_epochs_are_logged(trained: Workspace) -> None:
    run = run_of(trained, "lightning")
    assert (run.params["rate"], run.params["optimizer"], run.params["max_epochs"]) == (0.1, "SGD", 3)
    assert steps(trained, run, "loss") == [0, 1, 2]


def test_the_logger_of_lightning_logs_to_a_run(trained: Workspace) -> None:
    run = run_of(trained, "by the logger")
    assert (run.params, run.metrics) == ({"rate": 0.1}, {"loss": 0.5})
    assert steps(trained, run, "loss") == [7]


def test_keras_epochs_are_logged(trained: Workspace) -> None:
    run = run_of(trained, "keras")
    assert (run.params["epochs"], run.params["batch_size"], run.params["loss"]) == (3, 50, "mse")
    assert run.params["optimizer_learning_rate"] == pytest.approx(0.05)
    assert steps(trained, run, "loss") == steps(trained, run, "mae") == steps(trained, run, "val_loss") == [0, 1, 2]


def test_a_trainer_of_transformers_is_logged(trained: Workspace) -> None:
    run = run_of(trained, "transformers")
    assert (run.params["max_steps"], run.params["model"]) == (4, "Plain")
    assert steps(trained, run, "loss") == [1, 2, 3, 4]
