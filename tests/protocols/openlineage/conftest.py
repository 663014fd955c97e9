"""OpenLineage's own client, unmodified, in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers.absent import found
from tools.environments import OPENLINEAGE

RunScript = Callable[..., Any]


@pytest.fixture
def run_client(tmp_path: Path) -> RunScript:
    """Runs a script with the client and gives what it printed as JSON."""
    python = found(OPENLINEAGE)

    def run(script: str, *arguments: str) -> Any:
        path = tmp_path / "script.py"
        path.write_text(script, encoding="utf-8")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("OPENLINEAGE", "FLYBALL"))}
        done = subprocess.run(
            [python, path, *arguments], capture_output=True, text=True, timeout=100, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout or "null")

    return run
