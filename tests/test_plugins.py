"""Plug-ins are found by the name of their file or by entry point, and loaded when they are asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from flyball.errors import InvalidInput, NotFound
from flyball.plugins import PluginGroup


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package with two plug-ins, and files that are none."""
    folder = tmp_path / "kinds_of_greeting"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Greetings."""', encoding="utf-8")
    for name in ("hello", "howdy"):
        (folder / f"{name}.py").write_text(f"plugin = '{name} there'", encoding="utf-8")
    (folder / "base.py").write_text("raise RuntimeError", encoding="utf-8")
    (folder / "_private.py").write_text("raise RuntimeError", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield "kinds_of_greeting"
    for module in [name for name in sys.modules if name.startswith("kinds_of_greeting")]:
        del sys.modules[module]


def offer(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    points = [EntryPoint(name=name, value="json:dumps", group="flyball.greeting") for name in names]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points if group == "flyball.greeting" else [])


def test_names_are_those_of_the_files(package: str) -> None:
    assert PluginGroup[str]("greeting", package).names() == ["hello", "howdy"]


def test_listing_imports_nothing(package: str) -> None:
    PluginGroup[str]("greeting", package).names()
    assert f"{package}.hello" not in sys.modules


def test_a_plug_in_is_loaded_by_its_name(package: str) -> None:
    group = PluginGroup[str]("greeting", package)
    assert group.get("hello") == "hello there"
    assert f"{package}.howdy" not in sys.modules
    assert group.all() == {"hello": "hello there", "howdy": "howdy there"}


@pytest.mark.parametrize("name", ["helo", "base", "_private", "", "../hello", "hello.plugin"])
def test_what_is_no_plug_in_is_not_found(package: str, name: str) -> None:
    with pytest.raises(NotFound, match="There is no greeting plug-in"):
        PluginGroup[str]("greeting", package).get(name)


def test_the_nearest_name_is_told(package: str) -> None:
    with pytest.raises(NotFound, match="Did you mean 'hello'"):
        PluginGroup[str]("greeting", package).get("helo")


def test_a_file_without_a_plug_in_says_how_to_end_it(package: str, tmp_path: Path) -> None:
    (tmp_path / package / "empty.py").write_text("", encoding="utf-8")
    with pytest.raises(InvalidInput, match="has no `plugin`"):
        PluginGroup[str]("greeting", package).get("empty")


def test_third_parties_add_theirs_by_entry_point(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "salute")
    group = PluginGroup[object]("greeting", package)
    assert group.names() == ["hello", "howdy", "salute"]
    assert callable(group.get("salute"))


def test_a_plug_in_of_the_house_wins(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "hello")
    group = PluginGroup[object]("greeting", package)
    assert group.names() == ["hello", "howdy"]
    assert group.get("hello") == "hello there"


def test_a_package_that_is_not_there_has_no_plug_ins() -> None:
    assert PluginGroup[object]("greeting", "flyball.nowhere_at_all").names() == []
