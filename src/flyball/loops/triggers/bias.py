"""Bias: the champion treats one group of people or things worse than another."""

from __future__ import annotations

from typing import Any

from flyball.loops.triggers.base import Fire, LoopFacts, Trigger


class Bias:
    """Fires when the latest windows, one after the other, all show a group apart."""

    def fires(self, facts: LoopFacts, params: dict[str, Any]) -> Fire | None:
        """The latest complete window, if it and those before it show the same group apart."""
        known = [window for window in facts.windows if window.complete][: params["windows"]]
        if len(known) < params["windows"]:
            return None
        apart = [{(found.column, found.group) for found in window.bias if found.is_apart} for window in known]
        lasting = set.intersection(*apart)
        if not lasting:
            return None
        found = min(
            (each for each in known[0].bias if (each.column, each.group) in lasting), key=lambda each: each.ratio or 0.0
        )
        return Fire(
            cause=f"bias:{facts.champion.version if facts.champion else 0}:{found.column}:{found.group}"[:300],
            reason=f"{found.metric} of {found.column} '{found.group}' is {found.ratio or 0.0:.2f} of the best group's",
            evidence={"groups": [f"{column}={group}" for column, group in sorted(lasting)], "metric": found.metric},
            confidence=f"{found.n:,} predictions of that group, beyond chance in {len(known)} windows",
        )


plugin: Trigger = Bias()
