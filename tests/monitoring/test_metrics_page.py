"""The page of metrics has a section for each, and says what stands at the head of its file."""

from __future__ import annotations

import importlib
import textwrap
from pathlib import Path
from typing import Any

import pytest

from flyball.evaluation.fairness.base import FAIRNESS
from flyball.evaluation.scores import METRICS
from flyball.monitoring.drift.base import DRIFT_METRICS
from flyball.monitoring.multivariate.base import MULTIVARIATE

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
GROUPS: tuple[Any, ...] = (METRICS, DRIFT_METRICS, MULTIVARIATE, FAIRNESS)
FILES = [(group.package, name) for group in GROUPS for name in group.names()]


@pytest.mark.parametrize(("package", "name"), FILES)
def test_every_metric_has_its_section_with_formula_and_source(package: str, name: str) -> None:
    head = textwrap.dedent(importlib.import_module(f"{package}.{name}").__doc__ or "").strip()
    assert f"### {name}\n\n{head}\n" in PAGE
    assert "Source" in head
