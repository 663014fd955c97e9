"""Edits that have to run a step again, and edits that must not: how many of them the cache gets right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PROJECT = """
import flyball as fb
import helpers
import tiny_library
from pathlib import Path

LIMIT = 10

def local(x):
    return x + LIMIT

@fb.step(inputs=["rows.csv"], environment=["BENCHMARK_MODE"])
def work(x: int, rows: Path):
    return local(x) + helpers.imported(x) + tiny_library.value() + len(rows.read_text())

@fb.pipeline
def main(x: int = 1):
    return work(x, Path(__file__).with_name("rows.csv"))
"""
_HELPERS = "def imported(x):\n    return deeper(x) * 2\n\ndef deeper(x):\n    return x\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change, and whether the step has to run again after it."""

    name: str
    apply: Callable[[Path, dict[str, str]], None]
    runs: bool


def _replace(file: str, old: str, new: str) -> Callable[[Path, dict[str, str]], None]:
    def apply(root: Path, _: dict[str, str]) -> None:
        text = (root / file).read_text()
        assert old in text
        (root / file).write_text(text.replace(old, new))

    return apply


def _environment(_: Path, environment: dict[str, str]) -> None:
    environment["BENCHMARK_MODE"] = "other"


def _upgrade(root: Path, _: dict[str, str]) -> None:
    library = root.parent / "library"
    (library / "tiny_library.py").write_text("def value():\n    return 2\n")
    (library / "tiny_library-1.0.dist-info").rename(library / "tiny_library-2.0.dist-info")
    _write_metadata(library, "2.0")


EDITS = (
    Edit(name="the step itself", apply=_replace("project.py", "return local(x)", "return 1 + local(x)"), runs=True),
    Edit(name="a helper in its file", apply=_replace("project.py", "x + LIMIT", "x - LIMIT"), runs=True),
    Edit(name="an imported helper", apply=_replace("helpers.py", "* 2", "* 3"), runs=True),
    Edit(name="a helper of the helper", apply=_replace("helpers.py", "return x\n", "return x + 1\n"), runs=True),
    Edit(name="a constant", apply=_replace("project.py", "LIMIT = 10", "LIMIT = 20"), runs=True),
    Edit(name="an input file in place", apply=_replace("rows.csv", "1", "22"), runs=True),
    Edit(name="a comment", apply=_replace("project.py", "LIMIT = 20", "# so many\nLIMIT = 20"), runs=False),
    Edit(name="an upgrade of a library", apply=_upgrade, runs=True),
    Edit(name="a variable of the environment", apply=_environment, runs=True),
)


def right_ones() -> Iterator[tuple[str, bool]]:
    """Each edit, one after the other, and whether the cache did what it should."""
    with tempfile.TemporaryDirectory() as folder:
        root, library = Path(folder) / "project", Path(folder) / "library"
        root.mkdir()
        library.mkdir()
        (root / "project.py").write_text(_PROJECT)
        (root / "helpers.py").write_text(_HELPERS)
        (root / "rows.csv").write_text("1\n")
        (library / "tiny_library.py").write_text("def value():\n    return 1\n")
        (library / "tiny_library-1.0.dist-info").mkdir()
        _write_metadata(library, "1.0")
        (root / "flyball.toml").write_text("")
        environment = {**os.environ, "PYTHONPATH": str(library)}
        environment.pop("BENCHMARK_MODE", None)

        def state() -> str:
            command = [sys.executable, "-m", "flyball.cli", "run", "main", "--json"]
            done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(done.stderr[-2000:])
            found: str = json.loads(done.stdout)["steps"][0]["state"]
            return found

        state()
        for edit in EDITS:
            edit.apply(root, environment)
            yield edit.name, state() == ("finished" if edit.runs else "cached")


def _write_metadata(library: Path, version: str) -> None:
    info = library / f"tiny_library-{version}.dist-info"
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tiny_library\nVersion: {version}\n")
    (info / "RECORD").write_text("tiny_library.py,,\n")
    (info / "top_level.txt").write_text("tiny_library\n")
