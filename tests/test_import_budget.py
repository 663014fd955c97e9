"""What an import may load: next to nothing for a user's first line, no heavy library for any module.

Counted in modules, not in seconds, so that a busy machine cannot fail it; the benchmarks measure the time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import flyball

ROOT = Path(flyball.__file__).parent
HEAVY = {"numpy", "pandas", "polars", "pyarrow", "duckdb", "sklearn", "scipy", "matplotlib", "joblib"}
MIDDLING = {
    "alembic",
    "anyio",
    "asyncio",
    "blake3",
    "click",
    "croniter",
    "msgspec",
    "obstore",
    "psycopg",
    "rich",
    "sqlalchemy",
    "sqlite3",
    "starlette",
    "urllib3",
    "uvicorn",
}
# The only modules that load a heavy or optional library at their head, and which.
ALLOWED: dict[str, set[str]] = {"flyball.storage.s3_objects": {"obstore"}}
MODULES = sorted(
    ".".join(["flyball", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if "migrations" not in path.parts and "template" not in path.parts
)


def loaded(code: str) -> set[str]:
    """The top-level modules that are loaded once the code has run in a fresh interpreter."""
    report = "\nimport json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_flyball_itself_loads_nothing_else() -> None:
    assert loaded("import flyball as fb") & (HEAVY | MIDDLING) == set()


def test_the_command_line_loads_nothing_before_a_command_is_named() -> None:
    assert loaded("import flyball.cli.__main__") & (HEAVY | MIDDLING) == set()


@pytest.mark.parametrize("arguments", ["--help", "--version"])
def test_the_first_help_loads_nothing(arguments: str) -> None:
    code = f"""
from flyball.cli.__main__ import main
try:
    main([{arguments!r}])
except SystemExit as stop:
    assert stop.code == 0
"""
    assert loaded(code) & (HEAVY | MIDDLING) == set()


@pytest.mark.parametrize("name", flyball.__all__)
def test_no_name_of_the_face_loads_a_heavy_library(name: str) -> None:
    assert loaded(f"import flyball as fb; fb.{name}") & HEAVY == set()


def test_what_a_project_file_needs_loads_no_heavy_library() -> None:
    code = """
import flyball as fb
flights = fb.dataset("flights", "flights.parquet", key="id", time="at", label="late")
@fb.step
def train(rows): ...
@fb.pipeline
def late_flights():
    return train(fb.training_set(flights))
fb.loop("late-flights", late_flights, retrain=[fb.on.drift()], gates=[fb.gate.beats_champion("roc_auc")])
"""
    assert loaded(code) & HEAVY == set()


def test_no_module_loads_a_heavy_library_at_its_head() -> None:
    code = f"""
import importlib, json, sys
watched, found = {sorted(HEAVY | {"obstore", "psycopg"})!r}, {{}}
for module in {MODULES!r}:
    before = {{name for name in watched if name in sys.modules}}
    importlib.import_module(module)
    new = [name for name in watched if name in sys.modules and name not in before]
    if new:
        found[module] = new
print(json.dumps(found))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {module: set(names) for module, names in json.loads(done.stdout).items()}
    # Its class is an estimator of scikit-learn's, so it needs it at its head; only what makes one imports it.
    found.pop("flyball.evaluation.group_thresholds", None)
    assert found == ALLOWED
