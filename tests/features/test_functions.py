"""Views that a function computes, and on-demand features: they run from what is kept of them as they run here."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest

from flyball.errors import InvalidInput, WorkFailed
from flyball.features.functions import compute
from flyball.features.sources import run_source, standalone_source

PROJECT = '''
"""A project."""
import math
import flyball as fb
import json as unused

MILES = 1.609

def in_km(miles):
    """Kilometres."""
    return miles * MILES

@fb.on_demand(inputs=["distance", "air_time"])
def speed(rows):
    """Kilometres an hour."""  # a comment
    frame = rows.to_pandas()
    return (frame.distance.map(in_km) / frame.air_time * 60).map(math.floor)

@fb.on_demand(inputs=["distance"])
def two(rows):
    return {"near": [d < 500 for d in rows["distance"].to_pylist()], "far": [d > 500 for d in rows["distance"].to_pylist()]}

@fb.on_demand(inputs=["distance"])
def fails(rows):
    return [1 / 0]

@fb.on_demand(inputs=["distance"])
def short(rows):
    return [1]

@fb.feature_view("rates", entity="carrier", time="day", inputs=["flights"])
def rates(flights):
    return flights.group_by(["carrier", "day"]).aggregate([("late", "mean")])
'''
ROWS = pa.table({"distance": [100.0, 1000.0], "air_time": [20.0, 100.0]})


def load(folder: Path, text: str, name: str = "project") -> ModuleType:
    path = folder / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(f"{name}_{len(text)}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_function_runs_elsewhere_as_it_runs_here(tmp_path: Path) -> None:
    made = load(tmp_path, PROJECT).speed
    here = compute(made.function, made.name, made.inputs, ROWS)
    there = compute(run_source(made.source, "speed"), made.name, made.inputs, ROWS)
    assert here.equals(there)
    assert here.to_pydict() == {"speed": [math.floor(100 * 1.609 * 3), math.floor(1000 * 1.609 / 100 * 60)]}
    assert "unused" not in made.source
    assert "fb." not in made.source


def test_one_row_gives_what_many_give(tmp_path: Path) -> None:
    made = load(tmp_path, PROJECT).speed
    alone = [compute(made.function, made.name, made.inputs, ROWS.slice(n, 1)) for n in range(2)]
    assert pa.concat_tables(alone).equals(compute(made.function, made.name, made.inputs, ROWS))


def test_a_function_may_give_several_features(tmp_path: Path) -> None:
    made = load(tmp_path, PROJECT).two
    assert compute(made.function, "two", made.inputs, ROWS).to_pydict() == {"near": [True, False], "far": [False, True]}


def test_only_what_a_function_reaches_changes_its_code(tmp_path: Path) -> None:
    before = load(tmp_path, PROJECT).rates.view.code
    for text, same in (
        (PROJECT.replace("# a comment", "# another"), True),
        (PROJECT.replace("MILES = 1.609", "MILES = 1.6"), True),
        (PROJECT.replace('("late", "mean")', '("late", "max")'), False),
    ):
        assert (load(tmp_path, text + "\n").rates.view.code == before) is same
    speed = load(tmp_path, PROJECT).speed.source
    assert load(tmp_path, PROJECT.replace("MILES = 1.609", "MILES = 1.6") + "\n\n").speed.source != speed


@pytest.mark.parametrize(("name", "found"), [("fails", "division by zero"), ("short", "1 values for 2 rows")])
def test_a_function_that_fails_is_named(tmp_path: Path, name: str, found: str) -> None:
    made = getattr(load(tmp_path, PROJECT), name)
    with pytest.raises(WorkFailed, match=f"'{name}'.*{found}"):
        compute(made.function, name, made.inputs, ROWS)
    with pytest.raises(InvalidInput, match="'distance'"):
        compute(made.function, name, made.inputs, ROWS.drop_columns("distance"))


def test_what_stands_beside_the_project_is_refused_where_it_cannot_follow(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def helper(x):\n    return x\n")
    text = "import flyball as fb\nimport beside\n\n@fb.on_demand(inputs=['x'])\ndef f(rows):\n    return beside.helper(rows['x'])\n"
    import sys

    sys.path.insert(0, str(tmp_path))
    try:
        made = load(tmp_path, text).f
    finally:
        sys.path.remove(str(tmp_path))
    with pytest.raises(InvalidInput, match="'beside', which stands beside it"):
        _ = made.source
    before = standalone_source(made.function, whole=False)
    (tmp_path / "beside.py").write_text("def helper(x):\n    return -x\n")
    assert standalone_source(made.function, whole=False) != before
