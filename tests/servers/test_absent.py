"""A server that cannot be had is named, and fails the tests in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.absent import found
from tools.provision import Program

ROOT = Path(__file__).parents[2]

SUITE = """
import pytest
from tests.servers.absent import found
from tools.provision import Program

@pytest.fixture(scope="session")
def quasar():
    return found(Program(name="Quasar", debian=("quasar",), find=lambda: None))

@pytest.mark.parametrize("turn", [1, 2])
def test_with_quasar(quasar, turn): ...

def test_without(): ...
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite of three tests, two of which need a server that nobody has."""
    (tmp_path / "test_quasar.py").write_text(SUITE, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return tmp_path


def run(suite: Path, **env: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.servers.absent", "-p", "no:cacheprovider", suite],
        cwd=ROOT,
        env=inherited | env | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_program_that_is_there_is_given(tmp_path: Path) -> None:
    assert found(Program(name="Here", debian=(), find=lambda: tmp_path)) == tmp_path


def test_tests_without_their_server_are_named_at_the_end(suite: Path) -> None:
    done = run(suite)
    assert done.returncode == 0
    assert "1 passed, 2 skipped" in done.stdout
    assert "NOT RUN: 2 tests. Quasar is not on this machine" in done.stdout
    assert "test_quasar.py::test_with_quasar[2]" in done.stdout


def test_in_ci_they_fail(suite: Path) -> None:
    done = run(suite, CI="true")
    assert done.returncode == 1
    assert "1 passed, 2 errors" in done.stdout


def test_a_run_that_missed_nothing_says_nothing(suite: Path) -> None:
    (suite / "test_quasar.py").write_text("def test_without(): ...", encoding="utf-8")
    assert "not run" not in run(suite).stdout
