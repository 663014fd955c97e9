"""Types that say what a step gives or takes where Python has no word for it."""

from __future__ import annotations

from typing import Annotated, Any

Model = Annotated[Any, "model"]
"""A fitted model of any library: `def train(rows: fb.Table) -> fb.Model`."""
