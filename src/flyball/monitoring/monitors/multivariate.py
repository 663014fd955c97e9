"""Multivariate drift: whether rows as wholes are those that the champion was trained on."""

from __future__ import annotations

from typing import Any

from flyball.monitoring.joint import TABLE, Joint, JointDrift, judge, summarise
from flyball.monitoring.monitors.base import Contribution, Finding, Material, Monitor


class Multivariate:
    """Compares whole rows, embeddings, texts and images with the reference's."""

    def examine(self, material: Material, params: dict[str, Any]) -> Contribution:
        """What each metric says; nothing where the reference was not fitted for it."""
        if material.reference is None or material.reference.joint is None or not material.inputs.num_rows:
            return Contribution()
        joint = _only(material.reference.joint, params.get("metrics") or ())
        if not joint.groups:
            return Contribution(notes=("multivariate: the reference was fitted with other metrics",))
        found = judge(joint, summarise(joint, material.inputs), alpha=params.get("alpha", 0.001))
        groups = dict.fromkeys(each.group for each in found)
        findings = tuple(_finding(group, [each for each in found if each.group == group]) for group in groups)
        return Contribution(multivariate=found, findings=findings)


def _only(joint: Joint, metrics: list[str] | tuple[()]) -> Joint:
    if not metrics:
        return joint
    from dataclasses import replace

    groups = [
        replace(group, metrics=tuple(each for each in group.metrics if each.metric in metrics))
        for group in joint.groups
    ]
    return Joint(groups=tuple(group for group in groups if group.metrics))


def _finding(group: str, found: list[JointDrift]) -> Finding:
    drifted = [each for each in found if each.drifted]
    subject = "rows" if group == TABLE else group
    columns = sorted({feature.split("=")[0] for each in drifted for feature in each.columns})
    return Finding(
        kind="drift",
        cause=f"joint:{group}",
        title=f"{'Rows as wholes' if group == TABLE else f'Values of {group}'} are unlike the reference's",
        sentences=tuple(f"{subject} drifted as wholes: {each.cause}" for each in drifted),
        facts={"columns": columns, "metrics": {each.metric: each.distance for each in drifted}},
    )


plugin: Monitor = Multivariate()
