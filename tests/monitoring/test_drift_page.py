"""The page on drift says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from flyball.monitoring.drift.base import DRIFT_METRICS

PAGE = (Path(__file__).parents[2] / "docs" / "drift.md").read_text(encoding="utf-8")


def test_its_examples_run() -> None:
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), {})


def test_its_table_has_every_metric_with_its_threshold() -> None:
    for name, metric in DRIFT_METRICS.all().items():
        columns = "all" if "categorical" in metric.kinds else "numbers"
        assert f"| `{name}` | {columns} | {metric.threshold} |" in PAGE
