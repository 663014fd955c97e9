"""The examples run as their pages say, on the data that they draw."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers.absent import found
from tools import environments

ROOT = Path(__file__).parents[2]


def example(name: str, folder: Path, python: str = sys.executable) -> Path:
    """A copy of an example, with its data."""
    copy = folder / name
    shutil.copytree(ROOT / "examples" / name, copy, ignore=shutil.ignore_patterns("data", ".flyball", "__pycache__"))
    subprocess.run([python, "generate.py"], cwd=copy, check=True)
    return copy


def flyball(folder: Path, *arguments: str, python: str = sys.executable) -> Any:
    """What a command says as JSON; it must succeed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLYBALL_")}
    done = subprocess.run(
        [python, "-m", "flyball.cli", *arguments, "--json"], cwd=folder, capture_output=True, text=True, check=False,
        env={**environment, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.slow
def test_sales_are_forecast_better_than_by_the_week_before(tmp_path: Path) -> None:
    folder = example("sales", tmp_path)
    scores = {
        kind: flyball(folder, "run", "forecast", "-p", f"kind={kind}")["run"]["metrics"]["mae"]
        for kind in ("trees", "naive")
    }
    assert scores["trees"] < 0.7 * scores["naive"]
    assert flyball(folder, "test", "quality")["passed"]
    assert {one["kind"] for one in flyball(folder, "apply", "--plan")["changes"]} == {"dataset", "loop"}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_rents_are_learned_and_answered_by_r(tmp_path: Path) -> None:
    folder = example("rents", tmp_path)
    assert flyball(folder, "run", "fair_rent")["run"]["metrics"]["r2"] > 0.9
    assert flyball(folder, "test", "directional")["passed"]


@pytest.mark.slow
def test_reviews_are_read_by_a_network(tmp_path: Path) -> None:
    python = str(found(environments.FRAMEWORKS))
    folder = example("reviews", tmp_path, python)
    assert flyball(folder, "run", "praise", python=python)["run"]["metrics"]["roc_auc"] > 0.85
