"""Whoever is killed, whenever: what was acknowledged is there, once and whole, and nobody is shown as alive who is dead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROUNDS = int(os.environ.get("FLYBALL_SOAK_ROUNDS", "50"))
SEED = int(os.environ.get("FLYBALL_SOAK_SEED", "7"))
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes end with their parent by prctl")


def killed(folder: Path, rounds: int, seed: int) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLYBALL_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.killing", folder, str(rounds), str(seed)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    log = folder / ".flyball" / "killing.log"
    assert done.returncode == 0, (done.stderr[-3000:], log.read_text()[-3000:] if log.exists() else "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow  # half of it waits for the dead to be known as dead
def test_nothing_acknowledged_is_lost_doubled_or_half_there(tmp_path: Path) -> None:
    found = killed(tmp_path, 12, SEED)
    assert found["wrong"] == [], found
    assert found["acknowledged"]["run"] > 5, found


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_nothing_is_lost_in_many_rounds(tmp_path: Path) -> None:
    found = killed(tmp_path, ROUNDS * 20, SEED)
    print(json.dumps(found, indent=1))
    assert found["wrong"] == [], found
