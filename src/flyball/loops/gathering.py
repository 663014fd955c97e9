"""Predictions on their way to people who label them, and labels on their way back as truth."""

from __future__ import annotations

from typing import Any

from flyball.errors import NotFound
from flyball.labels.task import LabelSet
from flyball.loops.services import Services
from flyball.monitoring.examine import labelled_predictions
from flyball.monitoring.windows import Window
from flyball.registry.versions import ModelVersion


def lay_out(workspace: Services, deployment: str, model: ModelVersion, window: Window, params: dict[str, Any]) -> str:
    """Lays the least sure predictions of a window before people; gives the name of the label set.

    A set that is not there is declared: true or false where the model says so, else one of its classes. Empty where the model
    gives what nobody can choose from.
    """
    from flyball.monitoring.label_queue import queue_predictions

    name = str(params.get("queue") or deployment)
    try:
        workspace.labels.get(name)
    except NotFound:
        classes = model.package.signature.classes
        if not classes:
            return ""
        truths = all(isinstance(each, bool) for each in classes)
        workspace.labels.declare(
            LabelSet(
                name=name,
                task="accept" if truths else "classify",
                classes=() if truths else tuple(map(str, classes)),
                description=f"Predictions of '{deployment}' of which the model was not sure.",
            )
        )
    queue_predictions(
        workspace.labels, workspace.monitoring, workspace.store, deployment, name, below=float(params["below"]),
        limit=int(params["most"]), start=window.start, end=window.end,
    )  # fmt: skip
    return name


class LabelsBack:
    """Takes labels that people gave to a loop's predictions back as truth, once each time that there are new ones."""

    def __init__(self, workspace: Services) -> None:
        self._workspace = workspace
        self._seen = -1

    def take(self, loop: str) -> bool:
        """Whether truth came of labels that are new."""
        newest = self._workspace.events.list(kinds=("labels.",), limit=1, newest_first=True)
        last = newest[0].id if newest else 0
        if last == self._seen:
            return False
        told = sum(self._taken(loop, name) for name in self._queues(loop)) if last else 0
        self._seen = last
        return told > 0

    def _queues(self, loop: str) -> set[str]:
        asked = [each for each in self._workspace.loops.history(loop, limit=200) if each.decision == "gather labels"]
        return {str(each.evidence["queue"]) for each in asked if each.evidence.get("queue")}

    def _taken(self, loop: str, name: str) -> int:
        from flyball.monitoring.label_queue import labels_to_truth

        try:
            return labels_to_truth(self._workspace.labels, self._workspace.monitoring, loop, name)
        except NotFound:
            return 0  # the set is gone, and its labels with it


def least_sure(workspace: Services, deployment: str, window: Window, params: dict[str, Any]) -> list[dict[str, Any]]:
    """The predictions of a window that nobody has labelled and of which the model was least sure: id and confidence.

    Confidence is the probability of the predicted class, or the largest one where there are several (uncertainty sampling:
    Lewis and Gale 1994).

    Args:
        params: `most`, how many at most; `below`, the confidence below which one is taken.
    """
    import numpy as np

    rows = labelled_predictions(
        workspace.store, workspace.monitoring, deployment, start=window.start, end=window.end, inputs=()
    )
    rows = rows.filter(rows["truth"].is_null())
    sure = _confidence(rows)
    unsure = [int(place) for place in np.argsort(sure, kind="stable") if sure[place] < float(params["below"])]
    ids = rows["prediction_id"].to_pylist()
    return [{"id": ids[place], "confidence": round(float(sure[place]), 4)} for place in unsure[: int(params["most"])]]


def _confidence(rows: Any) -> Any:
    import numpy as np

    if "probabilities" in rows.column_names and rows.num_rows:
        return np.array(
            [
                max(values) if values else 1.0
                for values in (_numbers(each) for each in rows["probabilities"].to_pylist())
            ]
        )
    chance = rows["probability"].to_numpy(zero_copy_only=False)
    return np.nan_to_num(np.maximum(chance, 1 - chance), nan=1.0)


def _numbers(value: Any) -> list[float]:
    found = value.values() if isinstance(value, dict) else value or ()
    return [float(each) for each in found if each is not None]
