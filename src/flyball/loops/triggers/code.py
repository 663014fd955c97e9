"""Code: other code was applied than the champion was trained with, as when a commit was merged and handed over."""

from __future__ import annotations

from typing import Any

from flyball.loops.triggers.base import Fire, LoopFacts, Trigger


class Code:
    """Fires once for each state of the code."""

    def fires(self, facts: LoopFacts, params: dict[str, Any]) -> Fire | None:
        """The applied code, if the champion was trained with another."""
        if facts.champion is None or not facts.code or facts.champion.code in ("", facts.code):
            return None
        return Fire(
            cause=f"code:{facts.code[:16]}",
            reason=f"other code was applied ({facts.code[:8]}) than the champion was trained with ({facts.champion.code[:8]})",
            evidence={"code": facts.code, "before": facts.champion.code},
        )


plugin: Trigger = Code()
