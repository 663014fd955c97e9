from __future__ import annotations

import os
from pathlib import Path

import pytest

from flyball.cli.group import invoke


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project that `flyball init` makes, trained once and applied."""
    project, before = tmp_path_factory.mktemp("maturity") / "first", Path.cwd()
    try:
        for name in [name for name in os.environ if name.startswith("FLYBALL_")]:
            del os.environ[name]
        assert invoke(["init", str(project), "--json"]) == 0
        os.chdir(project)
        assert invoke(["run", "train_irises", "--json"]) == 0
        assert invoke(["apply", "--json"]) == 0
    finally:
        os.chdir(before)
    return project
