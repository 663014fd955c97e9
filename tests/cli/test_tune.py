"""`flyball tune` and `flyball studies`, as they are called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = """
from typing import Annotated
import flyball as fb

@fb.step
def score(x: float, shift: float) -> float:
    fb.log(gain=1 - (x - shift) ** 2)
    return x

@fb.pipeline
def main(shift: float, x: Annotated[float, fb.space.number(0, 1)] = 0.5):
    return score(x, shift)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flyball.toml").write_text('name = "small"\nmodule = "project.py"\n')
    (tmp_path / "project.py").write_text(PROJECT)
    return tmp_path


def flyball(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLYBALL_")}
    command = [sys.executable, "-m", "flyball.cli", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_a_study_from_first_trial_to_removal(folder: Path) -> None:
    begun = flyball(folder, "tune", "main", "--metric", "gain:maximize", "-p", "shift=0.25", "--trials", "4")
    assert begun.returncode == 0, begun.stderr
    assert "✓ trial 4/4  gain" in begun.stderr
    assert "flyball run main -p shift=0.25 -p x=" in begun.stdout
    more = flyball(folder, "tune", "main", "--metric", "gain:maximize", "-p", "shift=0.25", "--trials", "5", "--json")
    told = json.loads(more.stdout)
    assert (len(told["trials"]), told["stopped"]) == (5, "5 trials were done")
    assert told["trials"][0]["params"].keys() == {"x"}
    shown = json.loads(flyball(folder, "studies", "show", "main", "--json").stdout)
    assert shown["study"]["fixed"] == {"shift": 0.25}
    [best] = json.loads(flyball(folder, "studies", "best", "main", "--json").stdout)
    assert best["values"] == [max(trial["values"][0] for trial in told["trials"])]
    assert flyball(folder, "studies", "delete", "main", "--yes").returncode == 0
    assert json.loads(flyball(folder, "studies", "list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["mian", "--metric", "gain:maximize"], "no pipeline 'mian'"),
        (["main", "--metric", "gain:maximize"], "needs the parameter 'shift'"),
        (["main", "--metric", "gain", "-p", "shift=1"], "not known whether more of 'gain' is better"),
        (["main", "--metric", "gain:maximize", "-p", "shift=1", "--space", "x=number(3"], "cannot be read"),
        (["main", "--metric", "gain:maximize", "-p", "shift=1", "--space", "x=__import__('os')"], "cannot be read"),
        (["main", "--metric", "gain:maximize", "-p", "shift"], "'shift' cannot be read"),
        (["main", "--metric", "gain:maximize", "-p", "shift=x"], "cannot be 'x'"),
    ],
    ids=["pipeline", "missing", "direction", "space", "code", "pair", "type"],
)
def test_what_cannot_be_searched_is_told_without_a_traceback(folder: Path, words: list[str], found: str) -> None:
    done = flyball(folder, "tune", *words)
    assert done.returncode in (1, 2, 4)
    assert found in done.stderr
    assert "Traceback" not in done.stderr
