"""A step runs again when, and only when, what it stands on has changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flyball.pipelines.code import CodeKey, code_key, explain
from flyball.pipelines.code_snapshot import load_project

if TYPE_CHECKING:
    from tests.pipelines.conftest import ProjectFolder

PROJECT = '''
"""A project."""
from pathlib import Path

import features
import shapes.round as circles
from features import age_bucket, LEVELS as levels
from shapes import Box

import flyball as fb

FACTOR = 3


def double(value):
    """Twice."""
    return value * 2


@fb.step(inputs=["numbers.txt"])
def compute(value: int, plus: int = 1) -> int:
    """A number."""
    text = Path(ROOT, "numbers.txt").read_text()
    return double(value) * FACTOR + age_bucket(value) + features.shift(1) + len(levels) + Box(2).area() + plus + int(text) \\
        + circles.turn(1)


@fb.step
def other() -> int:
    return 1


ROOT = "<root>"


@fb.pipeline
def main(value: int = 1):
    return compute(value), other()
'''
FEATURES = """
LIMIT = 18
LEVELS = [1, 2]


def age_bucket(value):
    return value // LIMIT


def shift(value):
    return value + 1


def unused(value):
    return value
"""
SHAPES = """
class Box:
    def __init__(self, side):
        self.side = side

    def area(self):
        return self.side ** 2
"""


@pytest.fixture
def ran(project: ProjectFolder) -> ProjectFolder:
    """A project whose pipeline was run once."""
    project.write("project.py", PROJECT.replace("<root>", str(project.root)))
    project.write("features.py", FEATURES)
    project.write("shapes/__init__.py", SHAPES)
    project.write("shapes/round.py", "def turn(value):\n    return value\n")
    project.write("numbers.txt", "7")
    project.run()
    assert set(project.states.values()) == {"finished"}
    project.run()
    assert set(project.states.values()) == {"cached"}
    return project


EDITS = {
    "helper": ("project.py", "value * 2", "value * 5", "`project.py: double` changed"),
    "imported helper": ("features.py", "value // LIMIT", "value // 2", "`features.py: age_bucket` changed"),
    "constant": ("project.py", "FACTOR = 3", "FACTOR = 4", "`project.py: FACTOR` changed"),
    "imported constant": ("features.py", "LIMIT = 18", "LIMIT = 19", "`features.py: LIMIT` changed"),
    "class method": ("shapes/__init__.py", "self.side ** 2", "self.side ** 3", "`shapes/__init__.py: Box` changed"),
    "default param": ("project.py", "plus: int = 1", "plus: int = 2", "`project.py: compute` changed"),
    "input file": ("numbers.txt", "7", "8", "file numbers.txt changed"),
    "constant imported under another name": ("features.py", "[1, 2]", "[1, 3]", "`features.py: LEVELS` changed"),
    "attribute of a module": ("features.py", "value + 1", "value + 2", "`features.py: shift` changed"),
    "module of a package": ("shapes/round.py", "return value", "return -value", "`shapes/round.py: turn` changed"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_what_a_step_reaches_runs_it_again(ran: ProjectFolder, edit: str) -> None:
    file, old, new, reason = EDITS[edit]
    ran.edit(file, old, new)
    ran.run()
    assert ran.states == {"compute": "finished", "other": "cached"}
    assert reason in ran.reasons["compute"]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("project.py", "return value * 2", "return value * 2  # twice"),
        ("project.py", '"""Twice."""', '"""Two times."""'),
        ("project.py", "def double(value):", "\n\n\ndef double( value ):"),
        ("features.py", "def unused(value):\n    return value", "def unused(value):\n    return -value"),
        ("features.py", "LIMIT = 18", "import os\nLIMIT = (18)"),
        ("project.py", '@fb.step(inputs=["numbers.txt"])', '@fb.step(inputs=["numbers.txt"], retries=1)'),
        ("project.py", "return compute(value), other()", "result = compute(value)\n    return result, other()"),
    ],
)
def test_an_edit_that_changes_nothing_for_the_step_does_not_run_it(
    ran: ProjectFolder, file: str, old: str, new: str
) -> None:
    ran.edit(file, old, new)
    ran.run()
    assert set(ran.states.values()) == {"cached"}


def test_back_to_what_it_was_is_cached_again(ran: ProjectFolder) -> None:
    ran.edit("features.py", "LIMIT = 18", "LIMIT = 19")
    ran.run()
    ran.edit("features.py", "LIMIT = 19", "LIMIT = 18")
    ran.run()
    assert set(ran.states.values()) == {"cached"}


def keys(root: Path, text: str, **files: str) -> dict[str, CodeKey]:
    """The code keys of the functions in a project file."""
    for name, content in {"project.py": text, **{f"{name}.py": content for name, content in files.items()}}.items():
        (root / name).write_text(content)
    module = load_project(root, "project.py").module
    return {name: code_key(value, project_root=root) for name, value in vars(module).items() if callable(value)}


def test_a_name_that_is_local_to_the_function_is_not_followed(tmp_path: Path) -> None:
    parts = keys(tmp_path, "rows = 1\n\ndef f(rows):\n    return [x for x in rows]\n")["f"].parts
    assert set(parts) == {"python", "project.py:f"}


def test_a_recursive_function_ends(tmp_path: Path) -> None:
    text = "def f(n):\n    return g(n)\n\ndef g(n):\n    return f(n - 1) if n else 0\n"
    assert {"project.py:f", "project.py:g"} <= set(keys(tmp_path, text)["f"].parts)


def test_an_import_inside_a_function_is_followed(tmp_path: Path) -> None:
    text = "def f():\n    from inner import value\n    return value\n"
    before = keys(tmp_path, text, inner="value = 1\n")["f"]
    after = keys(tmp_path, text, inner="value = 2\n")["f"]
    assert explain(before, after) == ["`inner.py: value` changed"]


def test_a_star_import_is_followed(tmp_path: Path) -> None:
    text = "from inner import *\n\ndef f():\n    return value\n"
    assert "inner.py:value" in keys(tmp_path, text, inner="value = 1\n")["f"].parts


def test_a_change_of_a_constant_after_its_making_counts(tmp_path: Path) -> None:
    text = "LEVELS = {}\nLEVELS['a'] = 1\nLEVELS.update(b=2)\n\ndef f():\n    return LEVELS\n"
    before = keys(tmp_path, text)["f"]
    assert explain(before, keys(tmp_path, text.replace("b=2", "b=3"))["f"]) == ["`project.py: LEVELS` changed"]


def test_a_constant_from_the_environment_counts_by_its_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import os\nLIMIT = os.environ['LIMIT_FOR_TEST']\n\ndef f():\n    return LIMIT\n"
    monkeypatch.setenv("LIMIT_FOR_TEST", "1")
    before = keys(tmp_path, text)["f"]
    monkeypatch.setenv("LIMIT_FOR_TEST", "2")
    assert explain(before, keys(tmp_path, text)["f"]) == ["`project.py: LIMIT` changed"]


def test_the_place_of_the_project_does_not_count(tmp_path: Path) -> None:
    text = "from pathlib import Path\nDATA = str(Path(__file__).parent / 'data')\n\ndef f():\n    return DATA\n"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert keys(tmp_path / "a", text)["f"] == keys(tmp_path / "b", text)["f"]


def test_a_base_class_is_followed(tmp_path: Path) -> None:
    text = "class A:\n    x = 1\n\nclass B(A):\n    pass\n\ndef f():\n    return B.x\n"
    assert {"project.py:A", "project.py:B"} <= set(keys(tmp_path, text)["f"].parts)


def test_a_decorator_of_the_project_is_followed(tmp_path: Path) -> None:
    text = "def twice(f):\n    return lambda: f() * 2\n\n@twice\ndef f():\n    return 1\n\ndef g():\n    return f()\n"
    assert "project.py:twice" in keys(tmp_path, text)["g"].parts


def test_a_module_that_is_handed_about_counts_whole(tmp_path: Path) -> None:
    text = "import inner\n\ndef f():\n    return getattr(inner, 'a')\n"
    assert "inner.py:b" in keys(tmp_path, text, inner="a = 1\nb = 2\n")["f"].parts


def test_a_library_counts_by_its_version(tmp_path: Path) -> None:
    import msgspec

    parts = keys(tmp_path, "import msgspec\n\ndef f():\n    return msgspec.json\n")["f"].parts
    assert parts["package msgspec"] == msgspec.__version__


def test_a_declaration_is_no_part_of_a_step(tmp_path: Path) -> None:
    text = "import flyball as fb\n\ndef f(rows: fb.Table):\n    return rows\n\nfb.dataset('a', 'b.csv')\n"
    assert "project.py:fb" not in keys(tmp_path, text)["f"].parts


def test_a_function_inside_a_function_counts_by_its_text_and_what_it_holds(tmp_path: Path) -> None:
    def make(number: int) -> CodeKey:
        def inner() -> int:
            return number

        return code_key(inner, project_root=tmp_path)

    assert make(1) == make(1)
    assert make(1) != make(2)


def test_code_without_a_file_counts_by_what_it_does(tmp_path: Path) -> None:
    def made(body: str) -> CodeKey:
        names: dict[str, object] = {"__name__": "typed_in"}
        exec(f"LIMIT = 1\ndef helper():\n    return LIMIT\ndef f():\n    '''Doc.'''\n    {body}\n", names)
        return code_key(names["f"], project_root=tmp_path)  # type: ignore[arg-type]  # any function of the file

    assert made("return helper()") == made("\n\n    return helper()")
    assert made("return helper()") != made("return helper() + 1")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"a.py:x": "1"}, {"a.py:x": "1", "a.py:y": "1"}, "`a.py: y` is used now"),
        ({"a.py:x": "1"}, {}, "`a.py: x` is no longer used"),
        ({"package pandas": "3.0"}, {"package pandas": "3.1"}, "pandas went from 3.0 to 3.1"),
        ({"python": "3.11"}, {"python": "3.12"}, "Python went from 3.11 to 3.12"),
        ({}, {"package pandas": "3.1"}, "pandas 3.1 is used now"),
    ],
)
def test_a_difference_is_said_in_words(before: dict[str, str], after: dict[str, str], said: str) -> None:
    assert explain(CodeKey(digest="", parts=before), CodeKey(digest="", parts=after)) == [said]
