from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flyball.cli.group import invoke
from flyball.serialization import from_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document that it printed."""
        return from_json(self.out, object)


Command = Callable[..., Said]


@pytest.fixture(autouse=True)
def no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FLYBALL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def flyball(capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command of ours here; its code and what it printed."""

    def run(*arguments: str) -> Said:
        capfd.readouterr()
        code = invoke(list(arguments))
        printed = capfd.readouterr()
        return Said(code=code, out=printed.out, err=printed.err)

    return run


@pytest.fixture
def process() -> Command:
    """Runs a command of ours as a process of its own."""

    def run(*arguments: str) -> Said:
        done = subprocess.run(
            [sys.executable, "-m", "flyball.cli", *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        return Said(code=done.returncode, out=done.stdout, err=done.stderr)

    return run


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project that `flyball init` makes, with one version trained and its loop applied."""
    project = tmp_path_factory.mktemp("projects") / "first"
    here = Path.cwd()
    assert invoke(["init", str(project), "--json"]) == 0
    try:
        os.chdir(project)
        assert invoke(["run", "train_irises", "--json"]) == 0
        assert invoke(["apply", "--json"]) == 0
    finally:
        os.chdir(here)
    return project


@pytest.fixture
def project(trained_once: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One stands in a project with a version and an applied loop; tests only look at it."""
    monkeypatch.chdir(trained_once)
    return trained_once


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One stands in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
