"""From a deployment's predictions to the label queue, and from labels to the truth that monitoring compares with.

Both run at the caller: a command, or a loop that gathers labels. Both may run again at any time; what was done stays done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput
from flyball.labels.queue import items_of, uncertainty
from flyball.labels.task import NewItem
from flyball.serialization import to_plain
from flyball.serving.prediction_log import read_predictions

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.labels.labels import Labels
    from flyball.labels.task import LabelSet
    from flyball.monitoring.monitoring import Monitoring
    from flyball.storage.object_store import ObjectStore

_PAGE = 5_000
_INPUT = "input."
_TRUTHS = ("classify", "accept", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """What became of asking for labels of predictions.

    Attributes:
        looked_at: Predictions that were answered and whose truth is not known.
        unsure: Those among them below the confidence.
        added: Those that were not in the set before.
    """

    looked_at: int
    unsure: int
    added: int


def queue_predictions(
    labels: Labels,
    monitoring: Monitoring,
    store: ObjectStore,
    deployment: str,
    name: str,
    *,
    below: float = 0.8,
    limit: int = 1_000,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Queued:
    """Puts predictions that a model was unsure of into a label set, the least sure first; their ids are the keys.

    Args:
        below: The confidence (the greatest probability) under which a prediction is taken.
        limit: At most so many, the least sure.
        start: Only predictions at or after this moment.
        end: Only predictions before it.

    Raises:
        InvalidInput: the confidence is none, the set asks for something that is no truth, or the deployment's answers say
            nothing of how sure they are.
    """
    if not 0 < below <= 1:
        raise InvalidInput(f"{below:g} is no confidence.", hint="Give a number above 0 and up to 1.")
    _usable(labels, name)
    rows, _ = read_predictions(store, deployment, start=start, end=end)
    waiting = _without_truth(monitoring, deployment, rows)
    if not waiting.num_rows:
        return Queued(looked_at=0, unsure=0, added=0)
    import numpy as np

    confidence = _confidence(waiting, deployment)
    unsure = np.flatnonzero(confidence < below)
    chosen = unsure[np.argsort(confidence[unsure], kind="stable")][: max(0, limit)]
    items = list(_items(waiting.take(chosen), confidence[chosen], deployment))
    added = sum(labels.add_items(name, items[place : place + _PAGE]) for place in range(0, len(items), _PAGE))
    return Queued(looked_at=waiting.num_rows, unsure=len(unsure), added=added)


def labels_to_truth(labels: Labels, monitoring: Monitoring, deployment: str, name: str) -> int:
    """Tells monitoring what counts as the label of each prediction now; gives how many truths are new or changed.

    A truth is known from the moment of its last label. Labels of things that are no predictions of the deployment are left
    out.

    Raises:
        InvalidInput: the set asks for something that is no truth.
    """
    _usable(labels, name)
    ours = {item.key: item for item in items_of(labels, name) if item.source == _source(deployment)}
    told = 0
    moments: dict[datetime, tuple[list[str], list[Any]]] = {}
    for current in labels.current(name, limit=1_000_000):
        if current.item in ours:
            ids, values = moments.setdefault(current.at, ([], []))
            ids.append(current.item)
            values.append(_as_answered(current.value, ours[current.item].prediction.get("value")))
    for at, (ids, values) in sorted(moments.items()):
        told += monitoring.add_ground_truth(deployment, ids, values, known_at=at.isoformat())
    return told


def _usable(labels: Labels, name: str) -> LabelSet:
    declared = labels.get(name)
    if declared.task not in _TRUTHS:
        raise InvalidInput(
            f"The labels of '{name}' are {declared.task}, which a prediction is not compared with.",
            hint=f"Use a set whose task is one of {', '.join(_TRUTHS)}.",
        )
    return declared


def _without_truth(monitoring: Monitoring, deployment: str, rows: pa.Table) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not rows.num_rows:
        return rows
    if "answered" in rows.column_names:
        rows = rows.filter(pc.fill_null(rows["answered"], True))
    ids = rows["prediction_id"].to_pylist()
    known: set[str] = set()
    for place in range(0, len(ids), _PAGE):
        known |= set(monitoring.truth_of(deployment, ids[place : place + _PAGE]))
    return rows.filter(pa.array([id_ not in known for id_ in ids], pa.bool_()))


def _confidence(rows: pa.Table, deployment: str) -> Any:
    """How sure each answer was: its greatest probability."""
    import numpy as np

    names = rows.column_names
    lists = rows["probabilities"].to_pylist() if "probabilities" in names else [None] * rows.num_rows
    yes = rows["probability"].to_pylist() if "probability" in names else [None] * rows.num_rows
    found = [
        max(many) if many else max(one, 1.0 - one) if one is not None else None
        for many, one in zip(lists, yes, strict=True)
    ]
    if all(each is None for each in found):
        raise InvalidInput(
            f"The answers of '{deployment}' say nothing of how sure they are.",
            hint="Only classifiers' probabilities do.",
        )
    # An answer without a probability, of a version that gives none, is as sure as can be: nothing speaks for asking.
    return np.array([1.0 if each is None else each for each in found], dtype=np.float64)


def _items(rows: pa.Table, confidence: Any, deployment: str) -> Iterator[NewItem]:
    inputs = [column for column in rows.column_names if column.startswith(_INPUT)]
    for place, row in enumerate(rows.to_pylist()):
        sure = float(confidence[place])
        yield NewItem(
            key=row["prediction_id"],
            data=to_plain({column.removeprefix(_INPUT): row[column] for column in inputs}),
            prediction={"value": to_plain(row["prediction"]), "confidence": sure},
            priority=float(uncertainty([[sure, 1.0 - sure]])[0]),
            source=_source(deployment),
        )


def _as_answered(value: Any, answered: Any) -> Any:
    """A label in the type in which the model answers: classes are texts here, and may be numbers or truth values there."""
    if isinstance(answered, bool):
        return value if isinstance(value, bool) else str(value).casefold() in ("true", "1", "yes")
    if isinstance(answered, int) and isinstance(value, str | bool):
        return int(value) if isinstance(value, bool) or value.lstrip("-").isdecimal() else value
    if isinstance(answered, float) and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _source(deployment: str) -> str:
    return f"predictions:{deployment}"
