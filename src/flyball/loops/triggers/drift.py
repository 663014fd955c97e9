"""Drift: the inputs are not those that the champion was trained on."""

from __future__ import annotations

from typing import Any

from flyball.loops.triggers.base import Fire, LoopFacts, Trigger
from flyball.monitoring.evidence import ColumnDrift


class Drift:
    """Fires when the latest windows, one after the other, all show drift."""

    def fires(self, facts: LoopFacts, params: dict[str, Any]) -> Fire | None:
        """The latest window, if it and those before it have drifted."""
        latest = facts.windows[: params["windows"]]
        if len(latest) < params["windows"]:
            return None
        for window in latest:
            if window.drift is None or not window.drift.drifted or window.drift.share < params["share"]:
                return None
        drift = latest[0].drift
        assert drift is not None
        columns = [column for column in drift.columns if column.drifted]
        shown = "; ".join(f"{column.column}: {column.cause}" for column in columns[:3])
        more = f" and {len(columns) - 3} more" if len(columns) > 3 else ""
        return Fire(
            cause=f"drift:{latest[0].end.isoformat()}",
            reason=f"{len(columns)} of {len(drift.columns)} columns drifted ({shown}{more})",
            evidence={"columns": [column.column for column in columns], "share": drift.share},
            confidence=_sure(columns, len(latest)),
        )


def _sure(columns: list[ColumnDrift], windows: int) -> str:
    surest = min((column.q_value for column in columns), default=1.0)
    chance = "less than one in a million" if surest < 1e-6 else f"{surest:.2g}"
    return f"the chance of this without a change is {chance}" + (
        f", in {windows} windows in a row" if windows > 1 else ""
    )


plugin: Trigger = Drift()
