"""The documentation names everything that there is: settings, commands, plug-ins; and its links lead somewhere."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from flyball.cli.commands import COMMANDS
from flyball.cli.plugins import KINDS
from flyball.settings import SETTABLE, load_settings
from tools.write_docs import DOCS, PAGES

ROOT = DOCS.parent
SETTINGS = (DOCS / "settings.md").read_text(encoding="utf-8")
LINKED = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


@pytest.mark.parametrize("name", SETTABLE)
def test_every_setting_has_its_row(name: str, tmp_path: Path) -> None:
    (row,) = re.findall(rf"^\| `{name}` \| `FLYBALL_{name.upper()}` \| (.*?) \| .+ \|$", SETTINGS, re.MULTILINE)
    default = getattr(load_settings(environment={}, start=tmp_path), name)
    if name not in ("name", "workspace", "database", "objects", "online"):
        assert row.startswith(f"`{default}`" if default else "empty")


def test_no_row_is_of_a_setting_that_is_not() -> None:
    assert set(re.findall(r"`FLYBALL_(\w+)`", SETTINGS)) == {name.upper() for name in SETTABLE}


@pytest.mark.parametrize("name", PAGES)
def test_a_written_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "Run: python -m tools.write_docs"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_heading(name: str) -> None:
    assert f"\n## flyball {name}\n" in (DOCS / "cli.md").read_text(encoding="utf-8")


def test_every_kind_of_plug_in_is_listed() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    packages = set(re.findall(r'\w+Group(?:\[.*?\])?\("\w+", "([\w.]+)"\)', source))
    listed = set()
    for place in KINDS.values():
        module, _, attribute = place.partition(":")
        listed.add(getattr(importlib.import_module(module), attribute).package)
    assert listed == packages


def test_every_plug_in_says_what_it_is() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", (DOCS / "plugins.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert rows
    assert [name for name, said in rows if not said.endswith(".")] == []


@pytest.mark.parametrize("page", LINKED)
def test_every_link_leads_somewhere(page: str) -> None:
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    missing = [one for one in targets if one and "://" not in one and not (ROOT / page).parent.joinpath(one).exists()]
    assert missing == []
