"""A server on a real file system whose power goes: what was acknowledged is on the disk."""

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


def cut(folder: Path, rounds: int, seed: int) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLYBALL_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.cutting", folder, str(rounds), str(seed)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "CalledProcessError" in done.stderr or "FileNotFoundError" in done.stderr:
        pytest.skip(f"a file system of one's own needs root: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_nothing_acknowledged_is_lost_when_the_power_goes(tmp_path: Path) -> None:
    found = cut(tmp_path, 2, SEED)
    assert found["wrong"] == [], found
    assert found["acknowledged"]["run"] >= 2, found


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_nothing_is_lost_in_many_cuts(tmp_path: Path) -> None:
    found = cut(tmp_path, ROUNDS * 4, SEED)
    print(json.dumps(found, indent=1))
    assert found["wrong"] == [], found
