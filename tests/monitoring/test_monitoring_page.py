"""The page on monitoring says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flyball.monitoring.monitors.base import MONITORS

PAGE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")


def test_its_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), names)
    names["database"].close()  # type: ignore[attr-defined]  # the names of a page are objects of any kind


def test_it_has_every_kind_of_monitor() -> None:
    for name in MONITORS.names():
        assert f"| `fb.monitor.{name}(" in PAGE
