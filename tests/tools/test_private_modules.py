"""The import rule for modules named `_x`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CONFIG = """
[tool.importlinter]
root_package = "house"
include_external_packages = true
contract_types = ["private: tools.private_modules.PrivateModulesContract"]

[[tool.importlinter.contracts]]
name = "Private"
type = "private"
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A package with two rooms; `registry` has a private module and a private package."""
    for file in [
        "__init__",
        "registry/__init__",
        "registry/_store",
        "registry/_codes/__init__",
        "registry/_codes/roman",
    ]:
        path = tmp_path / "house" / f"{file}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    write(tmp_path, "registry/versions", "import _socket\nfrom house.registry import _store\n")
    write(tmp_path, "registry/gates/__init__", "from house.registry._codes import roman\n")
    write(tmp_path, "registry/__main__", "from house.registry import _store\n")
    write(tmp_path, "loops", "from house.registry import __main__, versions\n")
    (tmp_path / "pyproject.toml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def write(house: Path, module: str, source: str) -> None:
    path = house / "house" / f"{module}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")


def lint(house: Path) -> subprocess.CompletedProcess[str]:
    """Runs the linter on the package, with the rule of this repository."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=house,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_imports_from_inside_the_parent_package_are_kept(house: Path) -> None:
    found = lint(house)
    assert "1 kept, 0 broken" in found.stdout
    assert found.returncode == 0


@pytest.mark.parametrize(
    ("source", "breach"),
    [
        ("\nfrom house.registry import _store\n", "house.serving -> house.registry._store (l.2)"),
        ("import house.registry._codes.roman\n", "house.serving -> house.registry._codes.roman (l.1)"),
    ],
)
def test_an_import_from_another_room_is_found_with_its_line(house: Path, source: str, breach: str) -> None:
    write(house, "serving", source)
    found = lint(house)
    assert breach in found.stdout
    assert "private to house.registry" in found.stdout
    assert found.returncode == 1


def test_a_private_package_keeps_its_own_private_modules(house: Path) -> None:
    write(house, "registry/_codes/_tables", "")
    write(house, "registry/names", "from house.registry._codes import _tables\n")
    found = lint(house)
    assert (
        "house.registry.names -> house.registry._codes._tables (l.1): private to house.registry._codes" in found.stdout
    )
    assert found.returncode == 1
