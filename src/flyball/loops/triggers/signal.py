"""Signal: someone outside says so: a webhook, a git push, another system. They call the verb `loops.signal`."""

from __future__ import annotations

from typing import Any

from flyball.loops.triggers.base import Fire, LoopFacts, Trigger


class Signal:
    """Fires once for the latest signal of a source that came since the last training."""

    def fires(self, facts: LoopFacts, params: dict[str, Any]) -> Fire | None:
        """The latest signal, newest first, of the source that is waited for."""
        since = facts.last_training or facts.applied
        for event in facts.signals:
            source = str(event.facts.get("source", ""))
            if event.at <= since or params.get("source", "") not in ("", source):
                continue
            said = str(event.facts.get("reason", "")) or f"{source} said so"
            return Fire(cause=f"signal:{event.facts.get('id')}", reason=said, evidence={"source": source})
        return None


plugin: Trigger = Signal()
