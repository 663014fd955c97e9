"""Re-tune: the pipeline's parameters are searched anew, and a version is trained with the best of them.

Params: `trials`, how many are tried; `metric`, by which they are compared; `budget`, how long the search may take, such as `2h`;
`after`, how many trainings for such causes must have brought nothing first.
"""

from __future__ import annotations

from typing import Any

from flyball.loops.policies.base import Action, Policy, Situation
from flyball.loops.restraints import in_vain


class Retune:
    """Searches the parameters anew."""

    def decide(self, situation: Situation, params: dict[str, Any]) -> Action | None:
        """To re-tune, once plain trainings have brought nothing so often."""
        if situation.kind in ("source", "failing"):
            return None
        vain = in_vain(situation.past, situation.facts.champion.version if situation.facts.champion else 0)
        if vain < int(params.get("after", 0)):
            return None
        reason = f"the last {vain} trainings brought nothing better" if vain else ""
        settings = {key: value for key, value in params.items() if key != "after"}
        return Action(
            what="retune", reason=reason, consequence="the pipeline's parameters are searched anew", params=settings
        )


plugin: Policy = Retune()
