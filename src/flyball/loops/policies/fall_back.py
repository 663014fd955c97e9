"""Fall back: a declared baseline answers until someone has mended the cause.

Params: `version`, the version that is the baseline: a simple model, or a rule that was registered as one. The loop is paused
with it, so that nothing takes its place by itself.
"""

from __future__ import annotations

from typing import Any

from flyball.loops.policies.base import Action, Policy, Situation


class FallBack:
    """Lets a baseline answer."""

    def decide(self, situation: Situation, params: dict[str, Any]) -> Action | None:
        """To fall back, if the baseline does not answer already."""
        champion, version = situation.facts.champion, int(params["version"])
        if champion is None or champion.version == version:
            return None
        return Action(
            what="fall back",
            reason=situation.because,
            consequence=f"the baseline, version {version}, answers until the loop is resumed",
            params={"version": version},
        )


plugin: Policy = FallBack()
