"""`import flyball as fb` gives the names it says it gives, and editors see the same ones."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import flyball

TREE = ast.parse(Path(flyball.__file__).read_text(encoding="utf-8"))


def names_for_editors() -> dict[str, str]:
    """Name to place, as the block that only type checkers read has them."""
    (block,) = [
        node
        for node in TREE.body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    found = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            found[alias.asname or alias.name] = f"{node.module}:{alias.name}"
    return found


@pytest.mark.parametrize("name", flyball.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(flyball, name) is not None


def test_no_name_is_told_twice() -> None:
    assert len(set(flyball.__all__)) == len(flyball.__all__)


def test_editors_see_every_name() -> None:
    assert set(names_for_editors()) == set(flyball.__all__) - {"__version__"}


def is_a_module(name: str) -> bool:
    root = Path(flyball.__file__).parent
    return (root / name).is_dir() or (root / f"{name}.py").exists()


@pytest.mark.parametrize(
    ("name", "place"), [(name, place) for name, place in names_for_editors().items() if not is_a_module(name)]
)
def test_editors_see_the_very_thing(name: str, place: str) -> None:
    module, _, attribute = place.partition(":")
    found = importlib.import_module(module)
    # What is imported may be a thing in the module, or a module of its own.
    thing = getattr(found, attribute) if hasattr(found, attribute) else importlib.import_module(f"{module}.{attribute}")
    assert getattr(flyball, name) is thing


def test_no_name_is_also_a_module_of_the_house() -> None:
    # Importing the module puts it in the name's place: what a name gives would depend on what ran before.
    assert [name for name in flyball.__all__ if is_a_module(name)] == []


def test_dir_lists_them() -> None:
    assert dir(flyball) == sorted(flyball.__all__)


def test_what_is_not_there_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="'flyball' has no attribute 'trian'"):
        _ = flyball.trian
    assert not hasattr(flyball, "__wrapped__")


def test_a_name_that_was_used_is_found_at_once() -> None:
    assert getattr(flyball, "step") is vars(flyball)["step"]  # noqa: B009 - type checkers know no lazy names here


def test_all_names_can_be_imported_at_once() -> None:
    space: dict[str, object] = {}
    exec("from flyball import *", space)
    assert set(flyball.__all__) <= set(space)
