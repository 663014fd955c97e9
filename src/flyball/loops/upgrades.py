"""Notices model servers whose libraries are of other versions than those a model was made with."""

from __future__ import annotations

from flyball.deployment.manifest import followers
from flyball.loops.services import Services
from flyball.refs import Ref
from flyball.serialization import JsonValue

_CAUSE = "environment"


def tell_upgrades(workspace: Services, deployment: str) -> None:
    """Opens an alert while a model server runs other versions of a model's packages, and resolves it when none does."""
    reports = followers(workspace.store, deployment)
    if not reports:
        return
    told = {report.replica: report.upgrades for report in reports if report.upgrades}
    subject = str(Ref(kind="deployments", name=deployment))
    active = workspace.alerts.list(state="active", subject=subject, limit=1000)
    alert = next((each for each in active if each.cause == _CAUSE), None)
    if not told:
        if alert is not None:
            workspace.alerts.resolve(alert.id, "Every model server runs what the model was made with.")
        return
    changes: list[JsonValue] = list(dict.fromkeys(words for upgrades in told.values() for words in upgrades))
    if alert is not None and alert.facts.get("changes") == changes:
        return
    workspace.alerts.open(
        severity="warning", kind="environment", subject=subject, cause=_CAUSE,
        title=f"{len(changes)} packages are of other versions than where the model was made"
        if len(changes) > 1 else "A package is of another version than where the model was made",
        detail="\n".join(f"{change} ({', '.join(_where(told, change))})" for change in map(str, changes)),
        facts={
            "changes": changes, "replicas": [*sorted(told)],
            "consequence": "The same rows may be answered otherwise than they were when the model was judged.",
            "decide": "Serve with the versions the model was made with, or train it anew with these.",
        },
    )  # fmt: skip


def _where(told: dict[str, tuple[str, ...]], change: str) -> list[str]:
    return sorted(replica for replica, changes in told.items() if change in changes)
