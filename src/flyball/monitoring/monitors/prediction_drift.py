"""Prediction drift: whether the model still says what it said on held-out rows."""

from __future__ import annotations

from typing import Any

from flyball.monitoring.monitors._outcomes import outcome_drift
from flyball.monitoring.monitors.base import Contribution, Material, Monitor
from flyball.monitoring.outcome_reference import PREDICTED


class PredictionDrift:
    """Compares the window's predictions with those of the held-out rows."""

    def examine(self, material: Material, params: dict[str, Any]) -> Contribution:
        """A finding; nothing where the reference does not know them."""
        return outcome_drift(material, params, PREDICTED, cause="prediction-drift", needs_truth=False)


plugin: Monitor = PredictionDrift()
