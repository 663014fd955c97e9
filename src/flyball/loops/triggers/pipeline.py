"""Pipeline: another pipeline has finished a run."""

from __future__ import annotations

from typing import Any

from flyball.loops.triggers.base import Fire, LoopFacts, Trigger


class AnotherPipeline:
    """Fires once for the latest finished run of a pipeline that ended since the last training."""

    def fires(self, facts: LoopFacts, params: dict[str, Any]) -> Fire | None:
        """The latest finished run, if it ended since the last training."""
        run = facts.finished.get(params["pipeline"])
        if run is None or run.ended is None or run.ended <= (facts.last_training or facts.applied):
            return None
        return Fire(
            cause=f"pipeline:{run.id}",
            reason=f"the pipeline '{params['pipeline']}' has finished at {run.ended:%Y-%m-%d %H:%M}",
            evidence={"run": run.id},
        )


plugin: Trigger = AnotherPipeline()
