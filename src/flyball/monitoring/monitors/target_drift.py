"""Target drift: whether the truth is spread as it was on held-out rows."""

from __future__ import annotations

from typing import Any

from flyball.monitoring.monitors._outcomes import outcome_drift
from flyball.monitoring.monitors.base import Contribution, Material, Monitor
from flyball.monitoring.outcome_reference import TRUTH


class TargetDrift:
    """Compares the window's truth with those of the held-out rows."""

    def examine(self, material: Material, params: dict[str, Any]) -> Contribution:
        """A finding; nothing where the reference does not know them."""
        return outcome_drift(material, params, (TRUTH,), cause="target-drift", needs_truth=True)


plugin: Monitor = TargetDrift()
