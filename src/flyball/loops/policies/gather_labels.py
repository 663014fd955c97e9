"""Gather labels: the predictions of which the model is least sure are laid before people, and a training waits for them.

Params: `most`, how many predictions at most; `below`, the confidence below which one is laid before people; `queue`, the name
of the queue (that of the loop by default).
"""

from __future__ import annotations

from typing import Any

from flyball.loops.policies.base import Action, Policy, Situation


class GatherLabels:
    """Asks people for labels."""

    def decide(self, situation: Situation, params: dict[str, Any]) -> Action | None:
        """To gather labels."""
        return Action(
            what="gather labels",
            reason=situation.because or "labels are asked for before anything is learned",
            consequence="the predictions of which the model is least sure are laid before people",
            params={"most": 100, "below": 0.75, "queue": "", **params},
        )


plugin: Policy = GatherLabels()
