"""Incident: a person is asked, by an alert that says what is to be decided.

Params: `decide`, what the person is to decide, in words.
"""

from __future__ import annotations

from typing import Any

from flyball.loops.policies.base import Action, Policy, Situation

_TO_DECIDE = {
    "source": "Mend the source, or declare its new form; then nothing else is to be done. Or fall back to an earlier version.",
    "labels": "Have predictions labelled, or accept that this model is blind for now.",
    "failing": "Look at why the trainings failed, mend it, and trigger one by hand.",
    "fruitless": "More of the same data does not help: add features, tune the pipeline, or accept the loss.",
    "bias": "Decide whether this difference is acceptable. If not, mend the data, weigh the groups, or go back.",
}


class Incident:
    """Asks a person."""

    def decide(self, situation: Situation, params: dict[str, Any]) -> Action | None:
        """To ask, with what is to be decided."""
        return Action(
            what="ask",
            reason=situation.because,
            consequence="a person is asked to decide",
            params={"decide": params.get("decide") or _TO_DECIDE.get(situation.kind, "Decide what is to be done.")},
        )


plugin: Policy = Incident()
