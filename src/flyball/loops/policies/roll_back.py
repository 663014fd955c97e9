"""Roll back: an earlier version answers again, where the present one is new and does badly.

Params: `within`, how many windows after its promotion a champion may be rolled back (0: at any time); `version`, the version to
go back to (0: the champion before).
"""

from __future__ import annotations

from typing import Any

from flyball.loops.policies.base import Action, Policy, Situation


class RollBack:
    """Goes back to an earlier version."""

    def decide(self, situation: Situation, params: dict[str, Any]) -> Action | None:
        """To roll back, if the champion is new enough and there is a version to go back to."""
        within, version = int(params.get("within", 0)), int(params.get("version", 0))
        champion = situation.facts.champion
        if champion is None or (within and situation.champion_windows > within):
            return None
        target = version or next((each for each in situation.champions if each != champion.version), 0)
        if not target or target == champion.version:
            return None
        return Action(
            what="roll back",
            reason=f"version {champion.version} has answered for {situation.champion_windows} windows only"
            if within
            else "",
            consequence=f"version {target} answers again",
            params={"version": target},
        )


plugin: Policy = RollBack()
