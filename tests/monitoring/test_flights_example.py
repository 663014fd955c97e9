"""The flights example: faults that are injected into a real half-year are found in their weeks."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "flights"
HARD = "every fourth flight twice"
"""As many flights more as a busy week has; the season hides it."""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("flights")
    shutil.copy(FOLDER / "prepare.py", folder)
    subprocess.run([sys.executable, "prepare.py"], cwd=folder, check=True, capture_output=True)
    return runpy.run_path(str(FOLDER / "scorecard.py"), run_name="flights_scorecard")["scorecard"](folder)


@pytest.mark.slow
def test_faults_are_found_in_their_weeks(lines: Any) -> None:
    assert {line.fault for line in lines if line.fault and not line.causes} <= {HARD}


@pytest.mark.slow
def test_a_fault_of_the_data_is_told_from_a_drift_and_from_decay(lines: Any) -> None:
    named = {line.fault: line.causes[0] for line in lines if line.fault and line.causes}
    assert named["distance in kilometres"] == named["an airport has a new code"] == "quality"
    assert named["one airline's flights gone"] == "drift"
    assert named["what is late turns round"] == "decay"


@pytest.mark.slow
def test_weeks_before_the_model_decays_stay_quiet(lines: Any) -> None:
    assert [line.week for line in lines if not line.fault and line.causes and line.week < 17] == []
