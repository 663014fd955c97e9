"""Wait: nothing is done about the cause yet.

Params: `windows`, how many windows the champion must have answered before it is held to account (0: the cause is always
waited out).
"""

from __future__ import annotations

from typing import Any

from flyball.loops.policies.base import Action, Policy, Situation


class Wait:
    """Waits."""

    def decide(self, situation: Situation, params: dict[str, Any]) -> Action | None:
        """To wait, until the champion has answered so many windows."""
        windows = int(params.get("windows", 0))
        if windows and situation.champion_windows >= windows:
            return None
        reason = situation.because or (
            f"the champion has answered {situation.champion_windows} of the {windows} windows that it is given"
            if windows
            else "the loop's policy is to wait this out"
        )
        return Action(what="wait", reason=reason)


plugin: Policy = Wait()
