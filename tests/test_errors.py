"""One tree of errors, with stable codes, that crosses processes."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from flyball import errors
from flyball.errors import FlyballError, NotFound, by_code, did_you_mean
from flyball.server.routes import STATUS

TREE = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, FlyballError)]


def test_every_code_is_of_one_class() -> None:
    codes = [kind.code for kind in TREE]
    assert len(set(codes)) == len(codes) == len(TREE)


@pytest.mark.parametrize("kind", TREE)
def test_an_error_is_found_by_its_code(kind: type[FlyballError]) -> None:
    assert by_code(kind.code) is kind


def test_an_unknown_code_is_a_plain_error() -> None:
    assert by_code("of_a_later_release") is FlyballError


@pytest.mark.parametrize("kind", TREE)
def test_an_error_crosses_processes(kind: type[FlyballError]) -> None:
    error = kind("Found this.", hint="Do that.", model="churn", versions=[1, 2])
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (copy.message, copy.hint, copy.facts) == ("Found this.", "Do that.", {"model": "churn", "versions": [1, 2]})
    assert str(copy) == "Found this. Do that."


def test_an_error_without_a_hint_says_its_message() -> None:
    assert str(NotFound("None.")) == "None."


def test_the_drawing_shows_every_error_and_its_http_status() -> None:
    assert errors.__doc__ is not None
    drawn = dict(re.findall(r"── (\w+) .*HTTP (\d+)", errors.__doc__))
    assert drawn == {kind.__name__: str(STATUS.get(kind.code, 500)) for kind in TREE if kind is not FlyballError}


def test_errors_are_raised_from_this_tree_only() -> None:
    root = Path(errors.__file__).parent
    others = [
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if re.search(
            r"^class [A-Z]\w*\((?:(?!Flyball)\w+Error|Exception)\):", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        and path.name != "errors.py"
    ]
    assert others == []


def test_the_nearest_names_are_told_first() -> None:
    assert did_you_mean("chrun", ["churn", "late"]) == "Did you mean 'churn'?"
    assert did_you_mean("x", [f"m{n}" for n in range(11)]).endswith(", ...")
