"""Quality: faults of the data, such as missing, misspelt, out of range, stuck, too few."""

from __future__ import annotations

from typing import Any

from flyball.monitoring.monitors.base import Contribution, Finding, Material, Monitor
from flyball.monitoring.quality import QualityFinding, quality


class Quality:
    """Looks for faults in the window's counts."""

    def examine(self, material: Material, params: dict[str, Any]) -> Contribution:
        """The faults; of a window without predictions, that they are missing."""
        if material.reference is None or material.profile is None:
            return Contribution()
        # A deployment begins somewhere in its first window: that it has few rows is no fault.
        is_first = not any(window.predictions for window in material.earlier())
        if is_first and not material.profile.n:
            return Contribution()
        faults = quality(material.reference, material.profile, floor=params.get("floor", 0.005))
        kept = tuple(fault for fault in faults if not (is_first and fault.kind == "volume"))
        # A column more than the model takes harms nothing: it is shown, and alarms nobody.
        told = tuple(fault for fault in kept if fault.kind != "new_column")
        columns = list(dict.fromkeys(fault.column for fault in told if fault.column))
        inside = {fault.column for fault in told if fault.kind not in ("below", "above")}
        outside = [column for column in columns if column not in inside]
        finding = Finding(
            kind="quality",
            cause="quality",
            title=f"{len(told)} fault{'s' if len(told) != 1 else ''} of the data",
            sentences=tuple(_sentence(fault) for fault in told),
            facts={"columns": columns, "kinds": sorted({fault.kind for fault in told}), "outside": outside},
        )
        return Contribution(quality=kept, findings=(finding,))


def _sentence(fault: QualityFinding) -> str:
    return f"{fault.column}: {fault.detail}" if fault.column else fault.detail


plugin: Monitor = Quality()
