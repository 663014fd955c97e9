"""New data: a snapshot that the champion was not trained on."""

from __future__ import annotations

from typing import Any

from flyball.loops.triggers.base import Fire, LoopFacts, Trigger


class NewData:
    """Fires once for each new snapshot of the dataset."""

    def fires(self, facts: LoopFacts, params: dict[str, Any]) -> Fire | None:
        """The latest snapshot, if the champion has not seen it and it came after the last training."""
        snapshot = facts.snapshots.get(params["dataset"])
        if snapshot is None or facts.champion is None:
            return None
        ref = f"snapshots:/{snapshot.dataset}/{snapshot.id}"
        seen_since = facts.last_training or facts.applied
        if ref in facts.champion.snapshots or snapshot.created <= seen_since:
            return None
        return Fire(
            cause=f"new_data:{snapshot.dataset}/{snapshot.id[:12]}",
            reason=f"'{snapshot.dataset}' has new data: {snapshot.summary}",
            evidence={"snapshot": snapshot.id, "rows": snapshot.rows},
        )


plugin: Trigger = NewData()
