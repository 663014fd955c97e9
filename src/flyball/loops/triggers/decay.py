"""Decay: the champion does worse on live traffic than on its held-out data."""

from __future__ import annotations

from typing import Any

from flyball.evaluation.scores import METRICS, MetricValue
from flyball.loops.triggers.base import Fire, LoopFacts, Trigger


class Decay:
    """Fires when the latest windows are worse than the champion's evaluation by enough, and beyond chance."""

    def fires(self, facts: LoopFacts, params: dict[str, Any]) -> Fire | None:
        """The latest window whose truth is known, if it and those before it show the loss."""
        name, least = params["metric"], params["by"]
        if facts.champion is None or facts.champion.evaluation is None:
            return None
        before = _value(facts.champion.evaluation.metrics, name)
        known = [window for window in facts.windows if window.complete and _value(window.performance, name)]
        latest = known[: params["windows"]]
        if before is None or before.value is None or len(latest) < params["windows"]:
            return None
        sign = 1.0 if METRICS.get(name).greater_is_better else -1.0
        for window in latest:
            now = _value(window.performance, name)
            assert now is not None
            nearest = now.high if sign > 0 else now.low
            if now.value is None or nearest is None:
                return None
            # The loss must be large enough to matter, and its interval must leave out "no loss".
            if sign * (before.value - now.value) < least or sign * (before.value - nearest) <= 0:
                return None
        newest = _value(latest[0].performance, name)
        assert newest is not None
        assert newest.value is not None
        return Fire(
            cause=f"decay:{latest[0].end.isoformat()}",
            reason=f"{name} fell from {before.value:.3f} held-out to {newest.value:.3f} live ({newest.n:,} labelled)",
            evidence={
                "metric": name,
                "held_out": before.value,
                "live": newest.value,
                "low": newest.low,
                "high": newest.high,
            },
            confidence=f"its 95 % interval, {_shown(newest.low)} to {_shown(newest.high)}, leaves out {before.value:.3f}",
        )


def _shown(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}"


def _value(metrics: tuple[MetricValue, ...], name: str) -> MetricValue | None:
    return next((metric for metric in metrics if metric.name == name), None)


plugin: Trigger = Decay()
