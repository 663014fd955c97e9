"""Retrain: the pipeline runs again, with parameters that say how it is to learn.

Params: `params`, handed to the pipeline beside the loop's own; `how` (`full`, `window` or `fine_tune`), for the story that is told;
`after`, how many trainings for this kind of cause must have brought nothing before this policy answers.
"""

from __future__ import annotations

from typing import Any

from flyball.loops.policies.base import Action, Policy, Situation

_WORDS = {"full": "", "window": "it learns from recent rows alone", "fine_tune": "it goes on from the champion"}


class Retrain:
    """Trains a new version."""

    def decide(self, situation: Situation, params: dict[str, Any]) -> Action | None:
        """To retrain, unless that cannot help."""
        if situation.kind in ("source", "failing"):
            return None
        return Action(
            what="retrain",
            consequence=_WORDS[params.get("how", "full")],
            params={"params": params.get("params", {}), "how": params.get("how", "full")},
        )


plugin: Policy = Retrain()
