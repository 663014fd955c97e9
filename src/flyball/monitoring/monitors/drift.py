"""Drift: whether the inputs are those that the champion was trained on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flyball.monitoring.attribution import impact
from flyball.monitoring.evidence import drift
from flyball.monitoring.monitors.base import Contribution, Finding, Material, Monitor
from flyball.monitoring.profile import Reference


class Drift:
    """Compares the window's counts with the reference's."""

    def examine(self, material: Material, params: dict[str, Any]) -> Contribution:
        """A report by column; nothing without predictions or reference."""
        if material.reference is None or material.profile is None or not material.profile.n:
            return Contribution()
        reference, notes = _only(material.reference, params.get("columns") or ())
        if not reference.columns:
            return Contribution(notes=notes)
        report = drift(
            reference,
            material.profile,
            metric=params.get("metric", "jensen_shannon"),
            threshold=params.get("threshold"),
            alpha=params.get("alpha", 0.01),
        )
        drifted = [column for column in report.columns if column.drifted]
        moved = [column.column for column in drifted if column.cause.startswith(("mean ", "spread "))]
        facts: dict[str, Any] = {"columns": [c.column for c in drifted], "share": report.share, "moved": moved}
        if reference.losses:
            facts["loss_added"] = impact(reference, reference.losses, material.profile)
        finding = Finding(
            kind="drift",
            cause="drift",
            title=f"{len(drifted)} of {len(report.columns)} inputs drifted",
            sentences=tuple(f"{column.column} drifted: {column.cause}" for column in drifted),
            facts=facts,
        )
        return Contribution(drift=report, findings=(finding,), notes=notes)


def _only(reference: Reference, columns: list[str] | tuple[()]) -> tuple[Reference, tuple[str, ...]]:
    if not columns:
        return reference, ()
    known = {cells.column for cells in reference.columns}
    notes = tuple(f"drift: the reference has no column '{name}'" for name in columns if name not in known)
    return replace(
        reference,
        numeric=tuple(cells for cells in reference.numeric if cells.column in columns),
        categorical=tuple(cells for cells in reference.categorical if cells.column in columns),
    ), notes


plugin: Monitor = Drift()
